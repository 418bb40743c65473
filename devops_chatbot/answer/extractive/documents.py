"""Evidence put together by document: its blocks in reading order, each with its headings and what it is cited by."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devops_chatbot.answer.extractive.markup import plain_words, squashed
from devops_chatbot.chat import Evidence
from knowledge.text import blocks as cut
from knowledge.text.formats import RECORDS, language_of_file
from knowledge.text.markdown import headings_of

OVERLAP = 24
"""Characters that two texts have in common at least where one goes on in the other."""
_FENCE = re.compile(r"^[ \t]*(?:`{3}|~{3})(.*)$", re.MULTILINE)
_ENTRY = re.compile(r"[ \t]*\S(?:.*\n?)(?:.+\n?)*")
"""Lines up to an empty one, such as an option of a manual page."""
_ORDINAL = re.compile(r"-(\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A paragraph, list, table, piece of code, or records, which are lines that each say something. `number` is the evidence
    that it is cited by, `matched` says that the passage which was found holds it, `opens` that it introduces what follows.
    `parts` are its sentences, items, rows or lines.
    """

    kind: str
    text: str
    path: tuple[str, ...]
    number: int
    matched: bool
    opens: bool = False
    parts: tuple[tuple[int, int], ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What stands below one heading, up to the next."""

    path: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(block.text for block in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What was found of a document; `evidence` with its numbers, best first."""

    title: str
    source_uri: str
    evidence: tuple[tuple[int, Evidence], ...]
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(section.text for section in self.sections)


def documents(evidence: Sequence[Evidence]) -> list[Document]:
    """In the order in which they were found; those without words, and copies of one that came before, are left out."""
    numbered: dict[tuple[str | None, str], list[tuple[int, Evidence]]] = {}
    for number, one in enumerate(evidence, 1):
        numbered.setdefault((one.collection, one.source_uri or one.ref), []).append((number, one))
    found: dict[str, Document] = {}
    for of_one in numbered.values():
        sections: dict[tuple[str, ...], list[Block]] = {}
        for block in _blocks(of_one):
            sections.setdefault(block.path, []).append(block)
        if sections:
            document = Document(
                title=of_one[0][1].title or of_one[0][1].source_uri,
                source_uri=of_one[0][1].source_uri,
                evidence=tuple(of_one),
                sections=tuple(Section(path=path, blocks=tuple(blocks)) for path, blocks in sections.items()),
            )
            found.setdefault(squashed(document.text), document)
    return list(found.values())


def _blocks(numbered: Sequence[tuple[int, Evidence]]) -> Iterator[Block]:
    passages = [(number, one.heading_path, squashed(one.text), squashed(one.context)) for number, one in numbered]
    seen: set[tuple[tuple[str, ...], str]] = set()
    for number, one, text in _stretches(numbered):
        above = tuple(heading for heading in one.heading_path if heading)
        language = language_of_file(one.source_uri, one.context)
        fences = [match[1].strip() for match in _FENCE.finditer(text)]
        if len(fences) % 2 and not fences[0]:
            text = f"```\n{text}"  # a long text that was cut inside of code
        for path, block in [(above, None)] if language else _with_headings(text, above):
            words = text if block is None else text[block.start : block.end]
            lead = len(words) - len(words.lstrip("\n"))
            words, start = words.strip("\n").rstrip(), (block.start if block else 0) + lead
            key = squashed(words)
            if not key or (path, key) in seen or not plain_words(words):
                continue
            seen.add((path, key))
            cited, matched = _cited_by(key, path, passages, number)
            yield Block(
                kind=block.kind if block else "records" if language in RECORDS else "code",
                text=words,
                path=path,
                number=cited,
                matched=matched,
                opens=block is not None and block.opens,
                parts=_parts(text, block, start, len(words))
                if block
                else _records(words)
                if language in RECORDS
                else (),
                language=language,
            )


def _with_headings(text: str, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], cut.Block]]:
    """The blocks of Markdown that are no headings, with those above them; `above` are the passage's own headings, some of
    which may stand in the text.
    """
    headings = headings_of(text)
    if headings and headings[0].title in above:
        above = above[: above.index(headings[0].title)]
    open_ones: list[tuple[int, str]] = []
    coming = iter([*headings, None])
    following = next(coming)
    for block in cut.markdown_blocks(text, 0, len(text)):
        while following and following.start < block.end:
            open_ones = [one for one in open_ones if one[0] < following.level] + [(following.level, following.title)]
            following = next(coming)
        if block.kind != "heading":
            yield (*above, *(title for _, title in open_ones)), block


