"""What the server says in English, in Chinese where we know it: error messages, states, descriptions of settings."""

import json
import re
from functools import cache
from pathlib import Path

from webui.i18n import Language


def said(text: str, language: Language) -> str:
    """A sentence of the server in `language`; as it stands when nobody has translated it."""
    if language == "zh":
        for pattern, chinese in _phrases():
            match = pattern.fullmatch(text)
            if match:
                return match.expand(chinese)
    return text


def setting_description(key: str, english: str, language: Language) -> str:
    """What a setting means; one of a named model or embedding model stands under `models.*` and `embeddings.*`."""
    if language != "zh":
        return english
    section, _, rest = key.partition(".")
    if section in ("models", "embeddings"):
        key = f"{section}.*.{rest.rpartition('.')[2]}"
    return _catalogue()["settings"].get(key, english)


def check_name(name: str, language: Language) -> str:
    """The name of a health check; `embedding bundled` and `model local` name their thing behind a word."""
    if language != "zh":
        return name[:1].upper() + name[1:]
    names: dict[str, str] = _catalogue()["checks"]
    kind, _, thing = name.partition(" ")
    return names.get(name) or (f"{names[kind]} {thing}" if kind in names else name)


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    return dict(_read()[0])


@cache
def _phrases() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), chinese) for pattern, chinese in _read()[1]]


def _read() -> tuple[dict[str, dict[str, str]], list[tuple[str, str]]]:
    everything = json.loads((Path(__file__).parent / "zh_server.json").read_text("utf-8"))
    phrases = [(str(pattern), str(chinese)) for pattern, chinese in everything.pop("phrases")]
    return everything, phrases
