"""reStructuredText as Markdown, line for line, so that a line number still means the file's own line.

The fences of code stand on the blank lines that reStructuredText wants around a block. Sphinx's directives are known by what a
reader sees of them; docutils is not used because it loses the lines and stumbles over every directive that it does not know.
"""

import csv
import re
from collections.abc import Mapping, Sequence

from knowledge.loaders.loader import Loader, text_loader
from knowledge.loaders.markdown import document
from knowledge.loaders.scripts import lowered, raised
from knowledge.model import Link, ParsedDocument
from knowledge.text.formats import RST

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1+[ \t]*$")
_DIRECTIVE = re.compile(r"(?P<indent>\s*)\.\.\s+(?:\|[^|]+\|\s+)?(?P<name>[\w:.+-]+)::(?:\s+(?P<words>.*))?$")
_TARGET = re.compile(r"\s*(?:\.\.\s+_(?P<name>`[^`]+`|[^:]+):(?:\s+(?P<url>\S+))?|__\s+(?P<anonymous>\S+))\s*$")
_OPTION = re.compile(r"\s*:(?P<name>[\w-]+):(?:\s+(?P<value>.*))?$")
_SUBSTITUTION = re.compile(r"\s*\.\.\s+\|(?P<name>[^|]+)\|\s+(?P<kind>replace|unicode|image)::\s*(?P<words>.*)$")
_USED = re.compile(r"\|([^|\s](?:[^|\n]*[^|\s])?)\|_{0,2}")
_CODE_POINT = re.compile(r"(?:0x|x|\\x|U\+|u|\\u)([0-9a-fA-F]{2,6})\b|&#x([0-9a-fA-F]{2,6});")
_FOOTNOTE = re.compile(r"(\s*)\.\.\s+(\[[^\]]+\])\s+(.*)$")
_ITEM = re.compile(r"(\s*)([-*+•]|#\.|\(?(?:\d{1,3}|[a-zA-Z])[.)])(\s+)\S")
_TABLE = re.compile(r"\s*(?:\+[-=+]{2,}\+|=+(?:\s+=+)+)\s*$")

_CODE = frozenset(
    {"code-block", "code", "sourcecode", "parsed-literal", "prompt", "literalblock", "productionlist", "math"}
)
_NOTES = frozenset(
    "note warning tip important caution danger attention hint error seealso admonition versionadded versionchanged deprecated "
    "todo topic sidebar rubric".split()
)
_TELLING = frozenset(
    "default type required deprecated since value choices allowed unit env envvar version platform".split()
)
"""Options of a directive that say something about its subject; the others say how it is drawn."""
_DROPPED = frozenset(
    "image contents index highlight meta currentmodule module py:currentmodule raw tabularcolumns sectionauthor default-role "
    "include literalinclude rst-class role replace unicode date sectnum header footer target-notes".split()
)

_INLINE = re.compile(
    r"``(?P<literal>.+?)``"
    r"|\|(?P<substitution>[^|\s](?:[^|]*[^|\s])?)\|_{0,2}(?!\w)"
    r"|:(?P<role>[\w:+.-]+):`(?P<content>[^`]+)`"
    r"|`(?P<text>[^`<]*?)\s*<(?P<url>[^`>]+)>`__?"
    r"|`(?P<phrase>[^`]+)`__?(?!\w)"
    r"|(?<![\w`])(?P<word>[A-Za-z][\w.-]*[A-Za-z0-9])__?(?![\w`])"
    r"|\\(?P<escaped>[ *_`|\\])"
)

_TORN_LINK = re.compile(r"`([^`<\n]+)\n([ ]*)<([^`>\n]+)>`__?")
_PROSE_ROLES = frozenset("ref doc term numref any abbr guilabel menuselection strong emphasis sub sup".split())


def load_rst(text: str, name: str) -> ParsedDocument:
    """Headings by their adornment; a style's level is the order in which it first appears."""
    writer = _Writer(_TORN_LINK.sub(r"`\1 <\3>`_\n\2", text.expandtabs(4)).split("\n"))
    writer.write()
    return document(
        "\n".join(writer.lines), name, loader="rst", links=tuple(dict.fromkeys(writer.links)), has_lines=True
    )


