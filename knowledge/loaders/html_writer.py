"""Elements of an HTML page as Markdown: headings, lists, tables, code, links, and what other tags mean to a reader."""

import re
from collections.abc import Iterable
from typing import Any

from knowledge.loaders.html_tables import cells_of, grid, made_for_looks
from knowledge.loaders.scripts import lowered, raised

_BLOCKS = frozenset(
    "p div section article main header body html figure figcaption details summary address fieldset center hgroup aside "
    "form dl dialog footer ac:rich-text-body ac:layout ac:layout-section ac:layout-cell".split()
)
_LANGUAGE = re.compile(r"(?:language|lang|highlight|highlight-source|brush:|sourceCode|src)[-: ]+([\w+#-]{1,20})", re.I)
_LOOKS_LIKE_MARK = re.compile(r"^(#{1,6}\s|[-+*]\s|>\s|```|~~~|={3,}$|-{3,}$|\d{1,9}[.)]\s|\|)")
_ITEM = re.compile(r"\s*(?:- |\d+\. )")
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:|//)\S+$", re.I)
_NO_ADDRESS = ("javascript:", "data:", "about:")
TAB = "data-tab"
"""The attribute of a panel that holds the words of its tab."""
_DEEPEST = 150
_SIGNS = {"tick": "✓", "cross": "✗", "warning": "⚠", "minus": "−", "plus": "+", "question": "?"}
"""Emoticons of Confluence that stand for a word, as in a table of what is supported."""
_TOLD = frozenset({"title", "key", "name"})
"""Parameters of Confluence's macros that a reader sees."""


def markdown_of(nodes: Iterable[Any]) -> str:
    """What stands in elements, one below the other."""
    writer = _Writer()
    for node in nodes:
        writer.children(node, 0)
        writer.end()
    return writer.text()


