"""What a provider says about an error, in its own words: found in the many shapes of error bodies, shortened, without secrets."""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

LONGEST_WORDS = 300
_DEEPEST = 6
_KEYS = (
    "message",
    "error",
    "detail",
    "details",
    "msg",
    "reason",
    "error_description",
    "errors",
    "title",
    "description",
)
"""Where error bodies carry their words, the best first."""
_TOO_LONG = (
    "context_length", "context length", "context size", "context window", "contextwindow", "exceed_context", "maximum context",
    "prompt is too long", "input is too long", "too many tokens", "reduce the length", "input tokens exceed", "prompt too long",
    "longer than the model", "larger than the context", "exceeds the model's", "maximum prompt length", "token limit",
)  # fmt: skip
_SECRETS = (
    re.compile(r"\b(?:(?:sk|pk|rk|gsk|xai|hf|ghp|gho|key)[-_]|AIza)[A-Za-z0-9._~+/=*-]{6,}"),
    re.compile(r"(?i)\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=*-]{6,}"),
    re.compile(r"(?<=://)[^/\s@]+@"),  # the password in an address
    re.compile(r"(?i)(?<=[?&]key=)[^&\s]+|(?<=[?&]token=)[^&\s]+|(?<=api-key=)[^&\s]+"),
)
_NUMBER = re.compile(r"\d[\d,]*")


def words_of(error: BaseException, *, secret: str = "") -> str:
    """The provider's own words on one line, without a full stop; the error's text when its body has none."""
    body = getattr(error, "body", None)
    text = _said(body) or _said(str(error)) or type(error).__name__
    if secret:
        text = text.replace(secret, "(hidden)")
    for pattern in _SECRETS:
        text = pattern.sub("(hidden)", text)
    text = " ".join(text.split()).rstrip(".")
    return text if len(text) <= LONGEST_WORDS else text[:LONGEST_WORDS] + "…"


def is_too_long(error: BaseException) -> bool:
    """Whether the prompt did not fit into the model's context."""
    said = f"{error} {getattr(error, 'body', '')}".lower()
    return any(words in said for words in _TOO_LONG)


def fit_of(error: BaseException) -> tuple[int, int] | None:
    """Of a prompt that is too long: its tokens and those of the context, where the error tells both."""
    body = getattr(error, "body", None)
    if isinstance(body, Mapping):
        given, room = body.get("n_prompt_tokens"), body.get("n_ctx")  # llama.cpp
        if isinstance(given, int) and isinstance(room, int):
            return given, room
    numbers = [int(number.replace(",", "")) for number in _NUMBER.findall(words_of(error))]
    numbers = [number for number in numbers if number >= 512]
    return (max(numbers), min(numbers)) if len(set(numbers)) > 1 else None


def wait_of(error: BaseException) -> float | None:
    """After how many seconds the provider wants to be asked again; None when it does not say."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    if given is None or (seconds := _number(given)) is not None:
        return None if given is None else seconds
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time())
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None


def _said(value: Any, depth: int = 0) -> str:
    """The words in a body, which may be JSON in JSON, or a web page."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        text = value.strip()
        if text[:1] in ("{", "["):
            try:
                return _said(json.loads(text), depth + 1) or text
            except ValueError:
                return text
        return _title(text) if text.startswith("<") else text
    if isinstance(value, Mapping):
        found = next((said for key in _KEYS if (said := _said(value.get(key), depth + 1))), "")
        metadata = value.get("metadata")
        behind = _said(metadata.get("raw"), depth + 1) if isinstance(metadata, Mapping) else ""  # OpenRouter's provider
        return f"{found}: {behind}" if found and behind else found
    if isinstance(value, list):
        return "; ".join(filter(None, (_said(one, depth + 1) for one in value[:3])))
    return ""


def _title(page: str) -> str:
    """What a web page, such as a gateway's, says in its title or heading."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(page)
    found = (tree.css_first(tag) for tag in ("title", "h1", "body"))
    return next((text for node in found if node and (text := node.text(strip=True))), "")
