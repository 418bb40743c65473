"""The prompts: a text file for each purpose, in English and Chinese."""

from functools import cache
from pathlib import Path

from devops_chatbot.i18n import Language


@cache
def prompt(name: str, language: Language) -> str:
    """The text of a prompt; `{…}` in it are places to fill with `fill`."""
    return (Path(__file__).parent / language / f"{name}.txt").read_text("utf-8").strip()


def fill(name: str, language: Language, **values: str) -> str:
    """A prompt with its places filled. Braces inside the values stay as they are."""
    return prompt(name, language).format(**values)