class _Writer:
    """Writes elements as Markdown."""

    def __init__(self, *, links: bool = True) -> None:
        self.blocks: list[str] = []
        self._line: list[str] = []
        self._links = links

    def text(self) -> str:
        self.end()
        return "\n\n".join(self.blocks) + "\n"

    def children(self, node: Any, depth: int) -> None:
        if tab := node.attributes.get(TAB):
            self._line.append(f"**{tab}**")
            self.end()
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
            self.end()
            self._code(node)
        elif tag in ("ul", "ol", "menu"):
            self.end()
            self._list(node, depth)
        elif tag == "table":
            self.end()
            self._table(node, depth)
        elif tag == "blockquote":
            self.end()
            self._nested(node, depth, "> ", "> ")
        elif tag == "dt":
            self.end()
            inner = _Writer()
            inner.children(node, depth + 1)
            inner.end()
            self._line.append(f"**{' '.join(' '.join(inner.blocks).split()).replace('*', '')}**")
            self.end()
        elif tag == "dd":
            self.end()
            self.children(node, depth + 1)
            self.end()
        elif tag in ("code", "kbd", "samp", "tt", "var"):
            self._inline_code(node, depth)
        elif tag in ("b", "strong"):
            self._strong(node, depth)
        elif tag == "a":
            self._link(node, depth)
        elif tag in ("sup", "sub"):
            words = node.text()
            if tag == "sup" and node.css_first("a") is not None:
                self._line.append(f"[^{words.strip(' []')}]" if words.strip(" []") else "")
            else:
                self._line.append(raised(words) if tag == "sup" else lowered(words, "".join(self._line)))
        elif tag in ("del", "s", "strike"):
            self._wrapped(node, depth, "~~", "~~")
        elif tag == "q":
            self._wrapped(node, depth, "“", "”")
        elif tag == "abbr":
            title = " ".join(str(node.attributes.get("title") or "").split())
            self._wrapped(node, depth, "", f" ({title})" if title and title != node.text().strip() else "")
        elif tag == "time":
            self._line.append(node.text() or str(node.attributes.get("datetime") or ""))
        elif tag == "math":
            source = node.css_first("annotation")
            self._line.append((source or node).text())
        elif tag == "svg":
            self._line.append(" ".join(" ".join(one.text().split()) for one in node.css("text, foreignObject")))
        elif tag == "input":
            self._line.append(_field(node))
        elif tag == "textarea":
            self.end()
            self._code(node)
        elif tag == "br":
            self._line.append("\n")
        elif tag == "img":
            self._line.append(_picture(node))
        elif tag.startswith("ac:") and self._of_confluence(node, tag, depth):
            return
        elif tag == "hr" or tag in _BLOCKS:
            self.end()
            self.children(node, depth + 1)
            self.end()
        else:
            self.children(node, depth + 1)

    def end(self) -> None:
        """The line that is being written becomes a paragraph."""
        rows = (re.sub(r" {2,}", " ", row).strip() for row in "".join(self._line).split("\n"))
        self._line.clear()
        paragraph = "\n".join(
            "\\" + row if _LOOKS_LIKE_MARK.match(row) and row[0] not in "0123456789" else row for row in rows if row
        )
        if paragraph:
            self.blocks.append(paragraph)

    def _heading(self, node: Any, level: int) -> None:
        """On one line; where a link in it leads stands below it."""
        self.end()
        inner = _Writer(links=False)
        inner.children(node, 0)
        inner.end()
        words = " ".join(" ".join(inner.blocks).split()).strip("¶#§ ")
        if words:
            self.blocks.append("#" * level + " " + words)
        for link in node.css("a[href]"):
            if _leads_away(target := _target(link)):
                self.blocks.append(f"<{target}>")

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
        if (
            words
            and "*" not in words
            and node.css_first("p, div, code, pre, table, ul, img, a, sup, del, input") is None
        ):
            raw = node.text()
            self._line.append(f"{' ' if raw[:1].isspace() else ''}**{words}**{' ' if raw[-1:].isspace() else ''}")
        else:
            self.children(node, depth + 1)

    def _wrapped(self, node: Any, depth: int, before: str, after: str) -> None:
        if not node.text().strip() or node.css_first("p, div, pre, table, ul, ol") is not None:
            self.children(node, depth + 1)
            return
        self._line.append(before)
        self.children(node, depth + 1)
        self._line.append(after)

    def _link(self, node: Any, depth: int) -> None:
        """Its words with its address, where that leads somewhere without the page; the words alone otherwise."""
        target = _target(node)
        words = " ".join(node.text().split())
        if not self._links or not _leads_away(target):
            self.children(node, depth + 1)
        elif not words and node.css_first("img") is None:
            return
        elif words in (target, target.partition(":")[2].lstrip("/")):
            self._line.append(target)
        elif node.css_first("p, div, h1, h2, h3, h4, h5, h6, pre, table, ul, ol") is not None:
            self.children(node, depth + 1)
            self._line.append(f" <{target}>")
        else:
            inner = _Writer()
            inner.children(node, depth + 1)
            inner.end()
            words = " ".join(" ".join(inner.blocks).split()).replace("[", "(").replace("]", ")")
            raw = node.text()
            around = " " if raw[:1].isspace() else "", " " if raw[-1:].isspace() else ""
            shown = target.replace("(", "%28").replace(")", "%29")
            self._line.append(f"{around[0]}[{words}]({shown}){around[1]}" if words else "")

    def _of_confluence(self, node: Any, tag: str, depth: int) -> bool:
        """Write an element of Confluence's storage format that means more than its words; False for any other."""
        name = str(node.attributes.get("ac:name") or "")
        if tag == "ac:parameter":
            if name in _TOLD:
                self._line.append(f" **{' '.join(node.text().split())}** ")
        elif tag == "ac:plain-text-body":
            self.end()
            self._code(node)
        elif tag == "ac:structured-macro" and name in ("info", "note", "warning", "tip", "panel"):
            self.end()
            if name != "panel":
                self._line.append(f"**{name.capitalize()}**")
                self.end()
            self.children(node, depth + 1)
            self.end()
        elif tag in ("ac:link", "ac:image"):
            page = node.css_first("[ri\\:content-title], [ri\\:filename], [ri\\:value], [ac\\:anchor]")
            named = page.attributes if page is not None else node.attributes
            names = (named.get(key) for key in ("ri:content-title", "ri:filename", "ri:value", "ac:anchor"))
            self._line.append(" ".join(node.text().split()) or next((str(one) for one in names if one), ""))
        elif tag == "ac:emoticon":
            self._line.append(str(node.attributes.get("ac:emoji-fallback") or _SIGNS.get(name, "")))
        elif tag == "ac:task":
            self.end()
            status, body = node.css_first("ac\\:task-status"), node.css_first("ac\\:task-body")
            inner = _Writer()
            if body is not None:
                inner.children(body, depth + 1)
            done = status is not None and status.text().strip() == "complete"
            task = _item(inner, f"- [{'x' if done else ' '}] ")
            if task and self.blocks and _ITEM.match(self.blocks[-1].rpartition("\n")[2]):
                self.blocks[-1] += f"\n{task}"
            elif task:
                self.blocks.append(task)
        else:
            return False
        return True

    def _code(self, node: Any) -> None:
        for pause in node.css("br"):
            pause.replace_with("\n")
        code = node.text().replace("\xa0", " ").strip("\n").rstrip()
        if not code.strip():
            return
        fence = "```"
        while fence in code:
            fence += "`"
        self.blocks.append(f"{fence}{_language(node)}\n{code}\n{fence}")

    def _list(self, node: Any, depth: int) -> None:
        items: list[str] = []
        number = int(start) if (start := str(node.attributes.get("start") or "1")).isdigit() else 1
        child = node.child
        while child is not None:
            if child.tag == "li":
                if (given := str(child.attributes.get("value") or "")).isdecimal():
                    number = int(given)
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
            self.blocks.append(("\n\n" if any("\n\n" in item for item in items) else "\n").join(items))

    def _nested(self, node: Any, depth: int, first: str, rest: str) -> None:
        inner = _Writer()
        inner.children(node, depth + 1)
        lines = inner.text().rstrip().split("\n")
        if any(lines):
            self.blocks.append("\n".join(f"{rest if n else first}{line}".rstrip() for n, line in enumerate(lines)))

    def _table(self, node: Any, depth: int) -> None:
        if made_for_looks(node):
            for cell in cells_of(node):
                self.children(cell, depth + 1)
                self.end()
            return
        rows = grid(node, _cell)
        if not rows:
            return
        caption = node.css_first("caption")
        if caption is not None and caption.text().strip():
            self.blocks.append(" ".join(caption.text().split()))
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        self.blocks.append("\n".join(lines))


