"""Every word of the pages, in English and Chinese, from one catalog: `en.json` and `zh.json` beside this file."""

from pathlib import Path

from devops_chatbot.i18n import LANGUAGES, Catalog, Language

TEXTS = Catalog(Path(__file__).parent)


def known(language: object) -> Language | None:
    """`language` when it is one of ours."""
    return next((each for each in LANGUAGES if each == language), None)
