"""What a setting means: in English as its field says it, in Chinese as `zh_settings.json` does."""

import json
from functools import cache
from pathlib import Path

from devops_chatbot.i18n.catalog import Language


def meaning(key: str, english: str, language: Language) -> str:
    """One of a named model, embedding model or toolset stands there under `models.*`, `embeddings.*` and `tools.*`."""
    if language == "en":
        return english
    section, _, rest = key.partition(".")
    if section in ("models", "embeddings", "tools"):
        key = f"{section}.*.{rest.rpartition('.')[2]}"
    return _chinese().get(key, english)


@cache
def _chinese() -> dict[str, str]:
    texts: dict[str, str] = json.loads(Path(__file__).with_name("zh_settings.json").read_text("utf-8"))
    return texts
