"""The sample knowledge base: this product's own guide (`guide/`) and real runbooks (`runbooks/`, with their notice)."""

import json
from pathlib import Path

NAME = {"en": "Sample: guide and runbooks", "zh": "示例：使用指南与运行手册"}


def folder() -> Path:
    """The folder to ingest: `guide/` and `runbooks/`."""
    return Path(__file__).parent


def questions(language: str) -> list[str]:
    """Three questions worth trying on the sample; `language` is `en` or `zh`."""
    catalogue = json.loads((folder() / "questions.json").read_text("utf-8"))
    return [str(question) for question in catalogue[language]]
