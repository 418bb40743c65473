"""Splits a document into chunks: by heading and tokens, never inside a word.

The text becomes units (paragraphs, lists, tables, code; their parts where one is over the budget), and the cheapest way to
cut the row of units into chunks is found, as in the line breaking of Knuth and Plass (Breaking Paragraphs into Lines, 1981): a
cut between sections costs nothing, inside of a list or a paragraph more, behind a heading or "do this:" much; a small chunk
costs too, so that a heading with one line below it joins its neighbour and no crumbs are left over.
"""

import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from devops_chatbot.chat import Location
from knowledge.model import Chunk, ParsedDocument, Section, chunk_id
from knowledge.text.blocks import Block, code_blocks, markdown_blocks, parts
from knowledge.text.markdown import line_starts

FORMAT = 2
"""Part of `shape`; raise it when the same document gives other chunks."""
PREFIX_SHARE = 0.4
"""Title and headings in front of a chunk count for at most this share of the budget."""
CONTEXT_CHARACTERS = 4000
"""The section that is given to the writer grows over its parents up to this size."""
SLAB = 100_000
"""Characters that are split at once, so that memory does not grow with the document."""

_CUT = {
    "section": 0.0,
    "block": 0.15,
    "blank": 0.3,
    "item": 0.4,
    "row": 0.4,
    "inner": 0.6,
    "sentence": 0.7,
    "line": 0.8,
    "word": 3.0,
}
"""What a cut costs, in chunks: a chunk costs 1."""
_LETTERS = 10
"""No text has more characters a token than this, a single endless word apart."""
_OPENS = 3.0
_NO_OVERLAP = 0.8
_SMALL, _EVEN = 6.0, 0.3
_JOIN, _JOIN_BELOW, _JOIN_APART, _JOIN_PARTLY = 1.1, 0.9, 2.0, 1.2


@dataclass(frozen=True, slots=True)
class _Unit:
    """A block that is not cut further, its tokens and the index of its section."""

    block: Block
    tokens: int
    section: int


@dataclass(frozen=True, slots=True)
class _Own:
    """A section, the range that belongs to it and to no section inside of it, and its parent's index (-1 for none)."""

    section: Section
    start: int
    end: int
    parent: int


