"""Text without structure, data and settings by their lines, and source code with the names of what it defines."""

import re
from itertools import pairwise

from devops_chatbot.i18n import Reason
from knowledge.loaders.loader import KILOBYTE, Loader, text_loader
from knowledge.loaders.sections import Heading, sections_of, title_of
from knowledge.model import ParsedDocument
from knowledge.text import formats
from knowledge.text.machine import without_minified
from knowledge.text.markdown import LONGEST_HEADING

_MODIFIERS = (
    r"(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|async|unsafe|open|data|sealed"
    r"|override|virtual|inline|partial|pub(?:\([a-z]{1,20}\))?)[ \t]+){0,6}"
)


def _defining(keywords: str) -> re.Pattern[str]:
    """Lines that begin with one of the words and the name of what they define."""
    return re.compile(
        rf"^(?P<indent>[ \t]*){_MODIFIERS}(?:{keywords})[ \t]+"
        r"(?:\([^)\n]{0,80}\)[ \t]*)?(?P<name>(?:\"[\w./:-]+\"[ \t]*){1,2}|[A-Za-z_$][\w.:$<>?!-]*)",
        re.M,
    )


_KEYWORD = _defining(
    r"def|class|func|fn|function\*?|interface|struct|enum|trait|impl|module|namespace|type|object|record|protocol|extension"
    r"|defmodule|defp|sub|CREATE[ \t]+(?:OR[ \t]+REPLACE[ \t]+)?\w+"
)
_CURLY = re.compile(
    r"^(?P<indent>[ \t]{0,8})"
    r"(?!(?:if|for|foreach|while|switch|else|return|catch|do|try|new|throw|case|using|lock|with|await)\b)"
    r"(?:[\w<>\[\],.*&:?~]{1,60}[ \t]+){0,6}[*&]{0,2}(?P<name>~?[A-Za-z_$][\w$:]*)[ \t]*\([^;{}()\n]{0,300}\)[ \t]*"
    r"(?:(?:const|noexcept|override|final|throws[ \t][\w., \t]{1,100}|:[ \t]*[\w<>\[\]|. ]{1,60}"
    r"|->[ \t]*[\w<>\[\]&*:. ]{1,60})[ \t]*){0,3}\{",
    re.M,
)
_ARROW = re.compile(
    r"^(?P<indent>[ \t]{0,8})(?:export[ \t]+)?(?:default[ \t]+)?(?:const|let|var)[ \t]+(?P<name>[A-Za-z_$][\w$]*)"
    r"[^=\n]{0,80}=[ \t]*(?:async[ \t]*)?"
    r"(?:function\b|\([^()\n]{0,200}\)[^=\n]{0,60}=>|[A-Za-z_$][\w$]*[ \t]*=>)",
    re.M,
)
_SHELL = re.compile(
    r"^(?P<indent>[ \t]*)(?:function[ \t]+)?(?P<name>[A-Za-z_][\w:.-]*)[ \t]*(?:\(\)[ \t]*\{?|\{)[ \t]*$", re.M
)
_RULE = re.compile(r"^(?P<indent>)(?P<name>[A-Za-z0-9_.%/-]+(?:[ \t]+[A-Za-z0-9_.%/-]+)*)[ \t]*:(?!=)", re.M)
_PATTERNS = {
    "bash": (_SHELL,),
    "makefile": (_RULE,),
    "python": (_defining("def|class"),),
    "hcl": (_defining("resource|data|variable|output|provider|module"),),
    "protobuf": (_defining("message|service|rpc|enum"),),
    "dockerfile": (_defining("FROM"),),
    **dict.fromkeys(("javascript", "typescript", "vue", "svelte"), (_KEYWORD, _ARROW, _CURLY)),
    **dict.fromkeys(
        ("java", "c", "cpp", "csharp", "php", "dart", "objective-c", "kotlin", "swift", "groovy"), (_KEYWORD, _CURLY)
    ),
    **dict.fromkeys(("css", "bat", "cmake", "jinja", "nginx", "yaml", "promql", "graphql"), ()),
}
_LEADING = re.compile(r"\s*(?:#(?!include|define|if|endif)|//|/?\*|@\w|\[\w[^\]]*\]\s*$|--\s|///|\"\"\")")
_TABLE = re.compile(r"^\[{1,2}(?P<name>[^\[\]\n]{1,200})\]{1,2}[ \t]*(?:[#;].*)?$", re.M)
_KIND = re.compile(r"^kind:[ \t]*[\"']?(\w+)", re.M)
_NAME = re.compile(r"^metadata:[ \t]*\n(?:[ \t]+.*\n){0,60}?[ ]{1,4}name:[ \t]*[\"']?([^\s\"'#]+)", re.M)
_RULE_OF = re.compile(r"^(?P<indent>[ ]*)-[ ]+(?:alert|record):[ \t]*[\"']?(?P<name>[\w:.-]+)", re.M)
_ESCAPES = re.compile(r"(?:\\+u(?!00[0-7])[0-9a-fA-F]{4})+")
_UNIT = re.compile(r"u([0-9a-fA-F]{4})")
_DEEPEST = 8
_LONGEST_LEAD = 40


