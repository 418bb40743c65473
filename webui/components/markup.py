"""Text of models and documents made fit to be shown: citations become links, and nothing in it is obeyed.

Answers are Markdown for Streamlit, passages are HTML of our own. Both come from outside: no raw HTML, no images (an
image address is a way to carry words out of here), no foreign links in passages, no Streamlit directives.
"""

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from knowledge.model import OpenedChunk
from knowledge.text.formats import shape_of

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

CITE = "#cite-"
"""What the address of a citation link begins with; `bridge.js` listens for it."""

_CODE = re.compile(r"(^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\2[`~]*[ \t]*$|\Z)|(`+)(?!`).+?(?<!`)\3(?!`))", re.M | re.S)
_MARKER = re.compile(r"[ \t]*(?<!!)\[(\d{1,3}(?:\s*[,，]\s*\d{1,3})*)\](?!\()")
_REFERENCE = re.compile(r"(?<!\\)\[([^\[\]\d][^\[\]]*)\]\[[^\[\]\n]*\]")
"""`[words][label]`, whose label is defined in another part of the document than the one at hand."""
_DIRECTIVE = re.compile(r":(?=[a-zA-Z][\w-]*[\[:/])")
_FRONT_MATTER = re.compile(
    r"(\A(?:\s*#{1,6} [^\n]*\n)*\s*)^---[ \t]*\n((?:[\w.-]+:.*\n|[ \t]+.*\n|- .*\n|#.*\n)*)---[ \t]*$", re.M
)
"""Settings of a site generator (title, weight, tags) that a page begins with; the headings before it are ours."""
_TWICE = re.compile(r"\A(\s*)#{1,6} ([^\n]+)(?=\n\s*#{1,6} \2[ \t]*$)", re.M)
"""A title before the page's own heading of the same words."""
_HEADINGS = re.compile(r"\A(?:\s*#{1,6} [^\n]*\n)+\s*")
_HEADING = re.compile(r"#{1,6} ")
_FENCE = "```"
_BLOCKS = frozenset({"paragraph_open", "heading_open", "tr_open", "fence", "code_block"})


def answer_markdown(text: str, cited: Collection[int], token: str) -> str:
    """An answer for `st.markdown`: `[2]` becomes a link to `#cite-<token>-2` when 2 is among `cited`."""
    return _outside_code(text, lambda part: _prose(part, cited, token))


def passage_html(passage: OpenedChunk) -> str:
    """A passage in its surroundings; what was cited carries the class `hit`."""
    shape = shape_of(passage.source_uri, passage.text)
    if shape == "marked":
        return f'<div class="cb-passage cb-marked">{_marked_up(passage.text, passage.start, passage.end)}</div>'
    if shape == "paged":
        return f'<div class="cb-passage cb-paged">{_paged(passage.text, passage.start, passage.end)}</div>'
    if shape == "prose":
        before, hit, after = (escape(passage.text[part]) for part in (
            slice(passage.start), slice(passage.start, passage.end), slice(passage.end, None),
        ))  # fmt: skip
        return f'<div class="cb-passage cb-prose">{before}<mark class="hit">{hit}</mark>{after}</div>'
    return f'<div class="cb-passage cb-code">{_numbered(passage)}</div>'


def snippet_html(text: str, source_uri: str) -> str:
    """A passage without its surroundings and without the headings it begins with, for lists of results."""
    shape = shape_of(source_uri, text)
    if shape == "paged":
        return f'<div class="cb-passage cb-paged cb-snippet">{_paged(_HEADINGS.sub("", text) or text, 0, 0)}</div>'
    if shape != "marked":
        kind = "prose" if shape == "prose" else "code"
        lines = "".join(f'<div class="line"><code>{escape(line) or " "}</code></div>' for line in text.split("\n"))
        return f'<div class="cb-passage cb-{kind} cb-snippet">{escape(text) if kind == "prose" else lines}</div>'
    text = _plain_beginning(text)
    text = _HEADINGS.sub("", text) or text
    return f'<div class="cb-passage cb-marked cb-snippet">{_marked_up(text, 0, 0)}</div>'


def _plain_beginning(text: str) -> str:
    """The text with empty lines in place of its front matter and of a title that is said twice."""
    text = _FRONT_MATTER.sub(
        lambda match: match.group(1) + "\n" * match.group().count("\n", match.end(1) - match.start()), text
    )
    return _TWICE.sub(r"\1", text)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    parts: list[str] = []
    at = 0
    for code in _CODE.finditer(text):
        parts += [change(text[at : code.start()]), code.group()]
        at = code.end()
    return "".join((*parts, change(text[at:])))