class Splitter:
    """Safe for concurrent use. `count` gives the tokens of each of some texts."""

    def __init__(self, *, chunk_tokens: int, overlap_tokens: int, count: Callable[[Sequence[str]], list[int]]) -> None:
        self._budget = chunk_tokens
        self._overlap = overlap_tokens
        self._count = count
        self.shape = f"split/{FORMAT}/{chunk_tokens}/{overlap_tokens}"

    def split(
        self,
        document: ParsedDocument,
        *,
        collection: str,
        document_id: str,
        version: str,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[Chunk]:
        """The chunks of a document in reading order; none for a document without text. When `stop()` becomes true, those until
        there: a huge document takes minutes.
        """
        text, own = document.text, _own_ranges(document)
        prefixes = [" > ".join(dict.fromkeys((document.title, *one.section.heading_path))) for one in own]
        most = int(self._budget * PREFIX_SHARE)
        budgets = [self._budget - min(tokens, most) for tokens in self._count(prefixes)]
        lines = line_starts(text) if document.has_lines else []
        chunks: list[Chunk] = []
        for slab in _slabs(document, own):
            if stop():
                break
            units = self._units(document, slab, budgets)
            for first, last, overlap in self._cheapest(units, budgets, own):
                start, end = _trimmed(text, units[overlap].block.start, units[last - 1].block.end)
                if start >= end:
                    continue
                context = _context(text, own, units[first].section, start, end)
                chunks.append(
                    Chunk(
                        id=chunk_id(document_id, version, len(chunks)),
                        collection=collection,
                        document=document_id,
                        version=version,
                        ordinal=len(chunks),
                        text=text[start:end],
                        title=document.title,
                        start=start,
                        end=end,
                        section_start=context[0],
                        section_end=context[1],
                        heading_path=_path(units[first:last], own),
                        location=_location(document, lines, start, end),
                    )
                )
        return chunks

    def _units(
        self, document: ParsedDocument, slab: Sequence[tuple[int, int, int]], budgets: Sequence[int]
    ) -> list[_Unit]:
        """The blocks of a slab; those over their budget, what introduces them included, are replaced by their parts."""
        text = document.text
        blocks_of = code_blocks if document.code_language is not None else markdown_blocks
        blocks = [(block, index) for index, start, end in slab for block in blocks_of(text, start, end)]
        counts = self._sizes(text, [block for block, _ in blocks])
        units = [_Unit(block, tokens, index) for (block, index), tokens in zip(blocks, counts, strict=True)]
        whole: set[tuple[int, int]] = set()
        while large := _over(units, budgets, whole):
            finer = {number: parts(text, units[number].block) for number in large}
            tokens_of = iter(self._sizes(text, [part for found in finer.values() if len(found) > 1 for part in found]))
            after: list[_Unit] = []
            for number, unit in enumerate(units):
                found = finer.get(number)
                if found is None:
                    after.append(unit)
                elif len(found) > 1:
                    after.extend(_Unit(part, next(tokens_of), unit.section) for part in found)
                elif found[0] != unit.block:
                    after.append(_Unit(found[0], unit.tokens, unit.section))
                else:
                    exact = self._count([text[unit.block.start : unit.block.end]])[0]
                    hard = list(_hard(_Unit(unit.block, exact, unit.section), budgets[unit.section]))
                    whole.update((one.block.start, one.block.end) for one in hard)
                    after.extend(hard)
            units = _gathered(after, self._budget // 20)
        return units

    def _sizes(self, text: str, blocks: Sequence[Block]) -> list[int]:
        """Tokens of each block; a guess for one that is surely too large and will be cut."""
        most = self._budget * _LETTERS
        exact = [block for block in blocks if block.end - block.start <= most]
        counted = iter(self._count([text[block.start : block.end] for block in exact]) if exact else [])
        return [next(counted) if block.end - block.start <= most else most for block in blocks]

    def _cheapest(
        self, units: Sequence[_Unit], budgets: Sequence[int], own: Sequence[_Own]
    ) -> Iterator[tuple[int, int, int]]:
        """(first, last + 1, first unit repeated in front) of each chunk."""
        size = len(units)
        best, origin = [0.0] + [0.0] * size, [0] * (size + 1)
        repeated = [self._repeated(units, index) for index in range(size)]
        for last in range(1, size + 1):
            best[last] = float("inf")
            tokens, joins, first = 0, 0.0, last - 1
            budget = budgets[units[first].section]
            ends_inside = last < size and units[last].section == units[last - 1].section
            closing = _OPENS if units[last - 1].block.opens and last < size else 0.0
            while first >= 0:
                unit = units[first]
                tokens += unit.tokens
                budget = min(budget, budgets[unit.section])
                if tokens > budget and first < last - 1:
                    break
                if first < last - 1 and unit.section != units[first + 1].section:
                    joins += _joining(own[unit.section].section, own[units[first + 1].section].section)
                price = best[first] + joins + closing + (_CUT[unit.block.border] if first else 0.0)
                if joins:
                    starts_inside = first > 0 and units[first - 1].section == unit.section
                    price += _JOIN_PARTLY * (starts_inside + ends_inside)
                total = tokens + repeated[first][1]
                filled = min(1.0, total / budget)
                price += 1 + _SMALL * max(0.0, 0.5 - filled) ** 2 + _EVEN * (1 - filled) ** 2
                if total > budget:
                    price += _NO_OVERLAP
                if price < best[last]:
                    best[last], origin[last] = price, first
                first -= 1
        cuts = [size]
        while cuts[-1]:
            cuts.append(origin[cuts[-1]])
        cuts.reverse()
        for number, (first, last) in enumerate(pairwise(cuts)):
            overlap, extra = repeated[first]
            room = min(budgets[unit.section] for unit in units[first:last]) - sum(u.tokens for u in units[first:last])
            fits = number and overlap > cuts[number - 1] and extra <= room
            yield first, last, overlap if fits else first

    def _repeated(self, units: Sequence[_Unit], index: int) -> tuple[int, int]:
        """The first unit that a chunk beginning at `index` repeats (sentences of the same paragraph), and their tokens."""
        first, tokens = index, 0
        while first and units[first].block.border in ("sentence", "word"):
            tokens += units[first - 1].tokens
            if tokens > self._overlap:
                return first, tokens - units[first - 1].tokens
            first -= 1
        return first, tokens


def _over(units: Sequence[_Unit], budgets: Sequence[int], whole: set[tuple[int, int]]) -> list[int]:
    """Indices, in order, of units that do not fit into a chunk together with what introduces them."""
    found: list[int] = []
    leading = 0
    for number, unit in enumerate(units):
        same = number > 0 and units[number - 1].block.opens and units[number - 1].section == unit.section
        leading = leading + units[number - 1].tokens if same else 0
        budget = budgets[unit.section]
        needed = unit.tokens + (leading if leading <= budget // 2 else 0)
        if needed > budget and unit.tokens > budget // 8 and (unit.block.start, unit.block.end) not in whole:
            found.append(number)
    return found


def _gathered(units: Sequence[_Unit], tiny: int) -> list[_Unit]:
    """Neighbouring parts of one block together up to `tiny` tokens: a cut between two words is as good as the next."""
    found: list[_Unit] = []
    for unit in units:
        last = found[-1] if found else None
        if (
            last
            and last.tokens + unit.tokens <= tiny
            and last.section == unit.section
            and unit.block.border in ("word", "line", "row", "item", "sentence")
            and last.block.border != "block"
            and not last.block.opens
            and not unit.block.opens
        ):
            block = Block(last.block.start, unit.block.end, last.block.kind, last.block.border)
            found[-1] = _Unit(block, last.tokens + unit.tokens, unit.section)
        else:
            found.append(unit)
    return found


def _hard(unit: _Unit, budget: int) -> Iterator[_Unit]:
    """A single word over the budget (minified code, base64): equal stretches of characters."""
    block = unit.block
    size = max(1, (block.end - block.start) * budget // (unit.tokens + 1))
    for start in range(block.start, block.end, size):
        border = block.border if start == block.start else "word"
        yield _Unit(Block(start, min(start + size, block.end), "words", border), min(budget, unit.tokens), unit.section)


def _joining(first: Section, second: Section) -> float:
    """What it costs that two neighbouring sections share a chunk."""
    upper, lower = first.heading_path, second.heading_path
    if lower[: len(upper)] == upper:
        return _JOIN_BELOW
    return _JOIN if upper[:-1] == lower[:-1] else _JOIN_APART


def _path(units: Sequence[_Unit], own: Sequence[_Own]) -> tuple[str, ...]:
    """The headings that hold for a whole chunk: those its sections have in common, sections without text left out."""
    paths = [own[unit.section].section.heading_path for unit in units if unit.block.kind != "heading"]
    if not paths:
        paths = [own[units[-1].section].section.heading_path]
    common = paths[0]
    for path in paths[1:]:
        while common != path[: len(common)]:
            common = common[:-1]
    return common


def _own_ranges(document: ParsedDocument) -> list[_Own]:
    sections = document.sections or (Section(heading_path=(), level=0, start=0, end=len(document.text)),)
    ends = [*(later.start for later in sections[1:]), len(document.text)]
    own: list[_Own] = []
    open_ones: list[int] = []
    for index, (section, end) in enumerate(zip(sections, ends, strict=True)):
        while open_ones and sections[open_ones[-1]].end <= section.start:
            open_ones.pop()
        own.append(_Own(section, section.start, min(end, section.end), open_ones[-1] if open_ones else -1))
        open_ones.append(index)
    return own


def _slabs(document: ParsedDocument, own: Sequence[_Own]) -> Iterator[list[tuple[int, int, int]]]:
    """(section, start, end) of neighbouring ranges, about `SLAB` characters at a time."""
    slab: list[tuple[int, int, int]] = []
    size = 0
    for index, one in enumerate(own):
        start = one.start
        while start < one.end:
            room = SLAB - size
            end = (
                one.end
                if one.end - start <= room or one.end - start <= SLAB // 2
                else _border(document.text, start, start + room)
            )
            slab.append((index, start, end))
            size += end - start
            start = end
            if size >= SLAB:
                yield slab
                slab, size = [], 0
    if slab:
        yield slab


def _border(text: str, start: int, end: int) -> int:
    """The last blank line before `end`, else the last line's or word's end, else `end`."""
    for mark in ("\n\n", "\n", " "):
        found = text.rfind(mark, start + (end - start) // 2, end)
        if found >= 0:
            return found + len(mark)
    return end


def _context(text: str, own: Sequence[_Own], index: int, start: int, end: int) -> tuple[int, int]:
    """The largest section of bearable size around a chunk; whole lines around it when there is none."""
    found: Section | None = None
    low, high = 0, len(text)
    while index >= 0:
        section = own[index].section
        if section.start <= start and end <= section.end:
            if section.end - section.start > CONTEXT_CHARACTERS:
                low, high = section.start, section.end
                break
            found = section
        index = own[index].parent
    if found:
        return found.start, found.end
    room = max(0, CONTEXT_CHARACTERS - (end - start)) // 2
    if start - low > room:
        line = text.find("\n", start - room, start)
        low = line + 1 if line >= 0 else start
    if high - end > room:
        line = text.rfind("\n", end, end + room)
        high = line if line >= 0 else end
    return low, high


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without blank lines in front and white space behind; the first line keeps its indentation."""
    piece = text[start:end]
    lead = len(piece) - len(piece.lstrip())
    newline = piece.rfind("\n", 0, lead)
    return start + newline + 1, start + len(piece.rstrip())


def _location(document: ParsedDocument, lines: Sequence[int], start: int, end: int) -> Location:
    if document.page_starts:
        return Location(page=bisect.bisect_right(document.page_starts, start))
    if document.has_lines:
        first, last = bisect.bisect_right(lines, start), bisect.bisect_right(lines, max(start, end - 1))
        return Location(line_start=first, line_end=last)
    return Location()