def _parts(text: str, block: cut.Block, start: int, size: int) -> tuple[tuple[int, int], ...]:
    """Where the sentences, items or rows of a block stand in it, or the entries of indented text; other code is one part."""
    if block.kind == "code":
        words = text[start : start + size]
        entries = [] if _FENCE.match(words) else [match.span() for match in _ENTRY.finditer(words)]
        return tuple(entries) if len(entries) > 2 else ()
    spans = []
    for part in cut.parts(text, block):
        piece = text[part.start : part.end]
        first = part.start + len(piece) - len(piece.lstrip("\n")) - start
        last = part.start + len(piece.rstrip()) - start
        if 0 <= first < last <= size:
            spans.append((first, last))
    return tuple(spans)


def _records(words: str) -> tuple[tuple[int, int], ...]:
    """The lines of records; a comment belongs to the line below it, an indented line to the one above."""
    spans: list[tuple[int, int]] = []
    comment = False
    cursor = 0
    for line in words.split("\n"):
        start, cursor = cursor, cursor + len(line) + 1
        if not line.strip():
            comment = False
            continue
        goes_on = spans and (comment or line[0] in " \t")
        spans[-1:] = [(spans[-1][0], start + len(line))] if goes_on else [*spans[-1:], (start, start + len(line))]
        comment = line.lstrip().startswith(("#", ";"))
    return tuple(spans)


def _stretches(numbered: Sequence[tuple[int, Evidence]]) -> list[tuple[int, Evidence, str]]:
    """What was found of a document in reading order; sections that overlap are one, code keeps its passages."""
    ordered = sorted(numbered, key=lambda each: (_place(each[1]), -len(each[1].context)))
    found: list[tuple[int, Evidence, str]] = []
    for number, one in ordered:
        text = (
            one.text
            if language_of_file(one.source_uri, one.context) or one.text.strip() not in one.context
            else one.context
        )
        if any(text.strip() in other for _, _, other in found):
            continue
        found = [each for each in found if each[2].strip() not in text]
        common = _overlap(found[-1][2], text) if found else 0
        if common:
            found[-1] = (*found[-1][:2], found[-1][2] + text[common:])
        else:
            found.append((number, one, text))
    return found


def _place(evidence: Evidence) -> tuple[int, int]:
    ordinal = _ORDINAL.search(evidence.ref)
    line = evidence.location.line_start or evidence.location.page or 0
    return (int(ordinal[1]) if ordinal else line, line)


def _overlap(first: str, second: str) -> int:
    """How many characters at the end of the first text are the beginning of the second one."""
    head = second[:OVERLAP]
    place = first.find(head) if len(head) == OVERLAP else -1
    while place >= 0:
        if second.startswith(first[place:]):
            return len(first) - place
        place = first.find(head, place + 1)
    return 0


def _cited_by(
    block: str, path: tuple[str, ...], passages: Sequence[tuple[int, tuple[str, ...], str, str]], otherwise: int
) -> tuple[int, bool]:
    """The evidence whose passage holds the block or half of it, else one whose section does. Where the same words stand below
    several headings, it is the evidence below the block's own.
    """
    half = len(block) // 2
    nearest = sorted(passages, key=lambda one: (one[1] != path, one[1] != path[: len(one[1])]))
    for number, _, passage, _ in nearest:
        if block in passage or (half > OVERLAP and (block[:half] in passage or block[-half:] in passage)):
            return number, True
    return next((number for number, _, _, context in nearest if block in context), otherwise), False
