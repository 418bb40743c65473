"""Fits conversation and passages into what a model can read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devops_chatbot.chat import Evidence, Location, Turn

HISTORY_SHARE = 0.25
_ASCII = re.compile(r"[\x00-\x7f]+")
_MARKS = re.compile(r"\[\d{1,3}\]")


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens for the conversation and the passages together."""

    tokens: int


def tokens_of(text: str) -> int:
    """A guess, on the high side: 3 ASCII characters, or one other character, a token (providers' own counters differ,
    and some need a download).
    """
    ascii_characters = sum(len(run) for run in _ASCII.findall(text))
    return ascii_characters // 3 + (len(text) - ascii_characters) + 4


def fit(history: Sequence[Turn], evidence: Sequence[Evidence], budget: Budget) -> tuple[list[Turn], list[str]]:
    """The latest turns within a quarter of the budget, and numbered passages within the rest.

    A passage comes with its whole section where there is room, else by itself; the last ones are left out first. At
    least the first passage is there, cut at the end when even that is too long.
    """
    turns = _latest(history, int(budget.tokens * HISTORY_SHARE))
    room = budget.tokens - sum(tokens_of(turn.text) for turn in turns)
    texts = [one.text for one in evidence]
    used = sum(tokens_of(_passage(number, one, one.text)) for number, one in enumerate(evidence, 1))
    while len(texts) > 1 and used > room:
        used -= tokens_of(_passage(len(texts), evidence[len(texts) - 1], texts.pop()))
    if texts and used > room:
        texts[0] = texts[0][: max(200, room * 2)]
    shown: set[str] = set()
    for index, one in enumerate(evidence[: len(texts)]):
        more = tokens_of(one.context) - tokens_of(one.text)
        if one.context not in shown and used + more <= room:
            texts[index] = one.context
            shown.add(one.context)
            used += more
    return turns, [
        _passage(number, one, text) for number, (one, text) in enumerate(zip(evidence, texts, strict=False), 1)
    ]


def place(location: Location) -> str:
    """`page 3` or `lines 4-9`, for the model; nothing when the format has neither."""
    if location.page is not None:
        return f"page {location.page}"
    return f"lines {location.line_start}-{location.line_end}" if location.line_start is not None else ""


def _passage(number: int, evidence: Evidence, text: str) -> str:
    path = " > ".join(dict.fromkeys((evidence.title, *evidence.heading_path)))
    where = ", ".join(part for part in (evidence.source_uri, place(evidence.location)) if part)
    return f"[{number}] {path} ({where})\n{text.strip()}"


def _latest(history: Sequence[Turn], room: int) -> list[Turn]:
    """From the end backwards; an answer's citation marks are removed, for their numbers mean nothing now."""
    kept: list[Turn] = []
    for turn in reversed(history):
        text = _MARKS.sub("", turn.text)
        room -= tokens_of(text)
        if room < 0:
            break
        kept.insert(0, Turn(role=turn.role, text=text))
    while kept and kept[0].role == "assistant":  # several providers insist that a conversation begins with the user
        kept.pop(0)
    return kept
