"""Small things said the same way on every page: sizes, moments, names of scenarios."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import get_args

from devops_chatbot.chat import ScenarioState, SearchMode
from webui.components.session import has_text, language, t

MODES: tuple[SearchMode, ...] = get_args(SearchMode)
_UNITS = ("B", "KB", "MB", "GB", "TB")


def size(count: int) -> str:
    """Bytes for people."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    number = f"{value:.0f}" if unit == 0 or value >= 100 else f"{value:.1f}"
    return f"{number}\N{NO-BREAK SPACE}{_UNITS[unit]}"


def aware(moment: datetime) -> datetime:
    """The moment with its time zone, which is UTC where none is said."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def ago(moment: datetime) -> str:
    """How long ago, roughly."""
    seconds = max(0.0, (datetime.now(UTC) - aware(moment)).total_seconds())
    if seconds < 60:
        return t("time.now")
    if seconds < 3600:
        return t("time.minutes", count=int(seconds // 60))
    if seconds < 86400:
        return t("time.hours", count=int(seconds // 3600))
    if seconds < 30 * 86400:
        return t("time.days", count=int(seconds // 86400))
    return f"{moment:%Y-%m-%d}"


def scenario_label(name: str, scenarios: Sequence[ScenarioState]) -> str:
    """A scenario's title in the person's language; its name when there is no such scenario any more."""
    title = next((one.title for one in scenarios if one.name == name), {})
    return title.get(language()) or title.get("en") or name


def role_label(name: str) -> str:
    key = f"status.role_{name}"
    return t(key) if has_text(key) else name
