"""A text as blocks that want to stay whole, and the parts of a block that is too large.

Markdown's blocks are those of CommonMark; source code and logs are cut by their indentation. Blocks tile their range: each
ends where the next begins, so that a chunk of neighbouring blocks is a slice of the text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from knowledge.text.markdown import block_tokens, line_starts
from knowledge.text.tokens import UNSPACED

Border = Literal["section", "block", "item", "blank", "row", "inner", "sentence", "line", "word"]
"""What stands between a block and the one before it, best place for a cut first."""

_KINDS = {
    "paragraph_open": "prose", "heading_open": "heading", "fence": "code", "code_block": "code", "html_block": "lines",
    "bullet_list_open": "list", "ordered_list_open": "list", "list_item_open": "item", "blockquote_open": "item",
    "table_open": "table", "hr": "prose",
}  # fmt: skip
_SENTENCE_END = re.compile(
    r"(?<=[.!?])[\"')\]*_]*\s+(?=[\"'(\[`*]*[A-Z0-9`])"  # English and its kin
    r"|(?<=[。！？；])[”’』」）]*(?![”’』」）。！？；])"
    r"|(?<=\n)(?=[ \t]*\n)|(?<=  \n)"  # a blank line, a hard line break
)
_CLAUSE_END = re.compile(r"(?<=[，、,;:：])\s*(?=\S)|(?<=\n)")
_WORD_END = re.compile(rf"(?<=\s)(?=\S)|(?<=[{UNSPACED}])")
_PROSE = {"sentences": _SENTENCE_END, "clauses": _CLAUSE_END, "words": _WORD_END}
_STEPS = list(_PROSE)
_CLOSER = re.compile(r"\s*(?:[\]})]+[;,]?|end|fi|done|esac|else\b.*|elif\b.*|except\b.*|finally\b.*|`{3,}|~{3,})\s*$")
_LEADS = re.compile(
    r"[:：][*_ ]*$|\b(?:as follows|below|following)\b[^.]{0,60}\.[*_ ]*$|(?:如下|以下)[^。]{0,20}。?$", re.I
)
_NEXT_STRETCH = re.compile(r"\n[ \t]*\n(?=[^\s)\]}])")
_ALONE = re.compile(r"\s*\*\*[^*\n]+\*\*:?\s*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the text.

    `opens`: it introduces what follows (a heading, a line that ends in a colon) and must not end a chunk.
    """

    start: int
    end: int
    kind: str
    border: Border = "block"
    opens: bool = False
    children: tuple["Block", ...] = ()


def markdown_blocks(text: str, start: int, end: int) -> list[Block]:
    """The top blocks of Markdown between two offsets."""
    piece = text[start:end]
    lines = line_starts(piece)
    tokens = [token for token in block_tokens(piece) if token.map and token.nesting >= 0 and token.type in _KINDS]
    if not tokens:
        return [Block(start, end, "prose", "section")] if piece.strip() else []
    places = [(start + lines[token.map[0]], token.level, _KINDS[token.type]) for token in tokens if token.map]
    return _nested(text, places, start, end, "section")


def code_blocks(text: str, start: int, end: int) -> list[Block]:
    """Stretches between blank lines that are followed by a line without indentation."""
    cuts = [start, *(match.end() for match in _NEXT_STRETCH.finditer(text, start, end) if match.end() < end), end]
    blocks = [Block(a, b, "code", "blank") for a, b in pairwise(cuts) if text[a:b].strip()]
    return [Block(b.start, b.end, b.kind, "section" if n == 0 else b.border) for n, b in enumerate(blocks)]


def parts(text: str, block: Block) -> list[Block]:
    """A block's parts by its finest sensible border; the block alone when it is a single word."""
    if len(block.children) == 1:
        return [replace(block.children[0], start=block.start, end=block.end, border=block.border)]
    if block.children:
        return list(block.children)
    if block.kind == "code":
        return _code_parts(text, block)
    if block.kind in ("table", "lines"):
        return _line_parts(text, block)
    done = _STEPS.index(block.kind) + 1 if block.kind in _STEPS else 0
    for kind, pattern in list(_PROSE.items())[done:]:
        cuts = [match.end() for match in pattern.finditer(text, block.start, block.end)]
        found = _tiles(block, cuts, kind, "sentence" if kind == "sentences" else "word")
        if len(found) > 1:
            return found
    return [block]


