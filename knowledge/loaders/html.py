"""HTML as Markdown: the main content with its headings, lists, tables, code and links."""

import re
from typing import Any

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders.decode import decode
from knowledge.loaders.loader import Loader
from knowledge.loaders.markdown import document
from knowledge.model import Link, ParsedDocument

_NEVER = (
    "script", "style", "noscript", "template", "svg", "iframe", "head", "dialog", "object", "canvas", "audio", "video",
)  # fmt: skip
_AROUND = (
    "nav", "footer", "form", "button", "select", "[role=navigation]", "[role=banner]", "[role=search]",
    "[role=contentinfo]", "[aria-hidden=true]", "[hidden]", ".headerlink", ".anchor-link", ".sidebar", ".breadcrumb",
    ".breadcrumbs", ".toc", "#toc", ".toctree-wrapper", ".sphinxsidebar", ".navbar", ".skip-link", ".edit-this-page",
    ".copy-button", ".linenos", ".lineno", ".gutter", ".sr-only", ".visually-hidden", "#footer", ".footer",
    ".cookie-banner", ".pagination", ".related",
)  # fmt: skip
_MAIN = (
    "main", "[role=main]", "article", "#content", "#main", "#main-content", ".markdown-body", ".document", ".content",
    "body",
)  # fmt: skip
_ENOUGH = 0.4
"""An element is the main content when it holds this share of the body's text."""
_TOO_MUCH = 0.5
"""What stands around the content is left in when it holds this share of the text: some pages are one form."""
_BLOCKS = frozenset(
    "p div section article main header body html figure figcaption details summary address fieldset center hgroup aside "
    "form dl".split()
)
_LANGUAGE = re.compile(r"(?:language|lang|highlight|highlight-source|brush:|sourceCode|src)[-: ]+([\w+#-]{1,20})", re.I)
_LOOKS_LIKE_MARK = re.compile(r"^(#{1,6}\s|[-+*]\s|>\s|```|~~~|={3,}$|-{3,}$|\d{1,9}[.)]\s|\|)")
_ITEM = re.compile(r"\s*(?:- |\d+\. )")
_LONG_CELL = 400
_WIDEST = 100
"""A cell that claims to cover more rows or columns is taken at this."""
_DEEPEST = 150


