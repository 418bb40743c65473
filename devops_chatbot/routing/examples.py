"""Examples of what people say, by what is meant; they are data, so that a language or a habit is added without code."""

import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files


@cache
def examples(kind: str) -> tuple[str, ...]:
    """The examples of one kind."""
    every = json.loads(files("devops_chatbot.routing").joinpath("examples.json").read_text("utf-8"))
    return tuple(every[kind])


def any_of(phrases: Sequence[str]) -> str:
    """A regular expression for any of the phrases, whole words where they are English; longer ones first."""
    ordered = sorted(phrases, key=lambda phrase: -len(phrase))
    return "|".join(rf"\b{re.escape(one)}\b" if one.isascii() else re.escape(one) for one in ordered)


@cache
def _small_talk() -> re.Pattern[str]:
    return re.compile(rf"(?:(?:{any_of(examples('small_talk'))})\s*)+")


def is_small_talk(text: str) -> bool:
    """Whether a message is a greeting, thanks, or a question about the assistant itself, and nothing else."""
    return bool(_small_talk().fullmatch(re.sub(r"[\W_]+", " ", text[:200].lower()).strip()))
