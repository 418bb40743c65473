"""Takes secrets out of text before a model, a store or a log gets it.

The rules follow Gitleaks' (MIT) for tokens whose form gives them away; what stands behind a name such as `password` goes when it
looks random enough; and what the settings hold as secrets goes wherever it appears.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

HIDDEN = "[hidden: {what}]"
LEAST_ENTROPY = 3.0
"""Bits a character from which a value behind a telling name counts as a secret; words and placeholders have fewer."""
LEAST_CONFIGURED = 6
"""Characters from which a configured secret is looked for; a shorter one would take ordinary words away."""

_RULES: Sequence[tuple[str, re.Pattern[str]]] = [
    (what, re.compile(pattern))
    for what, pattern in (
        ("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
        ("JSON web token", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*"),
        ("AWS access key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
        ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{60,})"),
        ("GitLab token", r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{20,}"),
        ("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("Slack webhook", r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{40,}"),
        ("API key", r"\bsk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{20,}"),
        ("Google API key", r"\bAIza[\w-]{35}"),
        ("Stripe key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("npm token", r"\bnpm_[A-Za-z0-9]{36}"),
        ("PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}"),
        ("Vault token", r"\bhv[sb]\.[\w-]{24,}"),
    )
]
_IN_URL = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s/:@]*:)(?P<value>[^\s/@]+)(?P<after>@)", re.I)
_BEARER = re.compile(r"(?P<before>\b(?:Bearer|Basic|Token)\s+)(?P<value>[A-Za-z0-9._~+/-]{16,}=*)(?P<after>)")
_NAMED = re.compile(
    r"""(?P<before>\b[\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[\w.-]*
    ["']?\s*(?:=|:|=>|:=)\s*["']?)(?P<value>[^\s"',;}\]]{8,})(?P<after>)""",
    re.I | re.X,
)


class Redactor:
    """Knows the configured secrets. Safe for concurrent use."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        known = sorted({each for each in secrets if len(each) >= LEAST_CONFIGURED}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """The text with its secrets named instead of shown."""
        if self._known:
            text = self._known.sub(HIDDEN.format(what="configured secret"), text)
        for what, rule in _RULES:
            text = rule.sub(HIDDEN.format(what=what), text)
        for what, rule in (("password", _IN_URL), ("token", _BEARER)):
            text = rule.sub(lambda found, what=what: _around(found, what), text)  # type: ignore[misc]
        return _NAMED.sub(_named, text)


def _around(found: re.Match[str], what: str) -> str:
    return found["before"] + HIDDEN.format(what=what) + found["after"]


def _named(found: re.Match[str]) -> str:
    value = found["value"]
    if value.startswith(("[hidden", "$", "<", "{")) or _entropy(value) < LEAST_ENTROPY:
        return found[0]
    return _around(found, "secret")


def _entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())