def load_text(text: str, name: str) -> ParsedDocument:
    """Any other text, lines as in the file; data and settings have their tables, objects or head as sections."""
    language = formats.language_of_file(name, text)
    if language is not None and "\\u" in text:
        text = _ESCAPES.sub(_unescaped, text)
    headings: list[Heading] = []
    if language in ("toml", "ini"):
        headings = [Heading(level=1, title=m["name"].strip(), start=m.start()) for m in _TABLE.finditer(text)]
    elif language == "yaml":
        headings = _manifests(text)
    elif language in ("csv", "tsv"):
        headings = _head(text)
    return ParsedDocument(
        text=text,
        title=title_of(name) if language is None or formats.suffix_of(name) in formats.PROSE else _base(name),
        loader="text",
        sections=sections_of(headings, begin=0, end=len(text)),
        has_lines=True,
        code_language=language,
    )


def _head(text: str) -> list[Heading]:
    """The names of the columns of a table of values stand above all of its rows."""
    start = len(text) - len(text.lstrip("\n"))
    head = text[start:].partition("\n")[0].strip()
    fields = [field.strip(" \"'") for field in re.split(r"[,;\t|]", head)]
    named = len(fields) > 1 and all(fields) and not any(field.replace(".", "").isdigit() for field in fields)
    return [Heading(level=1, title=", ".join(fields)[:LONGEST_HEADING], start=start)] if named else []


def _unescaped(found: re.Match[str]) -> str:
    """Characters written as `\\u738b`, in JSON, properties or a log, as themselves; what is no letter or sign stays."""
    units = [int(unit, 16) for unit in _UNIT.findall(found[0])]
    text = b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le", "replace")
    return text if text.isprintable() and not text.isascii() and "\ufffd" not in text else found[0]


def _manifests(text: str) -> list[Heading]:
    """Kubernetes objects by kind and name, and the alerts and recorded series of rule files."""
    headings: list[Heading] = []
    borders = [0, *(match.start() for match in re.finditer(r"^---", text, re.M)), len(text)]
    for start, end in pairwise(borders):
        kind, named = _KIND.search(text, start, end), _NAME.search(text, start, end)
        if kind:
            title = f"{kind[1]} {named[1]}" if named else kind[1]
            headings.append(Heading(level=1, title=title, start=start))
        rules = _RULE_OF.finditer(text, start, end)
        headings += [Heading(level=2, title=rule["name"], start=rule.start()) for rule in rules]
    return headings


def load_code(text: str, name: str) -> ParsedDocument:
    """Source code: a definition opens a section, nested by its indentation, with the comments and decorators right above it."""
    language = formats.language_of_file(name) or "text"
    text, removed = without_minified(text)
    found: dict[int, Heading] = {}
    for pattern in _PATTERNS.get(language, (_KEYWORD,)):
        for match in pattern.finditer(text):
            width = len(match["indent"].expandtabs(4))
            if width <= _DEEPEST:
                title = " ".join(match["name"].replace('"', " ").rstrip(":<?!").split())
                found.setdefault(match.start(), Heading(level=1 + width // 2, title=title, start=match.start()))
    headings: list[Heading] = []
    for start in sorted(found):
        floor = headings[-1].start + 1 if headings else 0
        one = found[start]
        headings.append(Heading(level=one.level, title=one.title, start=_with_lead(text, start, floor)))
    return ParsedDocument(
        text=text,
        title=_base(name),
        loader="code",
        sections=sections_of(headings, begin=0, end=len(text)),
        has_lines=True,
        code_language=language,
        notes=(Reason("left_out.machine", kb=round(removed / KILOBYTE)),) if removed >= KILOBYTE else (),
    )


def _with_lead(text: str, start: int, floor: int) -> int:
    """The start of the comments and decorators that stand directly above the line at `start`."""
    for _ in range(_LONGEST_LEAD):
        above = text.rfind("\n", 0, max(0, start - 1)) + 1
        if start == 0 or above < floor or not _LEADING.match(text[above:start]):
            break
        start = above
    return start


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


TEXT_LOADER = Loader(
    version=3,
    suffixes=formats.PROSE | frozenset(formats.LINES),
    names=formats.PROSE_NAMES | frozenset(formats.LINES_NAMES),
    load=text_loader(load_text),
)
CODE_LOADER = Loader(
    version=3,
    suffixes=frozenset(formats.CODE),
    names=frozenset(formats.CODE_NAMES),
    load=text_loader(load_code),
)
