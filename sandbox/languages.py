"""The languages that there are, as their manifests in the image's folder say, and the other names that people use."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "image" / "languages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """`name` is what a run is asked for; `aliases` mean the same."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()


@cache
def known() -> tuple[Language, ...]:
    """In order of name."""
    manifests = (json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*/language.json")))
    return tuple(
        Language(name=each["name"], title=each["title"], aliases=tuple(each.get("aliases", ()))) for each in manifests
    )