def load_html(text: str, name: str) -> ParsedDocument:
    """Raises `UnsupportedFile` when nothing is left to read."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(text)
    found = tree.css_first("title")
    declared = " ".join(found.text().split()) if found else ""
    _without(tree, _NEVER)
    if tree.body is None or not tree.body.text().strip():
        raise UnsupportedFile("file.html_empty")
    whole = len(tree.body.text())
    _without(tree, _AROUND, most=_TOO_MUCH * whole)
    main = _main(tree)
    links = [
        Link(target=target, text=" ".join(node.text().split()))
        for node in main.css("a[href]")
        if (target := str(node.attributes.get("href") or "").strip())
        and not target.lower().startswith(("javascript:", "data:"))
    ]
    writer = _Writer()
    writer.children(main, 0)
    markdown = writer.text()
    if not markdown.strip():
        raise UnsupportedFile("file.html_only_menus")
    return document(markdown, name, loader="html", declared=declared, links=tuple(dict.fromkeys(links)))


def _without(tree: Any, selectors: tuple[str, ...], *, most: float | None = None) -> None:
    for selector in selectors:
        for node in tree.css(selector):
            if most is None or len(node.text()) <= most:
                node.decompose()


def _main(tree: Any) -> Any:
    whole = len(tree.body.text().strip())
    for selector in _MAIN:
        node = tree.css_first(selector)
        if node is not None and len(node.text().strip()) >= _ENOUGH * whole:
            return node
    return tree.body


class _Writer:
    """Writes elements as Markdown."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._line: list[str] = []

    def text(self) -> str:
        self._end()
        return "\n\n".join(self._blocks) + "\n"

    def children(self, node: Any, depth: int) -> None:
        child = node.child
        while child is not None:
            self._node(child, depth)
            child = child.next

    def _node(self, node: Any, depth: int) -> None:
        tag = node.tag
        if tag == "-text":
            self._line.append(re.sub(r"\s+", " ", node.text_content or ""))
        elif tag is None or tag.startswith(("-", "!", "_")):
            return
        elif depth > _DEEPEST:
            self._line.append(" ".join(node.text().split()))
        elif len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            self._heading(node, int(tag[1]))
        elif tag == "pre":
            self._end()
            self._code(node)
        elif tag in ("ul", "ol", "menu"):
            self._end()
            self._list(node, depth)
        elif tag == "table":
            self._end()
            self._table(node, depth)
        elif tag == "blockquote":
            self._end()
            self._nested(node, depth, "> ", "> ")
        elif tag == "dt":
            self._end()
            self._line.append(f"**{' '.join(node.text().split()).replace('*', '')}**")
            self._end()
        elif tag == "dd":
            self._end()
            self.children(node, depth + 1)
            self._end()
        elif tag in ("code", "kbd", "samp", "tt", "var"):
            self._inline_code(node, depth)
        elif tag in ("b", "strong"):
            self._strong(node, depth)
        elif tag == "br":
            self._line.append("\n")
        elif tag == "img":
            self._line.append(_picture(node))
        elif tag == "hr" or tag in _BLOCKS:
            self._end()
            self.children(node, depth + 1)
            self._end()
        else:
            self.children(node, depth + 1)

    def _end(self) -> None:
        """The line that is being written becomes a paragraph."""
        rows = (re.sub(r" {2,}", " ", row).strip() for row in "".join(self._line).split("\n"))
        self._line.clear()
        paragraph = "\n".join(
            "\\" + row if _LOOKS_LIKE_MARK.match(row) and row[0] not in "0123456789" else row for row in rows if row
        )
        if paragraph:
            self._blocks.append(paragraph)

    def _heading(self, node: Any, level: int) -> None:
        self._end()
        words = " ".join(node.text().split()).strip("¶#§ ")
        if words:
            self._blocks.append("#" * level + " " + words)

    def _inline_code(self, node: Any, depth: int) -> None:
        if node.css_first("a, b, code") is not None and len(node.text()) > 300:
            self.children(node, depth + 1)
            return
        words = " ".join(node.text().split())
        if words:
            tick = "``" if "`" in words else "`"
            self._line.append(f"{tick}{words}{tick}")

    def _strong(self, node: Any, depth: int) -> None:
        words = " ".join(node.text().split())
        if words and "*" not in words and node.css_first("p, div, code, pre, table, ul, img") is None:
            raw = node.text()
            self._line.append(f"{' ' if raw[:1].isspace() else ''}**{words}**{' ' if raw[-1:].isspace() else ''}")
        else:
            self.children(node, depth + 1)

    def _code(self, node: Any) -> None:
        for pause in node.css("br"):
            pause.replace_with("\n")
        code = node.text().replace("\xa0", " ").strip("\n").rstrip()
        if not code.strip():
            return
        fence = "```"
        while fence in code:
            fence += "`"
        self._blocks.append(f"{fence}{_language(node)}\n{code}\n{fence}")

    def _list(self, node: Any, depth: int) -> None:
        items: list[str] = []
        number = int(start) if (start := str(node.attributes.get("start") or "1")).isdigit() else 1
        child = node.child
        while child is not None:
            if child.tag == "li":
                mark = f"{number}. " if node.tag == "ol" else "- "
                number += 1
                inner = _Writer()
                inner.children(child, depth + 1)
                items.append(_item(inner, mark))
            elif child.tag in ("ul", "ol"):  # misplaced, yet common
                inner = _Writer()
                inner._list(child, depth + 1)
                items.append(_item(inner, "  "))
            child = child.next
        items = [item for item in items if item]
        if items:
            self._blocks.append(("\n\n" if any("\n\n" in item for item in items) else "\n").join(items))

    def _nested(self, node: Any, depth: int, first: str, rest: str) -> None:
        inner = _Writer()
        inner.children(node, depth + 1)
        lines = inner.text().rstrip().split("\n")
        if any(lines):
            self._blocks.append("\n".join(f"{rest if n else first}{line}".rstrip() for n, line in enumerate(lines)))

    def _table(self, node: Any, depth: int) -> None:
        if _made_for_looks(node):
            for cell in _cells(node):
                self.children(cell, depth + 1)
                self._end()
            return
        rows = _grid(node)
        if not rows:
            return
        caption = node.css_first("caption")
        if caption is not None and caption.text().strip():
            self._blocks.append(" ".join(caption.text().split()))
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        self._blocks.append("\n".join(lines))


