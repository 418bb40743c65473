"""Moments and spans of time as a model writes them."""

import re
import time
from datetime import UTC, datetime, timedelta

from devops_chatbot.errors import BadRequest

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w|y)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


def span(text: str) -> timedelta:
    """`90s`, `1h30m`, `2d`; a bare number is seconds. Raises `BadRequest`."""
    text = text.strip()
    if text.replace(".", "", 1).isdigit():
        return timedelta(seconds=float(text))
    parts = _SPAN.findall(text)
    if not parts or _SPAN.sub("", text).strip():
        raise BadRequest("tool.no_span", text=text)
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def moment(text: str) -> datetime:
    """`now`, `-2h`, `now-2h`, seconds since 1970, or ISO 8601 (UTC where it names no zone). Raises `BadRequest`."""
    text = text.strip()
    bare = text.removeprefix("now").strip()
    if text == "now":
        return datetime.now(UTC)
    if bare[:1] in ("-", "+"):
        sign = -1 if bare[0] == "-" else 1
        return datetime.now(UTC) + sign * span(bare[1:])
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise BadRequest("tool.no_moment", text=text) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def iso(seconds: float | str) -> str:
    """Seconds since 1970 for people and models."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(seconds)))
