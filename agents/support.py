"""Which evidence stands behind a call that changes something, and whether only untrusted text does."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from devops_chatbot.calls import Support, Trust
from devops_chatbot.chat import Evidence
from devops_chatbot.errors import NotAllowed

LEAST = 3
LONGEST = 200
"""Characters of a value by which a call can be recognised in a text; shorter ones stand in every text, longer ones are prose."""


def support(arguments: Mapping[str, Any], question: str, evidence: Sequence[Evidence]) -> tuple[Support, ...]:
    """The evidence that names what the call is about. Raises `NotAllowed` when a value of it stands in untrusted text and
    neither in what the asker wrote nor in any evidence that can be trusted.
    """
    behind: dict[str, Support] = {}
    for value in dict.fromkeys(each.lower() for each in _values(arguments) if LEAST <= len(each.strip()) <= LONGEST):
        naming = [each for each in evidence if value in each.text.lower()]
        trusted = value in question.lower() or any(each.trust != Trust.UNTRUSTED for each in naming)
        if naming and not trusted:
            raise NotAllowed("call.untrusted", value=value, title=naming[0].title)
        for each in naming:
            behind.setdefault(each.ref, Support(ref=each.ref, title=each.title, trust=each.trust))
    return tuple(behind.values())


def _values(arguments: Any) -> Iterator[str]:
    """Texts and numbers at the leaves."""
    if isinstance(arguments, Mapping):
        for value in arguments.values():
            yield from _values(value)
    elif isinstance(arguments, list | tuple):
        for value in arguments:
            yield from _values(value)
    elif not isinstance(arguments, bool) and arguments is not None:
        yield str(arguments).strip()
