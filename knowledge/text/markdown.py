"""Markdown by its blocks, as markdown-it tells them (CommonMark with tables), and its headings.

What stands inside of lines is parsed for headings alone: it costs most of the time of a parse.
"""

import re
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST_HEADING = 200
"""A "heading" longer than this is a paragraph above a rule."""
_TRAILING_MARKS = re.compile(r"[ \t#]*(?:\{#[^{}\n]*\})?[ \t]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading at the offset `start` of a text; level 1 is the top."""

    level: int
    title: str
    start: int


@cache
def _parser(*, inline: bool = True) -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    if not inline:
        parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def block_tokens(text: str) -> "list[Token]":
    """The blocks of Markdown in reading order, as markdown-it gives them, what stands inside of lines left out."""
    return _parser(inline=False).parse(text)


def line_starts(text: str) -> list[int]:
    """The offset at which each line begins, and the end of the text."""
    starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
    starts.pop()
    return starts if starts[-1] == len(text) else [*starts, len(text)]


def fence_around(text: str) -> str:
    """The shortest fence of backticks that the text does not close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return fence


def headings_of(text: str, offset: int = 0) -> list[Heading]:
    """The headings of Markdown in reading order, outside of lists and quotations; `offset` is added to their places."""
    headings: list[Heading] = []
    starts = line_starts(text)
    tokens = block_tokens(text)
    for token, inline in pairwise(tokens):
        if token.type != "heading_open" or token.level or not token.map:
            continue
        title = plain(_TRAILING_MARKS.sub("", inline.content))
        if title and len(title) <= LONGEST_HEADING and "\n" not in inline.content.strip():
            headings.append(Heading(level=int(token.tag[1]), title=title, start=offset + starts[token.map[0]]))
    return headings


def plain(words: str) -> str:
    """A heading's or a link's words without marks and escapes; what is set as code stays as it is."""
    tokens = [token for inline in _parser().parseInline(words) for token in inline.children or ()]
    return " ".join("".join(" " if token.type == "softbreak" else token.content for token in tokens).split())


def places_of(text: str, words: str) -> list[int]:
    """Where words stand in a text, each time."""
    found: list[int] = []
    at = text.find(words) if words else -1
    while at >= 0:
        found.append(at)
        at = text.find(words, at + 1)
    return found


def path_at(text: str, offset: int, above: tuple[str, ...]) -> tuple[str, ...]:
    """The headings over an offset of a stretch of Markdown; `above` are those of the stretch, which may stand in it."""
    open_ones: list[Heading] = []
    headings = headings_of(text)
    for heading in headings:
        if heading.start > offset:
            break
        open_ones = [one for one in open_ones if one.level < heading.level] + [heading]
    if not open_ones:
        return above
    if headings[0].title in above:
        above = above[: above.index(headings[0].title)]
    return (*above, *(one.title for one in open_ones))
