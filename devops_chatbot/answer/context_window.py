"""Fits conversation and passages into what a model can read."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from devops_chatbot.chat import Evidence, Location, Turn
from devops_chatbot.llm.thoughts import without_thoughts
from devops_chatbot.llm.tokens import tokens_of

HISTORY_SHARE = 0.25
QUESTION_SHARE = 0.5
HEAD_SHARE = 0.6
"""Of a question that is too long, how much of what is kept is its beginning; a log says at its end what went wrong."""
LEFT_OUT = "\n[…]\n"
_MARKS = re.compile(r"\[\d{1,3}\]")


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens for the conversation and the passages together, as `tokens_of` counts them."""

    tokens: int


def fit(history: Sequence[Turn], evidence: Sequence[Evidence], budget: Budget) -> tuple[list[Turn], list[str]]:
    """The latest turns within a quarter of the budget, and numbered passages within the rest.

    The roles of the turns alternate, the user's first; what followed itself is one turn. A passage comes with its whole
    section where there is room, else by itself; the last ones are left out first. At least the first passage is there, cut
    at the end when even that is too long.
    """
    turns = _latest(history, int(budget.tokens * HISTORY_SHARE))
    room = budget.tokens - sum(tokens_of(turn.text) for turn in turns)
    texts = [one.text for one in evidence]
    used = sum(tokens_of(_passage(number, one, one.text)) for number, one in enumerate(evidence, 1))
    while len(texts) > 1 and used > room:
        used -= tokens_of(_passage(len(texts), evidence[len(texts) - 1], texts.pop()))
    if texts and used > room:
        texts[0] = _beginning(texts[0], max(0, room - tokens_of(_passage(1, evidence[0], ""))))
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


def shortened(question: str, room: int) -> str:
    """A question (with the log that was pasted into it) in at most so many tokens: its beginning and its end."""
    if tokens_of(question) <= room:
        return question
    head = _beginning(question, int(room * HEAD_SHARE))
    tail = _beginning(question[::-1], int(room * (1 - HEAD_SHARE)))[::-1]
    return head + LEFT_OUT + tail


def place(location: Location) -> str:
    """`page 3` or `lines 4-9`, for the model; nothing when the format has neither."""
    if location.page is not None:
        return f"page {location.page}"
    return f"lines {location.line_start}-{location.line_end}" if location.line_start is not None else ""


def _beginning(text: str, room: int) -> str:
    """As much of the text's beginning as fits into so many tokens."""
    fitting = bisect_right(range(len(text) + 1), room, key=lambda length: tokens_of(text[:length]))
    return text[: max(0, fitting - 1)]


def _passage(number: int, evidence: Evidence, text: str) -> str:
    path = " > ".join(dict.fromkeys((evidence.title, *evidence.heading_path)))
    where = ", ".join(part for part in (evidence.source_uri, place(evidence.location)) if part)
    return f"[{number}] {path} ({where})\n{text.strip()}"


def _latest(history: Sequence[Turn], room: int) -> list[Turn]:
    """From the end backwards. An answer's citation marks are removed, for their numbers mean nothing now, and so are the thoughts
    that an older version kept in it. Many servers insist on roles that alternate: an answer without a question is left out,
    and a question without an answer is one turn with what was asked after it.
    """
    kept: list[Turn] = []
    for turn in reversed(history):
        text = _MARKS.sub("", turn.text if turn.role == "user" else without_thoughts(turn.text))
        room -= tokens_of(text)
        if room < 0:
            break
        if kept and kept[0].role == turn.role:
            text = f"{text}\n\n{kept.pop(0).text}"
        kept.insert(0, Turn(role=turn.role, text=text))
    return kept[1:] if kept and kept[0].role == "assistant" else kept
