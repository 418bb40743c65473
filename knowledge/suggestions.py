"""Questions worth asking of knowledge bases, made of what their documents are called."""

from collections.abc import Sequence
from itertools import islice, zip_longest

from devops_chatbot.i18n import LANGUAGES, Language, Reason
from knowledge import samples
from knowledge.catalog.catalog import Catalog
from knowledge.text.entities import identifiers

LOOKED_AT = 12
"""Documents of a knowledge base that are looked at, the newest."""
LONGEST_TITLE = 80


def suggestions(
    catalog: Catalog, knowledge_bases: Sequence[str], language: Language, *, limit: int = 3
) -> tuple[str, ...]:
    """At most `limit` questions in this language, taken in turns from the knowledge bases (ids; none: all that the
    catalog's principal sees). The sample has its own.
    """
    sample_names = {samples.NAME.text(one) for one in LANGUAGES}
    asked: list[list[str]] = []
    for base in catalog.list():
        if not base.chunks or (knowledge_bases and base.id not in knowledge_bases):
            continue
        if base.name in sample_names:
            asked.append(samples.questions(language))
            continue
        newest = catalog.documents(base.id, state="ready", sort="updated_at", descending=True, limit=LOOKED_AT)
        titles = dict.fromkeys(one.title.strip() for one in newest.items)
        asked.append([_question(title, language) for title in titles if 0 < len(title) <= LONGEST_TITLE])
    turns = (question for turn in zip_longest(*asked) for question in turn if question)
    return tuple(islice(dict.fromkeys(turns), limit))


def _question(title: str, language: Language) -> str:
    if title.endswith(("?", "？")):
        return title
    if identifiers(title) == [title]:
        return Reason("suggestion.name", title=title).text(language)
    return Reason("suggestion.document", title=title).text(language)
