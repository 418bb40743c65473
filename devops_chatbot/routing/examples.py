"""Examples of what people say, by what is meant; they are data, so that a language or a habit is added without code."""

import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import get_args

from devops_chatbot.chat import SmallTalk


@cache
def examples(kind: str) -> tuple[str, ...]:
    """The examples of one kind."""
    every = json.loads(files("devops_chatbot.routing").joinpath("examples.json").read_text("utf-8"))
    return tuple(every[kind])


def any_of(phrases: Sequence[str]) -> str:
    """A regular expression for any of the phrases, whole words where they are English; longer ones first."""
    ordered = sorted(phrases, key=lambda phrase: -len(phrase))
    return "|".join(rf"\b{re.escape(one)}\b" if one.isascii() else re.escape(one) for one in ordered)


def is_about_attached(text: str) -> bool:
    """Whether a question speaks of a file, as people do of one that they have just attached."""
    return bool(_phrases("attached").search(text.lower()))


@cache
def _phrases(*kinds: str) -> re.Pattern[str]:
    return re.compile(any_of([phrase for kind in kinds for phrase in examples(kind)]))


def small_talk(text: str) -> SmallTalk | None:
    """What a message is that is a greeting, thanks, or a question about the assistant itself, and nothing else."""
    words = re.sub(r"[\W_]+", " ", text[:200].lower()).strip()
    kinds: tuple[SmallTalk, ...] = get_args(SmallTalk)
    if not words or _phrases(*kinds, "fillers", "joiners").sub("", words).strip():
        return None
    said = next((kind for kind in kinds if _phrases(kind).search(words)), None)
    return said or (None if _phrases("joiners").search(words) else "thanks")
