"""Markdown and reStructuredText: the text stays as it is written, so that lines are the file's own; headings are found."""

import re

from knowledge.loaders.sections import Heading, sections_of, title_of
from knowledge.model import Link, ParsedDocument

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_INLINE_LINK = re.compile(r"(?<!!)\[([^\]\n]{0,300})\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_REFERENCE = re.compile(r"^ {0,3}\[([^\]\n]+)\]:\s*<?(\S+?)>?(?:\s|$)", re.M)
_FRONT_TITLE = re.compile(r"^title:\s*['\"]?(.+?)['\"]?\s*$", re.M)
_MARKUP = re.compile(r"[`*]|\[([^\]]*)\]\([^)]*\)|<[^>]+>")
_ADORNMENT = re.compile(r"([!-/:-@[-`{-~])\1{2,}[ \t]*$")
_RST_LINK = re.compile(r"`([^`<\n]*)<([^>\s]+)>`__?|:(?:doc|ref):`(?:[^`<]*<)?([^`>]+)>?`")
_INDENTED = ("    ", "\t")


def load_markdown(text: str, name: str) -> ParsedDocument:
    """CommonMark headings (both kinds), outside of fenced code; front matter is left out of the sections."""
    begin, front = _front_matter(text)
    headings = _markdown_headings(text, begin)
    declared = _FRONT_TITLE.search(front)
    links = [Link(target=m[2], text=m[1]) for m in _INLINE_LINK.finditer(text)]
    links += [Link(target=m[2], text=m[1]) for m in _REFERENCE.finditer(text)]
    return ParsedDocument(
        text=text,
        title=title_of(name, headings) if headings or not declared else declared[1],
        loader="markdown",
        sections=sections_of(headings, begin=begin, end=len(text)),
        links=tuple(links),
        has_lines=True,
    )


def load_rst(text: str, name: str) -> ParsedDocument:
    """Headings by their adornment; a style's level is the order in which it first appears."""
    headings = _rst_headings(text)
    links = tuple(
        Link(target=m[2] or m[3], text=(m[1] or "").strip()) for m in _RST_LINK.finditer(text) if (m[2] or m[3]).strip()
    )
    return ParsedDocument(
        text=text,
        title=title_of(name, headings),
        loader="rst",
        sections=sections_of(headings, begin=0, end=len(text)),
        links=links,
        has_lines=True,
    )


def _front_matter(text: str) -> tuple[int, str]:
    """Where the text begins behind its front matter, and the front matter."""
    if not text.startswith("---\n"):
        return 0, ""
    end = text.find("\n---", 3)
    if end < 0 or text[end + 4 : end + 5] not in ("", "\n", " "):
        return 0, ""
    newline = text.find("\n", end + 4)
    begin = len(text) if newline < 0 else newline + 1
    return begin, text[4:end]


def _markdown_headings(text: str, begin: int) -> list[Heading]:
    headings: list[Heading] = []
    fence = ""
    paragraph: int | None = None
    start = begin
    for line in text[begin:].split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip(" `~"):
                fence = ""
        elif mark:
            fence, paragraph = mark[1], None
        elif found := _ATX.match(line):
            headings.append(Heading(level=len(found[1]), title=_plain(found[2] or ""), start=start))
            paragraph = None
        elif paragraph is not None and (under := _SETEXT.match(line)):
            title = text[paragraph : start - 1]
            headings.append(Heading(level=1 if under[1][0] == "=" else 2, title=_plain(title), start=paragraph))
            paragraph = None
        elif not line.strip():
            paragraph = None
        elif paragraph is None:
            opens_text = (
                not line.startswith((*_INDENTED, "- ", "* ", "+ ", "> ", "|")) and not line.lstrip()[0].isdigit()
            )
            paragraph = start if opens_text else None
        start += len(line) + 1
    return [heading for heading in headings if heading.title]


def _rst_headings(text: str) -> list[Heading]:
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    headings: list[Heading] = []
    styles: list[tuple[str, bool]] = []
    for index in range(1, len(lines)):
        adornment, title = _ADORNMENT.match(lines[index]), lines[index - 1]
        if not adornment or not title.strip() or title.startswith(_INDENTED) or _ADORNMENT.match(title):
            continue
        if len(adornment.group().rstrip()) < len(title.rstrip()):
            continue
        over = index >= 2 and lines[index - 2].rstrip() == lines[index].rstrip()
        if not over and index >= 2 and lines[index - 2].strip():
            continue
        style = (adornment[1], over)
        if style not in styles:
            styles.append(style)
        begin = starts[index - 2] if over else starts[index - 1]
        headings.append(Heading(level=styles.index(style) + 1, title=title.strip().replace("``", ""), start=begin))
    return headings


def _plain(title: str) -> str:
    return " ".join(_MARKUP.sub(lambda m: m[1] or "", title).split())
