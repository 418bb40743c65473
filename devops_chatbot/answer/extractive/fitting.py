"""How well each document found, and each block of it, fits a question."""

from collections.abc import Sequence
from dataclasses import dataclass

from devops_chatbot.answer.extractive.constants import (
    ABOVE,
    BLOCK,
    FOUND,
    NAMED,
    PART,
    PROMISED,
    RANK,
    SHORT,
    THIN,
    TITLE,
)
from devops_chatbot.answer.extractive.documents import Block, Document, Section
from devops_chatbot.answer.extractive.markup import leads_away, squashed
from devops_chatbot.answer.extractive.relevance import Relevance


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How well a document fits: `score` orders documents, the rest tells whether it answers at all.

    `best` is the share of the question in its best section, `part` in its best sentence, item or row, `missing` the weight of
    the rarest word that it lacks.
    """

    document: Document
    score: float
    blocks: dict[int, float]
    best: float
    part: float
    missing: float
    named: bool


def fits(found: Sequence[Document], relevance: Relevance) -> list[Fit]:
    """The documents, best first."""
    rated = [_fit(document, position, relevance) for position, document in enumerate(found)]
    return sorted(rated, key=lambda fit: -fit.score)


def _fit(document: Document, position: int, relevance: Relevance) -> Fit:
    blocks = {
        id(block): _score(block, section, document, relevance)
        for section in document.sections
        for block in section.blocks
    }
    named = _is_named(document, relevance)
    share, part = 0.0, 0.0
    for section in document.sections:
        above = " ".join((document.title, *section.path))
        held = relevance.share(above, *(block.text for block in section.blocks))
        if held > share:
            share = held
        part = max(part, *(relevance.share(above, text) for block in section.blocks for text in texts_of(block)))
    whole = [document.title]
    for section in document.sections:
        whole += [*section.path, *(block.text for block in section.blocks)]
    return Fit(
        document=document,
        score=max(blocks.values())
        + RANK / (1 + position)
        + TITLE * relevance.share(document.title, topic=True)
        + NAMED * named,
        blocks=blocks,
        best=share,
        part=part,
        missing=relevance.missing(*whole),
        named=named,
    )


def _is_named(document: Document, relevance: Relevance) -> bool:
    """Whether the question has an identifier that is most of the document's title, all of it but for one letter, or says
    nothing else than the title.
    """
    title = squashed(document.title).lower()
    return any(
        (name in title and len(name) > len(title) / 2) or _but_one_letter(name, title) for name in relevance.names
    )


def _but_one_letter(name: str, title: str) -> bool:
    """Whether a long name is another one with a letter too many, too few, or mistaken."""
    if min(len(name), len(title)) < 8 or abs(len(name) - len(title)) > 1 or name == title:
        return False
    same = next((at for at, (one, other) in enumerate(zip(name, title, strict=False)) if one != other), len(name))
    return any(name[same + one :] == title[same + other :] for one, other in ((1, 1), (1, 0), (0, 1)))


def _score(block: Block, section: Section, document: Document, relevance: Relevance) -> float:
    above = " ".join(section.path)

    def score(text: str) -> float:
        bare = relevance.share(text)
        return bare + ABOVE * (relevance.share(above, text) - bare)

    part = max(score(text) for text in texts_of(block))
    thin = THIN if len(block.text) < SHORT and leads_away(block.text) else 1.0
    promised = 0.0
    if relevance.promised(section.path[common(document.sections) :]):
        promised = PROMISED * relevance.share(document.title, above, block.text, topic=True)
    return thin * (PART * part + BLOCK * score(block.text)) + promised + (FOUND if block.matched else 0.0)


def texts_of(block: Block) -> list[str]:
    """The sentences, items or rows of a block; a row is read with its table's head."""
    texts = [block.text[start:end] for start, end in block.parts]
    if block.kind == "table" and len(texts) > 1:
        return [f"{texts[0]} {row}" for row in texts[1:]]
    return texts or [block.text]


def common(sections: Sequence[Section]) -> int:
    """How many headings all sections share; of a single one, all but the last."""
    paths = [section.path for section in sections]
    if len(paths) == 1:
        return min(1, len(paths[0]))
    shortest = min(map(len, paths))
    return next((level for level in range(shortest) if len({path[level] for path in paths}) > 1), shortest)
