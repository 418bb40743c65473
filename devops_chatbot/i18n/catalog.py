"""Texts by dotted key from one JSON file a language, and which language a person reads."""

import json
import string
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Language = Literal["en", "zh"]
LANGUAGES: dict[Language, str] = {"en": "English", "zh": "中文"}
_COMMA: dict[Language, str] = {"en": ", ", "zh": "、"}


@runtime_checkable
class Told(Protocol):
    """A parameter that has a text of its own in each language."""

    def text(self, language: Language) -> str: ...


class Catalog:
    """The texts of `en.json` and `zh.json` in a folder, by `section.name`; both files have the same keys.

    A text is a template of `str.format` with named parameters, `{size:.1f}`. One of two forms, `{count} file|{count} files`,
    is chosen by `count`. A list is joined with commas, or with what stands as its format: `{problems:; }`; a mapping holds a
    text by language.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def texts(self) -> dict[Language, dict[str, str]]:
        return {language: self._read(language) for language in LANGUAGES}

    def text(self, key: str, language: Language, params: Mapping[str, object]) -> str:
        """The text of `key` with its parameters filled in. Raises `KeyError` for a key that nobody wrote."""
        text = self.texts[language][key]
        if "|" in text:
            one, many = text.split("|")
            text = one if params.get("count") == 1 else many
        return _Filled(language).vformat(text, (), params)

    def _read(self, language: Language) -> dict[str, str]:
        nested = json.loads((self._folder / f"{language}.json").read_text("utf-8"))
        return {f"{section}.{name}": text for section, texts in nested.items() for name, text in texts.items()}


class _Filled(string.Formatter):
    def __init__(self, language: Language) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return (format_spec or _COMMA[self._language]).join(self.format_field(each, "") for each in value)
        if isinstance(value, Mapping):
            value = value.get(self._language) or value["en"]
        if isinstance(value, Told):
            return value.text(self._language)
        return str(super().format_field(value, format_spec))


def language_of_locale(locale: str | None) -> Language:
    """The language for a locale such as `zh-CN` or `zh_TW.UTF-8`; English unless it is Chinese."""
    return "zh" if (locale or "").lower().startswith("zh") else "en"


def accepted_language(header: str) -> Language:
    """The language for an `Accept-Language` header (RFC 9110): the wanted one of ours; English when none is."""
    wanted: dict[Language, float] = {}
    for entry in header.lower().split(","):
        tag, _, weight = entry.replace(" ", "").partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        for language in LANGUAGES:
            if tag.partition("-")[0] in (language, "*"):
                wanted[language] = max(quality, wanted.get(language, 0.0))
    return max(wanted, key=lambda language: wanted[language], default="en")