class _Writer:
    """Rewrites `lines` in place, from the first to the last."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.links: list[Link] = []
        self._styles: list[tuple[str, bool]] = []
        self._items: list[int] = []
        self._substitutions = _substitutions(lines)
        self._targets = {
            _label(found["name"]): found["url"]
            for line in lines
            if (found := _TARGET.match(line)) and found["name"] and found["url"]
        }

    def write(self) -> None:
        index = 0
        while index < len(self.lines):
            index = self._line(index)

    def _line(self, index: int) -> int:
        """Rewrite the line (and what belongs to it); the next line to look at."""
        line = self.lines[index]
        if not line.strip():
            return index + 1
        if heading := self._heading(index):
            return heading
        if directive := _DIRECTIVE.match(line):
            return self._directive(index, directive)
        if line.lstrip().startswith("..") and line.lstrip()[2:3] in ("", " "):
            return self._explicit(index)
        if _TABLE.match(line) and (end := self._table_end(index)):
            self._substitute(index, end)
            return self._fenced(index, end, "text", _width(line), _width(line))
        if line.lstrip().startswith(">>> "):
            end = index
            while end < len(self.lines) and self.lines[end].strip():
                end += 1
            return self._fenced(index, end, "python", _width(line), _width(line))
        self._place(index)
        if line.rstrip().endswith("::"):
            return self._literal(index, _width(line))
        return index + 1

    def _heading(self, index: int) -> int:
        """The index behind a heading that begins at this line; 0 when none does."""
        lines = self.lines
        line = lines[index].rstrip()
        over = _ADORNMENT.match(line) is not None and len(line) > 2
        title = index + 1 if over else index
        under = title + 1
        if under >= len(lines) or not lines[title].strip() or (not over and _width(lines[title])):
            return 0
        adornment = _ADORNMENT.match(lines[under])
        words = lines[title].strip()
        if not adornment or (over and lines[under].rstrip() != line) or _ADORNMENT.match(words):
            return 0
        if len(lines[under].rstrip()) < min(len(words), 4) or (
            not over and index and lines[index - 1].strip() not in ("", "```")
        ):
            return 0
        style = (adornment[1], over)
        if style not in self._styles:
            self._styles.append(style)
        lines[title] = "#" * min(6, self._styles.index(style) + 1) + " " + self._inline(words)
        lines[under] = ""
        if over:
            lines[index] = ""
        self._items.clear()
        return under + 1

    def _directive(self, index: int, found: re.Match[str]) -> int:
        name, words = found["name"].lower().rpartition(":")[2], (found["words"] or "").strip()
        indent = len(found["indent"])
        end = self._content_end(index, indent)
        body = index + 1
        options: dict[str, str] = {}
        while body < end and (option := _OPTION.match(self.lines[body])):
            key, value = option["name"].lower(), (option["value"] or "").strip()
            options[key] = value
            self.lines[body] = f"{' ' * indent}- {key}: {value}" if key in _TELLING and value else ""
            body += 1
        while body < end and not self.lines[body].strip():
            body += 1
        if name in _CODE:
            self.lines[index] = ""
            if body >= end:
                return end
            if name == "parsed-literal" or "substitutions" in options:
                self._substitute(body, end)
            return self._fenced(body, end, words.split()[0] if words else "", _width(self.lines[body]), indent)
        if name in _DROPPED:
            self._blank(index, end)
            return end
        if name == "csv-table":
            return self._csv_table(index, body, end, words, options)
        if name == "toctree":
            self.lines[index] = ""
            for entry in range(body, end):
                if target := self.lines[entry].strip():
                    self._page(entry, target)
            return end
        self._place(index)
        if name in _NOTES:
            label = words if name in ("admonition", "topic", "rubric", "sidebar") and words else name.capitalize()
            rest = "" if label == words else " " + self._inline(words)
            self.lines[index] = " " * indent + f"**{label}**{rest}"
        else:
            shown = (
                words if name not in ("figure", "only", "container", "tabs", "list-table", "csv-table", "table") else ""
            )
            self.lines[index] = " " * indent + (f"**{shown.strip('*`')}**" if shown else "")
        self._dedent(body, end, indent)
        return index + 1

    def _csv_table(self, index: int, body: int, end: int, title: str, options: Mapping[str, str]) -> int:
        """Rows between bars; the head takes the lines of the options, or else the line that its mark needs is the blank one."""
        indent = " " * _width(self.lines[index])
        rows = {at: _cells(self.lines[at], options) for at in range(body, end) if self.lines[at].strip()}
        head = _cells(options["header"], options) if options.get("header") else None
        self.lines[index] = f"{indent}**{title}**" if title else ""
        if head is None and rows and options.get("header-rows", "0") != "0":
            head = rows.pop(body)
        width = max(map(len, [*rows.values(), head or []]), default=0)

        def written(cells: Sequence[str]) -> str:
            words = (self._inline(" ".join(cell.split())).replace("|", "\\|") for cell in cells)
            return f"{indent}| {' | '.join([*words, *[''] * (width - len(cells))])} |"

        for at, cells in rows.items():
            self.lines[at] = written(cells)
        mark = f"{indent}|{' --- |' * width}"
        if body in rows and body >= index + 3:  # a head of its own, or an empty one
            self.lines[body - 2], self.lines[body - 1] = written(head or [""] * width), mark
        elif body not in rows:  # the head was the first row
            self.lines[body - 1], self.lines[body] = written(head or []), mark
        return end

    def _substitute(self, begin: int, end: int) -> None:
        """What stands for other words in lines that are shown as they are."""
        for at in range(begin, end):
            self.lines[at] = _USED.sub(lambda found: self._substitutions.get(found[1], found[0]), self.lines[at])

    def _explicit(self, index: int) -> int:
        """A target, a footnote or a comment."""
        line = self.lines[index]
        if note := _FOOTNOTE.match(line):
            self.lines[index] = f"{note[1]}{note[2]} {self._inline(note[3])}"
            return index + 1
        end = index + 1 if _TARGET.match(line) else self._content_end(index, _width(line))
        self._blank(index, end)
        return end

    def _literal(self, index: int, indent: int) -> int:
        """The block that a paragraph ending in `::` introduces."""
        line = self.lines[index].rstrip()[:-2].rstrip()
        self.lines[index] = f"{line}:" if line.strip() and not line.endswith(":") else line
        body = index + 1
        while body < len(self.lines) and not self.lines[body].strip():
            body += 1
        if body == index + 1 or body >= len(self.lines) or _width(self.lines[body]) <= indent:
            return index + 1
        return self._fenced(body, self._content_end(index, indent), "", _width(self.lines[body]), indent)

    def _fenced(self, begin: int, end: int, language: str, width: int, indent: int) -> int:
        """Fences around lines, on the blank lines before and behind them; the lines move from `width` to `indent`."""
        while end > begin and not self.lines[end - 1].strip():
            end -= 1
        if begin and self.lines[begin - 1].strip() == "```":  # the block before ends here: both become one
            self.lines[begin - 1] = ""
        elif begin == 0 or self.lines[begin - 1].strip():  # no blank line to stand on
            return end
        else:
            self.lines[begin - 1] = " " * indent + "```" + language
        self._dedent(begin, end, indent, width)
        if end == len(self.lines):
            self.lines.append("")
        if self.lines[end].strip():
            self.lines[end - 1] += (
                "\n" + " " * indent + "```"
            )  # broken markup: one line more does less harm than an open fence
        else:
            self.lines[end] = " " * indent + "```"
        return end + 1

    def _place(self, index: int) -> None:
        """Marks inside the line, and an indentation that Markdown does not take for code."""
        line = self.lines[index]
        width = _width(line)
        while self._items and width < self._items[-1]:
            self._items.pop()
        base = self._items[-1] if self._items else 0
        if width - base >= 4 and not _ITEM.match(line):
            width = base + 2 if base else 0
        item = _ITEM.match(line)
        body = line.strip()
        if item:
            self._items.append(len(item[1]) + len(item[2]) + len(item[3]))
            if item[2] == "#.":
                body = "1. " + body[2:].lstrip()
        elif body.startswith("| "):
            body = body[2:]
        self.lines[index] = " " * width + self._inline(body)

    def _inline(self, text: str) -> str:
        return _INLINE.sub(self._marked, text)

    def _marked(self, found: re.Match[str]) -> str:
        match found.lastgroup:
            case "literal":
                return f"`{found['literal']}`"
            case "substitution":
                words = self._substitutions.get(found["substitution"])
                return found.group() if words is None else _INLINE.sub(self._marked, words)
            case "content":
                return self._role(found["role"].rpartition(":")[2], found["content"])
            case "url":
                target = found["url"].rstrip("_") if found["url"].endswith("_") else found["url"]
                target = self._targets.get(_label(target), target)
                return self._link(found["text"] or target, target)
            case "phrase" | "word":
                words = found["phrase"] or found["word"]
                target = self._targets.get(_label(words), "")
                if target:
                    return self._link(words, target)
                return words if found["phrase"] and found.group().endswith("_") else found.group()
        return "" if found["escaped"] == " " else found.group()

    def _role(self, role: str, content: str) -> str:
        pair = re.match(r"(?s)(.*?)\s*<([^>]+)>$", content)
        words, target = (pair[1], pair[2]) if pair else (content, content)
        if role in ("doc", "ref", "download"):
            self.links.append(Link(target=target, text=words))
        if role in ("sup", "sub"):
            return raised(words) if role == "sup" else lowered(words, "C" if words.isdigit() else "")
        if role in _PROSE_ROLES or role == "download":
            return words
        return f"`{words.rpartition('.')[2] if words.startswith('~') else words.lstrip('!')}`"

    def _link(self, words: str, target: str) -> str:
        self.links.append(Link(target=target, text=words))
        return f"[{words}]({target})"

    def _page(self, index: int, target: str) -> None:
        pair = re.match(r"(.*?)\s*<([^>]+)>$", target)
        words, page = (pair[1], pair[2]) if pair else (target, target)
        self.links.append(Link(target=page, text=words))
        self.lines[index] = f"- {words}"

    def _content_end(self, index: int, indent: int) -> int:
        """Where the lines that stand deeper than `indent` end, blank ones behind them left out."""
        end = last = index + 1
        while end < len(self.lines):
            if self.lines[end].strip():
                if _width(self.lines[end]) <= indent:
                    break
                last = end + 1
            end += 1
        return last

    def _table_end(self, index: int) -> int:
        """The index behind a table; 0 when no border closes it."""
        grid = self.lines[index].lstrip().startswith("+")
        end = 0
        for at in range(index + 1, min(len(self.lines), index + 500)):
            if _TABLE.match(self.lines[at]):
                end = at + 1
                if not grid and (end == len(self.lines) or not self.lines[end].strip()):
                    break
            elif grid and not self.lines[at].strip():
                break
        return end

    def _dedent(self, begin: int, end: int, indent: int, width: int | None = None) -> None:
        if width is None:
            width = min((_width(line) for line in self.lines[begin:end] if line.strip()), default=indent)
        for at in range(begin, end):
            line = self.lines[at]
            self.lines[at] = " " * indent + line[min(width, _width(line)) :] if line.strip() else ""

    def _blank(self, begin: int, end: int) -> None:
        self.lines[begin:end] = [""] * (end - begin)


def _substitutions(lines: Sequence[str]) -> dict[str, str]:
    """What `|name|` stands for, by its definitions; a picture stands for its words."""
    found: dict[str, str] = {}
    for index, line in enumerate(lines):
        definition = _SUBSTITUTION.match(line)
        if definition is None:
            continue
        words, options = [definition["words"].strip()], {}
        for below in lines[index + 1 :]:
            if not below.strip() or _width(below) <= _width(line):
                break
            if option := _OPTION.match(below):
                options[option["name"]] = (option["value"] or "").strip()
            else:
                words.append(below.strip())
        text = " ".join(words)
        if definition["kind"] == "unicode":
            text = _CODE_POINT.sub(lambda code: chr(int(code[1] or code[2], 16)), text.partition(" .. ")[0])
        found[definition["name"].strip()] = options.get("alt", "") if definition["kind"] == "image" else text
    return found


def _cells(line: str, options: Mapping[str, str]) -> list[str]:
    """A line of a csv-table; `:delim:` may name another sign than the comma."""
    delimiter = {"tab": "\t", "space": " "}.get(options.get("delim", ","), options.get("delim", ","))[:1] or ","
    return [cell.strip() for cell in next(csv.reader([line.strip()], delimiter=delimiter, skipinitialspace=True), [])]


def _width(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _label(words: str) -> str:
    return " ".join(words.strip("`").casefold().split())


LOADER = Loader(version=3, suffixes=RST, load=text_loader(load_rst))
