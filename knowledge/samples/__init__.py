"""The sample knowledge base: this product's own guide (`guide/`) and real runbooks (`runbooks/`, with their notice)."""

import json
from pathlib import Path

from devops_chatbot.i18n import Reason

NAME = Reason("samples.name")


def folder() -> Path:
    """The folder to ingest: `guide/` and `runbooks/`."""
    return Path(__file__).parent


def questions(language: str) -> list[str]:
    """Three questions worth trying on the sample; `language` is `en` or `zh`."""
    catalog = json.loads((folder() / "questions.json").read_text("utf-8"))
    return [str(question) for question in catalog[language]]