def sentences(text: str) -> list[str]:
    """The sentences of a text, each line by itself, without white space around them."""
    found: list[str] = []
    for line in text.splitlines():
        cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(line)), len(line)]
        found += [sentence for start, end in pairwise(cuts) if (sentence := line[start:end].strip())]
    return found


def introduces(text: str, start: int, end: int) -> bool:
    """True for a paragraph that leads to what follows: it ends in a colon, says "following", or is a line in bold."""
    last = text[start:end].rstrip().rpartition("\n")[2]
    return _LEADS.search(last) is not None or _ALONE.match(last) is not None


def _nested(text: str, places: Sequence[tuple[int, int, str]], start: int, end: int, border: Border) -> list[Block]:
    """Blocks of the places of one level and, inside of them, those of the deeper levels."""
    top = min(level for _, level, _ in places)
    heads = [index for index, place in enumerate(places) if place[1] == top]
    blocks: list[Block] = []
    for number, (head, after) in enumerate(pairwise([*heads, len(places)])):
        begin = start if number == 0 else places[head][0]
        stop = places[after][0] if after < len(places) else end
        kind = places[head][2]
        inner = places[head + 1 : after]
        own: Border = border if number == 0 else "item" if kind == "item" else "block" if top == 0 else "inner"
        children = tuple(_nested(text, inner, begin, stop, own)) if inner else ()
        opens = kind == "heading" or (kind in ("prose", "list", "item") and introduces(text, begin, stop))
        blocks.append(Block(begin, stop, kind, own, opens, children))
    return blocks


def _tiles(block: Block, cuts: Sequence[int], kind: str, border: Border) -> list[Block]:
    edges = sorted({block.start, *(cut for cut in cuts if block.start < cut < block.end), block.end})
    return [Block(a, b, kind, border if n else block.border) for n, (a, b) in enumerate(pairwise(edges))]


def _line_parts(text: str, block: Block) -> list[Block]:
    """Rows or lines; a table's head opens its first row."""
    cuts = [block.start + place for place in line_starts(text[block.start : block.end])[1:]]
    if block.kind == "table" and len(cuts) > 1:
        cuts = cuts[1:]
        rows = _tiles(block, cuts, "prose", "row")
        return [Block(row.start, row.end, row.kind, row.border, n == 0) for n, row in enumerate(rows)]
    return _tiles(block, cuts, "prose", "line")


def _code_parts(text: str, block: Block) -> list[Block]:
    """Cut before the lines with the smallest indentation below the first line; closing lines stay with what they close."""
    lines = list(_lines(text, block.start, block.end))
    inner = [(begin, width) for begin, width, closes in lines[1:] if width is not None and not closes]
    if not inner:
        inner = [(begin, 0) for begin, width, _ in lines[1:] if width is not None]
    if not inner:
        return _tiles(block, [m.end() for m in _WORD_END.finditer(text, block.start, block.end)], "words", "word")
    least = min(width for _, width in inner)
    cuts = [begin for begin, width in inner if width == least]
    found = _tiles(block, cuts, "code", "line")
    first = lines[0][1]
    leads = first is not None and first < least
    return [
        Block(
            part.start,
            part.end,
            part.kind,
            block.border if n == 0 else "blank" if text[: part.start].endswith("\n\n") else part.border,
            n == 0 and (leads or text.startswith(("```", "~~~"), part.start)),
        )
        for n, part in enumerate(found)
    ]


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int | None, bool]]:
    """(offset, indentation or None for a blank line, closes something) of each line."""
    cursor = start
    for line in text[start:end].split("\n"):
        bare = line.strip()
        width = len(line[: len(line) - len(line.lstrip())].expandtabs(4)) if bare else None
        yield cursor, width, bool(bare) and _CLOSER.match(line) is not None
        cursor += len(line) + 1
