"""Evidence put together by document: its sections in reading order, each block with the evidence that it is cited by."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devops_chatbot.chat import Evidence
from devops_chatbot.llm.extract.blocks import Block, blocks_of, code_language

_ORDINAL = re.compile(r"-(\d+)$")
_LINK = re.compile(r"\[[^\]]*\]\([^\s]*\)+|https?://\S+")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A block, the number of the evidence that it is cited by, and whether that evidence's own passage holds it (else
    it is from the section around).
    """

    block: Block
    number: int
    matched: bool
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What stands below one heading, up to the next."""

    path: tuple[str, ...]
    blocks: tuple[Cited, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(one.block.text for one in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was found of one document; `evidence` with its numbers, best first."""

    title: str
    source_uri: str
    evidence: tuple[tuple[int, Evidence], ...]
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(section.text for section in self.sections)


def views(evidence: Sequence[Evidence]) -> list[View]:
    """A view of each document, in the order in which the documents were found; those without any text left out."""
    by_document: dict[tuple[str | None, str], list[tuple[int, Evidence]]] = {}
    for number, one in enumerate(evidence, 1):
        by_document.setdefault((one.knowledge_base, one.source_uri or one.ref), []).append((number, one))
    found = [_view(numbered) for numbered in by_document.values()]
    return [view for view in found if view.sections]


def squashed(text: str) -> str:
    """A text without its white space, to find it wherever its lines break."""
    return _SPACE.sub("", text)


def _view(numbered: Sequence[tuple[int, Evidence]]) -> View:
    best = numbered[0][1]
    passages = [(number, squashed(one.text)) for number, one in numbered]
    seen: set[str] = set()
    sections: dict[tuple[str, ...], list[Cited]] = {}
    for one in _contexts([evidence for _, evidence in numbered]):
        language = code_language(one.source_uri)
        text = one.context if one.text.strip() in one.context else one.text
        path = tuple(heading for heading in one.heading_path if heading)
        parsed = [Block(kind="code", text=one.text, path=path, start=0)] if language else blocks_of(text, path=path)
        for block in parsed:
            key = squashed(block.text)
            if key in seen or _label(block) or _links_only(block):
                continue
            seen.add(key)
            number, matched = _cited_by(key, passages, next(n for n, e in numbered if e is one))
            place = sections.setdefault(block.path, [])
            place.append(Cited(block=block, number=number, matched=matched, language=language))
    return View(
        title=best.title or best.source_uri,
        source_uri=best.source_uri,
        evidence=tuple(numbered),
        sections=tuple(Section(path=path, blocks=tuple(blocks)) for path, blocks in sections.items()),
    )


def _label(block: Block) -> bool:
    """A word or two without an end, such as the caption of something that unfolds ("Full context")."""
    words = block.text.split()
    return (
        block.kind == "paragraph"
        and len(words) <= 3
        and block.text.isascii()
        and block.text[-1:].isalpha()
        and (len(block.text) < 20 and "`" not in block.text)
    )


def _links_only(block: Block) -> bool:
    """A list of references with no word of its own."""
    return block.kind == "list" and not re.search(r"[^\W\d_]", _LINK.sub("", block.text))


def _contexts(evidence: Sequence[Evidence]) -> list[Evidence]:
    """In reading order, without those whose section stands in another's (source code keeps each of its passages)."""
    kept: list[Evidence] = []
    for one in sorted(evidence, key=lambda each: -len(each.context)):
        if code_language(one.source_uri) or not any(_within(one, other) for other in kept):
            kept.append(one)
    return sorted(kept, key=_order)


def _within(one: Evidence, other: Evidence) -> bool:
    return bool(one.context.strip()) and one.context.strip() in other.context


def _order(evidence: Evidence) -> tuple[int, int]:
    ordinal = _ORDINAL.search(evidence.ref)
    line = evidence.location.line_start or evidence.location.page or 0
    return (int(ordinal[1]) if ordinal else line, line)


def _cited_by(block: str, passages: Sequence[tuple[int, str]], otherwise: int) -> tuple[int, bool]:
    """The first evidence whose passage holds the block, or holds half of it at least."""
    for number, passage in passages:
        if block in passage or passage in block:
            return number, True
    half = len(block) // 2
    for number, passage in passages:
        if half > 40 and (block[:half] in passage or block[-half:] in passage):
            return number, True
    return otherwise, False
