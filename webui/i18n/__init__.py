"""Every word of the pages, in English and Chinese, from one catalogue: `en.json` and `zh.json` beside this file."""

import json
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: dict[Language, str] = {"en": "English", "zh": "中文"}


@cache
def catalogue(language: Language) -> dict[str, str]:
    """Texts by dotted key; both languages have the same keys (a test holds them to it)."""
    nested = json.loads((Path(__file__).parent / f"{language}.json").read_text("utf-8"))
    return {f"{section}.{key}": text for section, texts in nested.items() for key, text in texts.items()}


def translate(key: str, language: Language, **values: object) -> str:
    """The text of `key` with its `{placeholders}` filled. Raises `KeyError` for a key that nobody wrote.

    A text of two forms, `{count} file|{count} files`, is chosen by `count`.
    """
    text = catalogue(language)[key]
    if "|" in text:
        one, many = text.split("|")
        text = one if values.get("count") == 1 else many
    return text.format(**values) if values else text


def language_of(locale: str | None) -> Language:
    """The catalogue's language for a browser's locale such as `zh-CN`."""
    return "zh" if (locale or "").lower().startswith("zh") else "en"


def known(language: object) -> Language | None:
    """`language` when it is one of ours."""
    return next((each for each in LANGUAGES if each == language), None)
