"""Splits a document into chunks: by heading first, then by tokens, never inside a word.

A section's text is cut into blocks (paragraphs, lists, tables, fenced code) that stay whole where they fit. A block over the
budget is cut at row and line borders (tables, code, lists) or sentence borders (prose, English and Chinese). Small neighbouring
sections share a chunk, so that a heading with one line below it does not stand alone.
"""

import bisect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from devops_chatbot.chat import Location
from knowledge.model import Chunk, ParsedDocument, Section, chunk_id

FORMAT = 1
"""Part of `shape`; raise it when the same document gives other chunks."""
SMALL = 0.45
"""A chunk below this share of the budget takes in the next section when both fit together."""
PREFIX_SHARE = 0.4
"""Title and headings in front of a chunk count for at most this share of the budget."""
CONTEXT_CHARACTERS = 4000
"""The section that is given to the writer grows over its parents up to this size."""

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)]|[a-z][.)])\s+\S")
_ROW = re.compile(r"\s*\|")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[`]?[A-Z0-9`])|(?<=[。！？；])[”’』」）]*")
_WORD_END = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of text that is kept whole, with its tokens; `kind` says where it may be cut when it is over the budget."""

    start: int
    end: int
    kind: str
    section: int
    tokens: int = 0


class Splitter:
    """Safe for concurrent use. `count` gives the tokens of each of some texts."""

    def __init__(self, *, chunk_tokens: int, overlap_tokens: int, count: Callable[[Sequence[str]], list[int]]) -> None:
        self._budget = chunk_tokens
        self._overlap = overlap_tokens
        self._count = count
        self.shape = f"split/{FORMAT}/{chunk_tokens}/{overlap_tokens}"

    def split(self, document: ParsedDocument, *, knowledge_base: str, document_id: str, version: str) -> list[Chunk]:
        """The chunks of a document in reading order; none for a document without text."""
        own = _own_ranges(document)
        prefixes = [" > ".join(dict.fromkeys((document.title, *section.heading_path))) for section, _, _ in own]
        budgets = [self._budget - min(tokens, int(self._budget * PREFIX_SHARE)) for tokens in self._count(prefixes)]
        pieces = self._counted(
            document, [piece for index, row in enumerate(own) for piece in _blocks(document, index, row)]
        )
        fitting = [part for piece in pieces for part in self._cut(document, piece, budgets[piece.section])]
        spans = self._packed(fitting, budgets, [section for section, _, _ in own])
        lines = _newlines(document)
        chunks: list[Chunk] = []
        for start, end, section in spans:
            start, end = _trimmed(document.text, start, end)
            if start >= end:
                continue
            context = _context(document, start, end)
            chunks.append(
                Chunk(
                    id=chunk_id(document_id, version, len(chunks)),
                    knowledge_base=knowledge_base,
                    document=document_id,
                    version=version,
                    ordinal=len(chunks),
                    text=document.text[start:end],
                    title=document.title,
                    start=start,
                    end=end,
                    section_start=context[0],
                    section_end=context[1],
                    heading_path=own[section][0].heading_path,
                    location=_location(document, lines, start, end),
                )
            )
        return chunks

    def _counted(self, document: ParsedDocument, pieces: Sequence[_Piece]) -> list[_Piece]:
        counts = self._count([document.text[piece.start : piece.end] for piece in pieces]) if pieces else []
        return [replace(piece, tokens=tokens) for piece, tokens in zip(pieces, counts, strict=True)]

    def _cut(self, document: ParsedDocument, piece: _Piece, budget: int) -> list[_Piece]:
        """The piece itself when it fits, else its parts by the finest border that is needed."""
        if piece.tokens <= budget:
            return [piece]
        finer = {
            "prose": "sentence",
            "list": "line",
            "table": "line",
            "code": "line",
            "line": "sentence",
            "sentence": "word",
        }
        kind = finer.get(piece.kind)
        if kind is None:
            return list(self._hard(piece, budget))
        parts = self._counted(document, list(_parts(document.text, piece, kind)))
        return [small for part in parts for small in self._cut(document, part, budget)]

    def _hard(self, piece: _Piece, budget: int) -> Iterator[_Piece]:
        """A single word over the budget (minified code, base64): equal stretches of characters."""
        size = max(1, (piece.end - piece.start) * budget // (piece.tokens + 1))
        for start in range(piece.start, piece.end, size):
            yield replace(piece, start=start, end=min(start + size, piece.end), tokens=budget)

    def _packed(
        self, pieces: Sequence[_Piece], budgets: Sequence[int], sections: Sequence[Section]
    ) -> Iterator[tuple[int, int, int]]:
        """(start, end, index of the section whose headings it carries) of each chunk."""
        held: list[_Piece] = []
        for piece in pieces:
            if held:
                tokens = sum(one.tokens for one in held)
                first, last = held[0].section, held[-1].section
                budget = min(budgets[first], budgets[piece.section])
                fits = tokens + piece.tokens <= budget
                if piece.section != last:
                    fits = fits and tokens < self._budget * SMALL and _related(sections[first], sections[piece.section])
                if not fits:
                    yield held[0].start, held[-1].end, first
                    held = self._tail(held, budget - piece.tokens) if piece.section == last else []
            held.append(piece)
        if held:
            yield held[0].start, held[-1].end, held[0].section

    def _tail(self, held: Sequence[_Piece], room: int) -> list[_Piece]:
        """The last pieces of a chunk that the next one repeats: prose only, within the overlap and the room."""
        tail: list[_Piece] = []
        left = min(self._overlap, room)
        for piece in reversed(held[1:]):
            left -= piece.tokens
            if left < 0 or piece.kind not in ("prose", "sentence", "word"):
                break
            tail.insert(0, piece)
        return tail


def _own_ranges(document: ParsedDocument) -> list[tuple[Section, int, int]]:
    """Each section with the range that belongs to it and to no section inside it."""
    sections = document.sections or (Section(heading_path=(), level=0, start=0, end=len(document.text)),)
    ends = [later.start for later in sections[1:]] + [len(document.text)]
    return [(section, section.start, min(end, section.end)) for section, end in zip(sections, ends, strict=True)]


def _blocks(document: ParsedDocument, index: int, row: tuple[Section, int, int]) -> Iterator[_Piece]:
    """The blocks of a section's own range; a block that introduces a list or code (it ends in a colon) joins it."""
    _, begin, end = row
    text = document.text
    code = document.code_language is not None
    start, kind, fence, blank = begin, "", "", False
    cursor = begin
    for line in text[begin:end].splitlines(keepends=True):
        mark = None if code else _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip(" `~\n"):
                fence = ""
        elif mark:
            if kind and not _introduces(text, start, cursor):
                yield _Piece(start, cursor, kind, index)
                start = cursor
            kind, fence, blank = "code", mark[1], False
        elif not line.strip():
            blank = True
        else:
            own = "code" if code else _kind(line)
            goes_on = (
                not kind
                or (not blank and (own == kind or kind == "list" or (kind == "code" and code)))
                or (blank and kind == "list" and (own == "list" or line[:1] in " \t"))
                or (own == "list" and kind == "prose" and _introduces(text, start, cursor))
                or (kind == "prose" and _heading_only(text, start, cursor))
            )
            if not goes_on:
                yield _Piece(start, cursor, kind, index)
                start, kind = cursor, own
            elif not kind or kind == "prose":
                kind = own
            blank = False
        cursor += len(line)
    if kind:
        yield _Piece(start, end, kind, index)