def _prose(text: str, cited: Collection[int], token: str) -> str:
    text = _REFERENCE.sub(r"\1", text)
    text = _DIRECTIVE.sub(r"\\:", text.replace("![", "[").replace("$", "\\$"))

    def links(match: re.Match[str]) -> str:
        numbers = [int(number) for number in re.split(r"\s*[,，]\s*", match.group(1))]
        if not all(number in cited for number in numbers):
            return match.group()
        return "".join(f"[{number}]({CITE}{token}-{number})" for number in numbers)

    return _MARKER.sub(links, text)


def _paged(text: str, start: int, end: int) -> str:
    """A page as our PDF loader writes it: lines, of which some are headings (`## `) and some code between fences."""
    lines = text.split("\n")
    fences = [index for index, line in enumerate(lines) if line == _FENCE]
    closing = {index for index in fences if not "".join(lines[index + 1 : index + 2])}
    fenced = bool(fences) and fences[0] in closing
    shown: list[str] = []
    at = 0
    for index, line in enumerate(lines):
        begin, at = at, at + len(line) + 1
        if line == _FENCE:
            fenced = index not in closing
            continue
        heading = None if fenced else _HEADING.match(line)
        left = heading.end() if heading else 0
        cuts = [min(max(left, place - begin), len(line)) for place in (start, end)] if end > start else [left, left]
        before, hit, after = line[left : cuts[0]], line[cuts[0] : cuts[1]], line[cuts[1] :]
        words = escape(before) + (f'<mark class="hit">{escape(hit)}</mark>' if hit else "") + escape(after)
        kind = "h4" if heading else "pre" if fenced else "div"
        shown.append(f"<{kind}>{words or (' ' if fenced else '')}</{kind}>")
    return "".join(shown)


def _numbered(passage: OpenedChunk) -> str:
    """Lines with their numbers in the file, where those are known."""
    first_hit, last_hit = _lines(passage.text, passage.start, passage.end)
    first = (passage.location.line_start or 1) - first_hit
    rows = []
    for index, line in enumerate(passage.text.split("\n")):
        hit = " hit" if first_hit <= index <= last_hit and passage.end > passage.start else ""
        number = f"<i>{first + index}</i>" if passage.location.line_start else ""
        rows.append(f'<div class="line{hit}">{number}<code>{escape(line) or " "}</code></div>')
    return "".join(rows)


def _lines(text: str, start: int, end: int) -> tuple[int, int]:
    """First and last line (from 0) of the characters `start` to `end`."""
    return text.count("\n", 0, start), text.count("\n", 0, max(start, end - 1))


def _marked_up(text: str, start: int, end: int) -> str:
    markdown = _markdown()
    tokens = markdown.parse(
        _outside_code(_plain_beginning(text), lambda part: _REFERENCE.sub(r"\1", part))
    )  # keeps every line
    if end > start:
        while end > start and text[end - 1].isspace():
            end -= 1
        _mark(tokens, *_lines(text, start, end))
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def _mark(tokens: Sequence["Token"], first: int, last: int) -> None:
    """Give each block that touches these lines the class `hit`; a tight list item stands for its paragraph."""
    items: list[Token] = []
    for token in tokens:
        if token.type == "list_item_open":
            items.append(token)
        elif token.type == "list_item_close":
            items.pop()
        if token.map is None or token.type not in _BLOCKS or token.map[0] > last or token.map[1] <= first:
            continue
        if token.type in ("fence", "code_block"):
            top = token.map[0] + (token.type == "fence")
            token.meta["lines"] = (first - top, last - top)
        (items[-1] if token.hidden and items else token).attrSet("class", "hit")


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("fence", _code)
    markdown.add_render_rule("code_block", _code)
    markdown.add_render_rule(
        "image", lambda _self, tokens, at, _options, _env: f'<span class="cb-image">{escape(tokens[at].content)}</span>'
    )
    markdown.add_render_rule(
        "link_open",
        lambda _self, tokens, at, _options, _env: (
            f'<span class="cb-foreign" title="{escape(str(tokens[at].attrGet("href") or ""))}">'
        ),
    )
    markdown.add_render_rule("link_close", lambda *_: "</span>")
    return markdown


def _code(_self: object, tokens: Sequence["Token"], index: int, _options: object, _env: object) -> str:
    token = tokens[index]
    first, last = token.meta.get("lines", (1, 0))
    lines = token.content.rstrip("\n").split("\n")
    shown = (
        f'<span class="hit">{escape(line) or " "}</span>' if first <= number <= last else escape(line)
        for number, line in enumerate(lines)
    )
    return f"<pre><code>{chr(10).join(shown)}</code></pre>\n"
