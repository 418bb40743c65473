"""The languages that there are, as their manifests in the image's folder say."""

from functools import cache
from pathlib import Path

from devops_chatbot.values import from_json
from sandbox.model import Language

FOLDER = Path(__file__).parent / "image" / "languages"


@cache
def known() -> tuple[Language, ...]:
    """In order of name."""
    return tuple(from_json(Language, path.read_bytes()) for path in sorted(FOLDER.glob("*/language.json")))