def _item(inner: _Writer, mark: str) -> str:
    """A list item; what stands in it directly below its first line follows without a gap unless it is code or prose."""
    inner.end()
    body = ""
    for block in inner.blocks:
        tight = re.match(r"(?:- |\d+\. |```)", block)
        body += ("\n" if tight else "\n\n") * bool(body) + block
    return (mark + body.replace("\n", "\n" + " " * len(mark))).rstrip() if body else ""


def _cell(node: Any) -> str:
    inner = _Writer()
    inner.children(node, 0)
    inner.end()
    return " ".join(filter(None, map(_on_one_line, inner.blocks))).replace("|", "\\|")


def _on_one_line(block: str) -> str:
    """A block inside of a cell: a line of code as such, a list as its items with semicolons."""
    if block.startswith("```"):
        return f"`{' '.join(block.split(chr(10))[1:-1]).strip()}`"
    if _ITEM.match(block):
        items = (_ITEM.sub("", line) for line in block.split("\n"))
        return "; ".join(" ".join(item.split()) for item in items if item.strip())
    return " ".join(block.split())


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
    if node.tag.startswith("ac:") and node.parent is not None:
        named = node.parent.css_first("ac\\:parameter[ac\\:name=language]")
        return named.text().strip().lower() if named is not None else ""
    for one in (inner, node, node.parent, node.parent.parent if node.parent is not None else None):
        classes = str(one.attributes.get("class") or "") if one is not None else ""
        found = _LANGUAGE.search(classes)
        if found and found[1].lower() not in ("default", "none", "plaintext", "text", "block"):
            return found[1].lower()
    return ""


def _target(link: Any) -> str:
    return "".join(str(link.attributes.get("href") or "").split())


def _leads_away(target: str) -> bool:
    """Whether an address says something without the page that it stands on."""
    return _ADDRESS.match(target) is not None and not target.lower().startswith(_NO_ADDRESS)


def _field(node: Any) -> str:
    """Whether a box is ticked, and what a field that cannot be changed holds, such as a command to copy."""
    kind = str(node.attributes.get("type") or "text").lower()
    if kind in ("checkbox", "radio"):
        return "[x] " if "checked" in node.attributes else "[ ] "
    value = " ".join(str(node.attributes.get("value") or "").split())
    return f"`{value}`" if kind == "text" and value and "readonly" in node.attributes else ""