def _item(inner: _Writer, mark: str) -> str:
    """A list item; what stands in it directly below its first line follows without a gap unless it is code or prose."""
    inner._end()
    body = ""
    for block in inner._blocks:
        tight = re.match(r"(?:- |\d+\. |```)", block)
        body += ("\n" if tight else "\n\n") * bool(body) + block
    return (mark + body.replace("\n", "\n" + " " * len(mark))).rstrip() if body else ""


def _made_for_looks(table: Any) -> bool:
    """True for a table whose cells hold other tables, headings, blocks of code or long lists: no row of Markdown can."""
    others = any(inner.mem_id != table.mem_id for inner in table.css("table"))
    return (
        others
        or table.css_first("h1, h2, h3, h4") is not None
        or any("\n" in code.text().strip() for code in table.css("pre"))
        or any(len(cell.text()) > _LONG_CELL and cell.css_first("ul, ol") is not None for cell in table.css("th, td"))
    )


def _grid(table: Any) -> list[list[str]]:
    """The rows of a table, all of one length. A cell over several rows stands in each of them, so that each says all it means."""
    rows: list[list[str]] = []
    reaching: dict[int, tuple[str, int]] = {}
    for row in table.css("tr"):
        cells = iter(row.css("th, td"))
        written: list[str] = []
        above, reaching = reaching, {}
        while True:
            at = len(written)
            if at in above:
                words, further = above.pop(at)
                further -= 1
                written.append(words)
            else:
                cell = next(cells, None)
                if cell is None and not above:
                    break
                words, further = (_cell(cell), _span(cell, "rowspan") - 1) if cell is not None else ("", 0)
                written.append(words)
                for beside in range(1, _span(cell, "colspan") if cell is not None else 1):
                    written.append("")
                    above.pop(at + beside, None)
                    if further > 0:
                        reaching[at + beside] = ("", further)
            if further > 0:
                reaching[at] = (words, further)
        while written and not written[-1]:
            written.pop()
        if written:
            rows.append(written)
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def _span(cell: Any, name: str) -> int:
    given = str(cell.attributes.get(name) or "1").strip()
    return min(int(given), _WIDEST) if given.isascii() and given.isdigit() else 1


def _cell(node: Any) -> str:
    inner = _Writer()
    inner.children(node, 0)
    inner._end()
    return " ".join(filter(None, map(_on_one_line, inner._blocks))).replace("|", "\\|")


def _on_one_line(block: str) -> str:
    """A block inside of a cell: a line of code as such, a list as its items with semicolons."""
    if block.startswith("```"):
        return f"`{' '.join(block.split(chr(10))[1:-1]).strip()}`"
    if _ITEM.match(block):
        items = (_ITEM.sub("", line) for line in block.split("\n"))
        return "; ".join(" ".join(item.split()) for item in items if item.strip())
    return " ".join(block.split())


def _cells(table: Any) -> list[Any]:
    """The cells of a table itself, not those of tables inside of it."""
    found = []
    for cell in table.css("th, td"):
        above = cell.parent
        while above is not None and above.tag != "table":
            above = above.parent
        if above is not None and above.mem_id == table.mem_id:
            found.append(cell)
    return found


def _picture(node: Any) -> str:
    alt = " ".join(str(node.attributes.get("alt") or "").split())
    return (
        alt
        if len(alt) > 3 and not re.search(r"\.(?:png|jpe?g|gif|svg|webp)$|^(?:image|logo|icon)\b", alt, re.I)
        else ""
    )


def _language(node: Any) -> str:
    """The language that a class of the code or of what stands around it names."""
    inner = node.css_first("code")
    for one in (inner, node, node.parent, node.parent.parent if node.parent is not None else None):
        classes = str(one.attributes.get("class") or "") if one is not None else ""
        found = _LANGUAGE.search(classes)
        if found and found[1].lower() not in ("default", "none", "plaintext", "text", "block"):
            return found[1].lower()
    return ""


LOADER = Loader(
    version=2,
    suffixes=frozenset({".html", ".htm", ".xhtml"}),
    load=lambda data, name: load_html(decode(data, html=True), name),
)
