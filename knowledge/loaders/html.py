"""HTML as Markdown: the main content with its headings, lists, tables, code and links."""

import re
from typing import Any

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders.markdown import load_markdown
from knowledge.loaders.sections import title_of
from knowledge.model import Link, ParsedDocument

_DROPPED = (
    "script", "style", "noscript", "template", "svg", "nav", "footer", "aside", "form", "iframe", "button", "head", "dialog",
    "[role=navigation]", "[role=banner]", "[role=search]", "[aria-hidden=true]", ".headerlink", ".sidebar", ".breadcrumb",
    ".breadcrumbs", ".toc", "#toc",
)  # fmt: skip
_MAIN = ("main", "[role=main]", "article", "#content", "#main", ".content", "body")
_ENOUGH = 0.4
"""An element is the main content when it holds this share of the body's text."""
_BLOCKS = frozenset(
    "p div section article main header body html blockquote figure figcaption details summary dl dt dd address fieldset "
    "center hgroup".split()
)
_DEEPEST = 200


def load_html(text: str, name: str) -> ParsedDocument:
    """Raises `UnsupportedFile` when nothing is left to read."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(text)
    found = tree.css_first("title")
    title = " ".join(found.text().split()) if found else ""
    for selector in _DROPPED:
        for node in tree.css(selector):
            node.decompose()
    body = tree.body
    if body is None or not body.text().strip():
        raise UnsupportedFile("The HTML page has no text. Perhaps it is drawn by a script: save it from the browser.")
    links = tuple(
        Link(target=target, text=" ".join(node.text().split()))
        for node in tree.css("a[href]")
        if (target := str(node.attributes.get("href") or ""))
    )
    written = _Writer()
    written.children(_main(tree, body), 0)
    markdown = re.sub(r"\n{3,}", "\n\n", "".join(written.parts)).strip() + "\n"
    parsed = load_markdown(markdown, name)
    own = parsed.title if parsed.sections and parsed.sections[0].heading_path else ""
    return ParsedDocument(
        text=markdown,
        title=own or title or title_of(name),
        loader="html",
        sections=parsed.sections,
        links=links,
    )


def _main(tree: Any, body: Any) -> Any:
    whole = len(body.text())
    for selector in _MAIN:
        node = tree.css_first(selector)
        if node is not None and len(node.text()) >= _ENOUGH * whole:
            return node
    return body


class _Writer:
    """Writes elements as Markdown into `parts`."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def children(self, node: Any, depth: int) -> None:
        child = node.child
        while child is not None:
            self.node(child, depth)
            child = child.next

    def node(self, node: Any, depth: int) -> None:
        tag = node.tag
        if tag == "-text":
            self._inline(re.sub(r"\s+", " ", node.text_content or ""))
        elif tag is None or tag.startswith(("-", "!", "_")) or depth > _DEEPEST:
            return
        elif len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            heading = " ".join(node.text().split())
            if heading:
                self._block("#" * int(tag[1]) + " " + heading)
        elif tag == "pre":
            self._block("```\n" + node.text().strip("\n") + "\n```")
        elif tag in ("ul", "ol"):
            self._list(node, depth)
        elif tag == "table":
            self._table(node)
        elif tag in ("code", "kbd", "samp", "tt"):
            self._inline("`" + " ".join(node.text().split()) + "`")
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "hr":
            self._gap()
        elif tag in _BLOCKS:
            self._gap()
            self.children(node, depth + 1)
            self._gap()
        else:
            self.children(node, depth + 1)

    def _inline(self, text: str) -> None:
        if text.startswith(" ") and self.parts and self.parts[-1][-1:] in ("\n", " "):
            text = text[1:]
        if text:
            self.parts.append(text)

    def _block(self, text: str) -> None:
        self._gap()
        self.parts.append(text)
        self._gap()

    def _gap(self) -> None:
        if self.parts and self.parts[-1] != "\n\n":
            self.parts.append("\n\n")

    def _list(self, node: Any, depth: int) -> None:
        self._gap()
        number = 0
        child = node.child
        while child is not None:
            if child.tag == "li":
                number += 1
                mark = f"{number}. " if node.tag == "ol" else "- "
                inner = _Writer()
                inner.children(child, depth + 1)
                body = re.sub(r"\n\s*\n\s*(?=(?:[-*]|\d+\.) )", "\n", "".join(inner.parts).strip())
                self.parts.append(mark + body.replace("\n", "\n" + " " * len(mark)) + "\n")
            child = child.next
        self._gap()

    def _table(self, node: Any) -> None:
        rows = [
            [" ".join(cell.text().split()).replace("|", "\\|") for cell in row.css("th, td")] for row in node.css("tr")
        ]
        rows = [row for row in rows if any(row)]
        if not rows:
            return
        width = max(map(len, rows))
        padded = [row + [""] * (width - len(row)) for row in rows]
        lines = ["| " + " | ".join(row) + " |" for row in padded]
        lines.insert(1, "|" + " --- |" * width)
        self._block("\n".join(lines))
