"""HTML as text: what stands around the content is left out where that is certain, the rest is written as Markdown."""

import html
import re
from typing import Any

from devops_chatbot.errors import UnsupportedFile
from devops_chatbot.i18n import Reason
from knowledge.loaders.html_writer import TAB, markdown_of
from knowledge.loaders.loader import Loader, text_loader
from knowledge.loaders.markdown import document
from knowledge.model import Link, ParsedDocument
from knowledge.text.formats import HTML
from knowledge.text.machine import shortened

_NEVER = (
    "script", "style", "noscript", "template", "iframe", "head", "object", "canvas", "audio", "video", "select",
    "svg title", "svg desc", "svg style",    ".headerlink", ".anchor-link", ".copy-button", ".linenos", ".lineno", ".gutter",
)  # fmt: skip
_MENUS = ("nav", "[role=navigation]", "[role=search]", ".toctree-wrapper", ".skip-link", ".edit-this-page")
"""Left out whatever stands in them."""
_AROUND = (
    "footer", "form", "dialog", "[role=banner]", "[role=contentinfo]", "[role=dialog]", "[aria-hidden=true]", "[hidden]",
    ".sidebar", ".breadcrumb", ".breadcrumbs", ".toc", "#toc", ".sphinxsidebar", ".navbar", ".sr-only",
    ".visually-hidden", "#footer", ".footer", ".cookie-banner", ".pagination", ".related",
)  # fmt: skip
"""Left out unless they say something: a panel that is hidden until its tab is chosen is content, a list of links is none."""
_CONTENT = "p, pre, table, ul, ol, dl, h1, h2, h3, h4, h5, h6, blockquote, textarea"
_MAIN = (
    "main", "[role=main]", "article", "#content", "#main", "#main-content", ".markdown-body", ".document", ".content",
)  # fmt: skip
_MARKED_MAIN = _MAIN[:2]
_ENOUGH = 0.4
"""What is marked as the main content is it when it holds this share of the body's text."""
_BESIDE = 0.1
"""An element that only its name makes the content is it when no more than this share of the words stands beside it."""
_TOO_MUCH = 0.5
"""What stands around the content is left in when it holds this share of the text: some pages are one form."""
_LITTLE = 160
"""Characters outside of links up to which an element around the content says nothing: an imprint, a search box."""
_OPENS = "[aria-expanded], [aria-controls], [data-toggle], [data-bs-toggle], [data-target], [role=tab]"
_FEWEST_WORDS = 3
"""Words from which a button is a question that opens its answer, and none like `Copy` or `Sign in`."""
_SELF_CLOSED = re.compile(r"<([a-z]{2,3}:[\w-]+|time)(\s[^<>]*?)?/>")
_WORTH_TELLING = 0.3
"""Share of a page's words left out from which its row in the file table says so."""


def load_html(text: str, name: str) -> ParsedDocument:
    """Raises `UnsupportedFile` when nothing is left to read."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(_as_html(text))
    found = tree.css_first("title")
    declared = " ".join(found.text().split()) if found else ""
    _without(tree, _NEVER)
    if tree.body is None or not tree.body.text().strip():
        raise UnsupportedFile("file.html_empty")
    whole = _words(tree.body)
    _without(tree, _MENUS, most=_TOO_MUCH * whole)
    for selector in _AROUND:
        for node in reversed(tree.css(selector)):
            if _words(node) <= _TOO_MUCH * whole and not _says_something(node, selector):
                node.decompose()
    for button in tree.css("button"):
        if not _opens_something(button):
            button.decompose()
    _name_panels(tree)
    mains = _mains(tree)
    links = [
        Link(target=target, text=" ".join(node.text().split()))
        for main in mains
        for node in main.css("a[href]")
        if (target := str(node.attributes.get("href") or "").strip())
        and not target.lower().startswith(("javascript:", "data:"))
    ]
    markdown, _ = shortened(markdown_of(mains))
    if not markdown.strip():
        raise UnsupportedFile("file.html_only_menus")
    left_out = 1 - sum(map(_words, mains)) / whole
    notes = (Reason("left_out.around", percent=round(100 * left_out)),) if left_out >= _WORTH_TELLING else ()
    return document(markdown, name, loader="html", declared=declared, links=tuple(dict.fromkeys(links)), notes=notes)


def _as_html(text: str) -> str:
    """XHTML, and what Confluence stores, as a parser of HTML understands it: CDATA is text, and an empty element ends."""
    head, *sections = text.split("<![CDATA[")
    for section in sections:
        inside, _, after = section.partition("]]>")
        head += html.escape(inside, quote=False) + after
    return _SELF_CLOSED.sub(r"<\1\2></\1>", head)


def _without(tree: Any, selectors: tuple[str, ...], *, most: float | None = None) -> None:
    for selector in selectors:
        for node in reversed(tree.css(selector)):  # what stands inside of another one first
            if most is None or _words(node) <= most:
                node.decompose()


def _words(node: Any) -> int:
    """Characters of an element's text that are no white space."""
    return len("".join(node.text().split()))


def _says_something(node: Any, selector: str) -> bool:
    """Whether an element around the content has content of its own, most of it outside of links."""
    if node.css_first(_CONTENT) is None:
        return False
    own = _words(node) - sum(map(_words, node.css("a")))
    hidden = selector in ("[hidden]", "[aria-hidden=true]")
    return own > (0 if hidden else _LITTLE) and own > 0.5 * _words(node)


def _opens_something(button: Any) -> bool:
    """Whether the words of a button are those of a heading, a tab or a question."""
    above = button.parent
    while above is not None and above.tag not in ("body", "form", "pre"):
        if above.tag in ("h1", "h2", "h3", "h4", "h5", "h6", "dt", "summary"):
            return True
        above = above.parent
    if above is not None and above.tag != "body":
        return False
    return button.css_matches(_OPENS) or len(button.text().split()) >= _FEWEST_WORDS


def _name_panels(tree: Any) -> None:
    """Give each panel of tabs the words of its tab, which the page shows one at a time."""
    for tabs in tree.css("[role=tablist]"):
        names = [" ".join(tab.text().split()) for tab in tabs.css("[role=tab]")]
        around = tabs.parent
        while around is not None and around.tag != "html":
            panels = [panel for panel in around.css("[role=tabpanel]") if TAB not in panel.attributes]
            if panels:
                if len(panels) == len(names):
                    for name, panel in zip(names, panels, strict=True):
                        panel.attrs[TAB] = name
                    tabs.decompose()
                break
            around = around.parent


def _mains(tree: Any) -> list[Any]:
    """The elements that hold the content, in reading order: all of a kind, or the body."""
    body = _words(tree.body)
    linked = sum(map(_words, tree.css("a")))
    for selector in _MAIN:
        nodes = [node for node in tree.css(selector) if not _inside(node, selector)]
        held = sum(map(_words, nodes))
        if selector in _MARKED_MAIN and held >= _ENOUGH * body:
            return nodes
        beside = (body - linked) - (held - sum(_words(link) for node in nodes for link in node.css("a")))
        if held >= _ENOUGH * body and beside <= _BESIDE * (body - linked):
            return nodes
    return [tree.body]


def _inside(node: Any, selector: str) -> bool:
    """Whether an element stands inside of another one that a selector finds."""
    above = node.parent
    while above is not None and above.tag not in ("body", "html"):
        if above.css_matches(selector):
            return True
        above = above.parent
    return False


LOADER = Loader(
    version=3,
    suffixes=HTML,
    load=text_loader(load_html, html=True),
)
