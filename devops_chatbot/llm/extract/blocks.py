"""Markdown as blocks that are quoted whole: paragraphs, lists, code, tables; each with its headings and its own text."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

Kind = Literal["paragraph", "list", "code", "table", "quote"]

_FRONT_MATTER = re.compile(r"\A\s*---\n(?:[\w-]+:.*\n|[ \t-].*\n)*---[ \t]*(?:\n|\Z)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
_SHOUTED = re.compile(r"^[A-Z][A-Z0-9 /&,'()-]{2,60}$")
"""A heading of a manual page, where what belongs to it is indented."""
_RUNNING_HEAD = re.compile(r"^(\S+\(\w+\))\s{2,}.*\s\1[ \t]*$")
"""The first and the last line of a manual page."""
_RULE = re.compile(r"^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_ITEM = re.compile(r"^([ \t]*)(?:(?:[-*+•]|\d{1,3}[.)、]|[a-zA-Z][.)])[ \t]+\S|\d{1,2}[.)][ \t]*$)")
_ROW = re.compile(r"^[ \t]*\|")
_NOISE = re.compile(
    r"^[ \t]*(?:\{\{[<%].*?[>%]\}\}|</?(?:details|summary|p|div|br|img|center|a)\b[^>]*>|\[?!\[[^\]]*\]\([^)]*\)(?:\]\([^)]*\))?"
    r"|\[[^\]]+\]:[ \t]*\S+.*)+[ \t]*$"
)
_ANCHOR = re.compile(r"<a\b[^>]*>|</a>|\{#[\w-]+\}")
_CODE_SUFFIXES = {
    ".py": "python", ".go": "go", ".java": "java", ".js": "javascript", ".ts": "typescript", ".tsx": "tsx", ".c": "c",
    ".h": "c", ".cc": "cpp", ".cpp": "cpp", ".hpp": "cpp", ".rs": "rust", ".rb": "ruby", ".cs": "csharp", ".php": "php",
    ".sh": "bash", ".bash": "bash", ".sql": "sql", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml",
    ".ini": "ini", ".cfg": "ini", ".conf": "text", ".tf": "hcl", ".hcl": "hcl", ".xml": "xml", ".properties": "ini",
    ".log": "text", ".kt": "kotlin", ".scala": "scala", ".lua": "lua", ".pl": "perl", ".ps1": "powershell",
    ".dockerfile": "dockerfile", ".env": "text",
}  # fmt: skip
LONG_INDENTED = 700
"""Characters from which an indented text is taken apart where it has several entries."""
_CODE_NAMES = {"dockerfile": "dockerfile", "makefile": "makefile", "jenkinsfile": "groovy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a text that belongs together: `text == whole[start:start + len(text)]`."""

    kind: Kind
    text: str
    path: tuple[str, ...]
    start: int


def code_language(source_uri: str) -> str | None:
    """The language of a source file, for its fence; None for a document."""
    name = PurePosixPath(source_uri).name.lower()
    return _CODE_NAMES.get(name) or _CODE_SUFFIXES.get(PurePosixPath(name).suffix)


def blocks_of(text: str, *, path: Sequence[str]) -> list[Block]:
    """The blocks of a section, in reading order. `path` holds the headings above the text and, where the text begins
    with some of them itself, these too.
    """
    return list(_Reader(text, tuple(path)).blocks())


def sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence of a paragraph stands, white space around it left out."""
    spans = []
    start = 0
    for border in [
        match.end() for match in _SENTENCE_END.finditer(text) if not _ABBREVIATION.search(text[: match.start()])
    ]:
        spans.append((start, border))
        start = border
    spans.append((start, len(text)))
    return [_tight(text, start, end) for start, end in spans if text[start:end].strip()]


def items(text: str) -> list[tuple[int, int]]:
    """Where each top-level item of a list stands, with all that is indented below it."""
    starts = []
    offset, least = 0, None
    for line in text.splitlines(keepends=True):
        match = _ITEM.match(line)
        if match:
            indent = len(match[1].expandtabs(4))
            least = indent if least is None else least
            if indent <= least + 1:
                starts.append(offset)
        offset += len(line)
    ends = [*starts[1:], len(text)]
    return [_tight(text, start, end) for start, end in zip(starts, ends, strict=True)]


def entries(text: str) -> list[tuple[int, int]]:
    """Where the entries of an indented text stand, such as the options of a manual page: each begins behind an empty line,
    as far to the left as the first one.
    """
    starts: list[int] = []
    offset, least, blank = 0, None, True
    for line in text.splitlines(keepends=True):
        words = line.strip()
        indent = len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())
        if words and blank and (least is None or indent <= least):
            least = indent
            starts.append(offset)
        blank = not words
        offset += len(line)
    ends = [*starts[1:], len(text)]
    return [(start, start + len(text[start:end].rstrip())) for start, end in zip(starts, ends, strict=True)]


_SENTENCE_END = re.compile(
    r"(?<=[.!?])[\"')\]*_`]*\s+(?=[\"'(\[`*_]*[A-Z0-9\u2e80-\uffff`])|(?<=[。！？])[”’』」）\"']*(?![”’』」）])"
)
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|incl|No|Inc|Fig|St|Dr|Mr|Ms)|\b[A-Z])\.$")


def _tight(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


@dataclass(slots=True)
class _Line:
    start: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()

    @property
    def indent(self) -> int:
        expanded = self.text.expandtabs(4)
        return len(expanded) - len(expanded.lstrip())


class _Reader:
    """Reads a text line by line."""

    def __init__(self, text: str, path: tuple[str, ...]) -> None:
        self._text = text
        self._above = path
        self._headings: list[tuple[int, str]] = []
        self._first_level: int | None = None
        self._headed = -1  # the line below the last heading
        hidden = _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
        front = _FRONT_MATTER.match(hidden)
        self._lines: list[_Line] = []
        offset = 0
        for line in hidden.splitlines(keepends=True):
            if not front or offset >= front.end():
                self._lines.append(_Line(offset, line.rstrip("\n")))
            offset += len(line)
        self._at = 0
        self._inside = self._begins_inside_code()

    def blocks(self) -> Iterator[Block]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if self._at < self._inside:
                yield self._block("code", self._inside)
                self._at += 1
                continue
            if self._heading():
                continue
            if line.blank or any(one.match(line.text) for one in (_RULE, _NOISE, _RUNNING_HEAD)):
                self._at += 1
            elif _FENCE.match(line.text):
                yield self._block("code", self._fence_end())
            elif _ROW.match(line.text):
                yield self._block("table", self._run(lambda one: bool(_ROW.match(one.text))))
            elif _ITEM.match(line.text):
                yield self._block("list", self._list_end())
            elif line.text.lstrip().startswith(">"):
                yield self._block("quote", self._run(lambda one: not one.blank))
            elif line.indent >= 4 and (self._at in (0, self._headed) or self._lines[self._at - 1].blank):
                yield from self._entries(self._block("code", self._run(lambda one: one.indent >= 4 or one.blank)))
            else:
                yield self._block("paragraph", self._paragraph_end())

    def _block(self, kind: Kind, end: int) -> Block:
        start = self._lines[self._at].start
        last = self._lines[end - 1]
        self._at = end
        text = self._text[start : last.start + len(last.text)].rstrip()
        return Block(kind=kind, text=text, path=self._path(), start=start)

    def _begins_inside_code(self) -> int:
        """The line that closes the code in which the text begins, where a long one was cut there; else 0."""
        fences = [(number, line.text.strip()) for number, line in enumerate(self._lines) if _FENCE.match(line.text)]
        if len(fences) % 2 == 0 or fences[0][1].strip("`~"):
            return 0
        opens = len(fences) > 1 and bool(fences[1][1].strip("`~"))
        headed = any(_HEADING.match(line.text) for line in self._lines[: fences[0][0]])
        return fences[0][0] if (opens or len(fences) == 1) and not headed else 0

    @staticmethod
    def _entries(block: Block) -> list[Block]:
        """A long indented text by its entries, so that one option of a command can be quoted by itself."""
        spans = entries(block.text) if len(block.text) > LONG_INDENTED else []
        if len(spans) < 3:
            return [block]
        return [replace(block, text=block.text[start:end], start=block.start + start) for start, end in spans]

    def _heading(self) -> bool:
        """Take a heading, when one stands here."""
        line = self._lines[self._at]
        match = _HEADING.match(line.text)
        following = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else None
        shouted = _SHOUTED.match(line.text) and following is not None and following.indent >= 3 and not following.blank
        if match or shouted:
            self._open(len(match[1]) if match else 1, match[2] if match else line.text.strip())
            self._at += 1
            self._headed = self._at
            return True
        under = _UNDERLINE.match(following.text) if following else None
        if under and not line.blank and len(under[1]) > 2 and not _ITEM.match(line.text) and not _ROW.match(line.text):
            self._open(1 if under[1][0] == "=" else 2, line.text.strip())
            self._at += 2
            return True
        return False

    def _open(self, level: int, words: str) -> None:
        plain = re.sub(r"[*_`]{1,3}(\S(?:.*?\S)?)[*_`]{1,3}", r"\1", _ANCHOR.sub("", words)).strip()
        self._headings = [one for one in self._headings if one[0] < level]
        self._headings.append((level, plain))
        if self._first_level is None:
            self._first_level = level
            if plain in self._above:  # the text begins with a heading that its path knows
                self._above = self._above[: self._above.index(plain)]

    def _path(self) -> tuple[str, ...]:
        return (*self._above, *(words for _, words in self._headings if words))

    def _run(self, goes_on: Callable[[_Line], bool]) -> int:
        end = self._at + 1
        while end < len(self._lines) and goes_on(self._lines[end]):
            end += 1
        while end > self._at + 1 and self._lines[end - 1].blank:
            end -= 1
        return end

    def _fence_end(self) -> int:
        mark = _FENCE.match(self._lines[self._at].text)
        closing = mark[2] if mark else "```"
        for index in range(self._at + 1, len(self._lines)):
            stripped = self._lines[index].text.strip()
            if stripped.startswith(closing) and not stripped.strip(closing[0]):
                return index + 1
        return len(self._lines)

    def _list_end(self) -> int:
        """Items, what is indented below them, and lines that go on right below."""
        base = self._lines[self._at].indent
        index = self._at + 1
        end = index
        while index < len(self._lines):
            line = self._lines[index]
            if line.blank:
                index += 1
                continue
            loose = self._lines[index - 1].blank
            fence = _FENCE.match(line.text)
            if _HEADING.match(line.text) or (_RULE.match(line.text) and not _ITEM.match(line.text)):
                break
            if fence and (line.indent > base or not loose):
                at, self._at = self._at, index
                index = end = self._fence_end()
                self._at = at
                continue
            if fence or (_ROW.match(line.text) and line.indent <= base):
                break
            item = _ITEM.match(line.text)
            if (item and line.indent >= base - 1) or line.indent > base or not loose:
                end = index = index + 1
                continue
            break
        return end

    def _paragraph_end(self) -> int:
        end = self._at + 1
        while end < len(self._lines):
            line = self._lines[end]
            under = end + 1 < len(self._lines) and bool(_UNDERLINE.match(self._lines[end + 1].text))
            if line.blank or under or _HEADING.match(line.text) or _FENCE.match(line.text) or _ROW.match(line.text):
                break
            if _ITEM.match(line.text) or _NOISE.match(line.text):
                break
            end += 1
        return end