def _kind(line: str) -> str:
    return "table" if _ROW.match(line) else "list" if _ITEM.match(line) else "prose"


def _introduces(text: str, start: int, end: int) -> bool:
    return text[start:end].rstrip()[-1:] in (":", "：") or _heading_only(text, start, end)


def _heading_only(text: str, start: int, end: int) -> bool:
    block = text[start:end].strip()
    return block.startswith("#") and "\n" not in block


def _parts(text: str, piece: _Piece, kind: str) -> Iterator[_Piece]:
    whole = text[piece.start : piece.end]
    if kind == "line":
        borders = [match.end() for match in re.finditer(r"\n", whole)]
    elif kind == "sentence":
        borders = [match.end() for match in _SENTENCE_END.finditer(whole)]
        borders += [match.end() for match in re.finditer(r"\n\s*\n", whole)]
    else:
        borders = [match.end() for match in _WORD_END.finditer(whole)]
    cuts = sorted({0, *(border for border in borders if border < len(whole)), len(whole)})
    for start, end in pairwise(cuts):
        yield _Piece(piece.start + start, piece.start + end, kind, piece.section)


def _related(first: Section, second: Section) -> bool:
    """True for a section and one below it or beside it: they may share a chunk."""
    depth = min(len(first.heading_path), len(second.heading_path)) - 1
    return depth < 1 or first.heading_path[:depth] == second.heading_path[:depth]


def _context(document: ParsedDocument, start: int, end: int) -> tuple[int, int]:
    """The largest section of bearable size around a chunk, cut down to whole lines near the chunk when none is small."""
    around = [one for one in document.sections if one.start <= start and end <= one.end]
    around.sort(key=lambda one: one.end - one.start, reverse=True)
    for section in around:
        if section.end - section.start <= CONTEXT_CHARACTERS:
            return section.start, section.end
    low, high = (around[-1].start, around[-1].end) if around else (0, len(document.text))
    room = max(0, CONTEXT_CHARACTERS - (end - start)) // 2
    first = document.text.rfind("\n", low, max(low, start - room) + 1) + 1 if start - room > low else low
    last = document.text.find("\n", min(end + room, high), high) if end + room < high else high
    return max(first, low) if first <= start else start, high if last < 0 else max(last, end)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without blank lines in front and white space behind; the first line keeps its indentation."""
    piece = text[start:end]
    lead = len(piece) - len(piece.lstrip())
    newline = piece.rfind("\n", 0, lead)
    return start + newline + 1, start + len(piece.rstrip())


def _newlines(document: ParsedDocument) -> list[int]:
    return [match.start() for match in re.finditer("\n", document.text)] if document.has_lines else []


def _location(document: ParsedDocument, newlines: Sequence[int], start: int, end: int) -> Location:
    if document.page_starts:
        return Location(page=bisect.bisect_right(document.page_starts, start))
    if document.has_lines:
        first = bisect.bisect_left(newlines, start) + 1
        return Location(line_start=first, line_end=bisect.bisect_left(newlines, max(start, end - 1)) + 1)
    return Location()
