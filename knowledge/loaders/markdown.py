"""Markdown: tidied, with lines that stay the file's own; CommonMark decides what is a heading."""

import re
import tomllib
from collections.abc import Mapping

import yaml

from devops_chatbot.i18n import Reason
from knowledge.loaders.loader import Loader, text_loader
from knowledge.loaders.sections import sections_of, title_of
from knowledge.loaders.tidy import tidy, unmarked
from knowledge.model import Link, ParsedDocument
from knowledge.text.formats import MARKDOWN
from knowledge.text.markdown import block_tokens, headings_of, line_starts, plain

_LINK = re.compile(
    r"(?<!!)\[((?:[^\[\]\n]|!?\[[^\]\n]{0,200}\](?:\([^()\n]{0,500}\))?){0,300})\]\(\s*<?((?:\{\{[^}\n]*\}\}|[^)\s>])+)>?[^)\n]{0,300}\)"
)
_WIKI = re.compile(r"\[\[([^\[\]|\n]{1,200})(?:\|([^\[\]\n]{1,200}))?\]\]")
_FOR_THE_SITE = frozenset(
    "weight draft layout slug permalink url id toc menu template sidebar_position sidebar_label nav_order has_children has_toc "
    "hide_title hide_table_of_contents pagination_next pagination_prev linktitle link_title cascade outputs math mermaid katex "
    "noindex sitemap render_with_liquid".split()
)
"""Keys of front matter that say how a page is drawn or where it stands, and nothing about its subject."""


def load_markdown(text: str, name: str) -> ParsedDocument:
    """Sections by headings outside of code, lists and quotations; what the front matter says stands before the first one."""
    begin, matter = _front_matter(text)
    declared = next((str(matter[key]).strip() for key in ("title", "sidebar_label") if matter.get(key)), "")
    body = unmarked(text[begin:])
    body = tidy(body, _code(body))
    links = links_in(body)

    def parsed(front: str, begin: int) -> ParsedDocument:
        return document(
            front + body, name, loader="markdown", begin=begin, declared=declared, links=links, has_lines=True
        )

    found = parsed(text[:begin], begin)
    told = _told(text[:begin], found.title, declared)
    return parsed(told, 0) if told.strip() else found


def document(
    text: str,
    name: str,
    *,
    loader: str,
    begin: int = 0,
    declared: str = "",
    links: tuple[Link, ...] = (),
    has_lines: bool = False,
    notes: tuple[Reason, ...] = (),
) -> ParsedDocument:
    """A document of clean Markdown that begins at the offset `begin`; `declared` is the title that the file gives itself."""
    headings = headings_of(text[begin:], begin)
    if headings and not text[begin : headings[0].start].strip():
        begin = headings[0].start
    return ParsedDocument(
        text=text,
        title=title_of(name, headings, declared),
        loader=loader,
        sections=sections_of(headings, begin=begin, end=len(text)),
        links=links,
        has_lines=has_lines,
        notes=notes,
    )


def links_in(text: str) -> tuple[Link, ...]:
    """Links between brackets and in the manner of wikis; each once."""
    found = [Link(target=_target(m[2]), text=plain(m[1])) for m in _LINK.finditer(text)]
    found += [Link(target=m[1].strip(), text=(m[2] or m[1]).strip()) for m in _WIKI.finditer(text)]
    return tuple(dict.fromkeys(link for link in found if link.target))


def _target(target: str) -> str:
    """Where a link leads, also out of Hugo's `{{< ref "page.md" >}}`."""
    if not target.startswith("{{"):
        return target
    quoted = target.replace("'", '"').split('"')
    return quoted[1] if len(quoted) > 2 else ""


def _front_matter(text: str) -> tuple[int, Mapping[str, object]]:
    """Where the text begins behind its front matter (YAML or TOML), and what that says."""
    mark = text[:3]
    if mark not in ("---", "+++") or text[3:4] != "\n":
        return 0, {}
    lines = text.split("\n")
    last = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip(" \t") == mark), 0)
    begun = next((line for line in lines[1:last] if line.strip()), "#")
    if not last or not (begun.lstrip().startswith("#") or _entry(begun.lstrip())):
        return 0, {}
    matter = "\n".join(lines[1:last])
    said: object
    try:
        said = tomllib.loads(matter) if mark == "+++" else yaml.safe_load(matter)
    except (tomllib.TOMLDecodeError, yaml.YAMLError, ValueError):  # such as a title with a colon and without quotes
        said = dict(entry for line in lines[1:last] if (entry := _entry(line)))
    return min(sum(len(line) + 1 for line in lines[: last + 1]), len(text)), said if isinstance(said, dict) else {}


def _entry(line: str) -> tuple[str, str] | None:
    """The key and the value that begin on a line of front matter."""
    sign = min((line.find(sign) for sign in ":=" if sign in line), default=0)
    name = line[:sign].rstrip().strip("\"'")
    if not name or not all(each.isalnum() or each in "_.-" for each in name):
        return None
    return name.lower(), line[sign + 1 :].strip(" \t'\"")


def _told(matter: str, title: str, declared: str) -> str:
    """Front matter with as many lines, of which those stay that tell a reader something that the title does not."""
    lines = matter.split("\n")
    keep = False
    for index, line in enumerate(lines):
        if entry := _entry(line):
            keep = entry[0] not in _FOR_THE_SITE and not (entry[0] == "title" and _folded(declared) == _folded(title))
        if not keep or line.strip() in ("---", "+++") or line.lstrip().startswith("#"):
            lines[index] = ""
    return "\n".join(lines)


def _folded(words: str) -> str:
    return "".join(filter(str.isalnum, words)).casefold()


def _code(text: str) -> list[tuple[int, int]]:
    """The ranges of code blocks."""
    starts = line_starts(text)
    ranges: list[tuple[int, int]] = []
    for token in block_tokens(text):
        code = token.type in ("fence", "code_block") or (
            token.type == "html_block" and token.content.lstrip()[:4].lower() in ("<pre", "<scr", "<sty")
        )
        if code and token.map:
            ranges.append((starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)]))
    return ranges


LOADER = Loader(
    version=3,
    suffixes=MARKDOWN,
    load=text_loader(load_markdown),
)
