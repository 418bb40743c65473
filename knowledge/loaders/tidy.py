"""Takes out of Markdown what only a renderer needs, line by line, so that lines stay the file's own.

Comments, anchors, HTML tags, pictures and needless escapes cost tokens, hide identifiers from the search (`AWS\\_REGION`) and
look bad in a citation. Code is left alone. Pictures go also because a page must not fetch what a document names.
"""

import html
import re
from collections.abc import Sequence

from knowledge.loaders.scripts import lowered, raised

_FREE = re.compile(
    r"""
      (?P<span>(?<!`)(`+)(?!`)[^\n]{0,2000}?[^`\n]\2(?!`))  # code in a line: stays as it is
    | (?P<heading>^\ {0,3}<h(?P<level>[1-6])(?:\s[^<>\n]{0,1000})?>(?P<title>[^\n]{0,500}?)</h(?P=level)>)
    | (?P<code><code>(?P<inner>[^<`\n]{1,1000})</code>)
    | (?P<link><a\s(?:[^<>\n]{0,500}?\s)?href\s*=\s*["']?(?P<href>[^"'\s<>]+)["']?[^<>\n]{0,500}>(?P<words>[^<\n]{1,500})</a>)
    | (?P<script><(?P<place>su[pb])>(?P<small>[^<>\n]{1,80})</su[pb]>)
    | (?P<struck></?(?:del|s|strike)>)
    | (?P<box><input\s[^<>\n]{0,200}type=["']?checkbox[^<>\n]{0,200}>[ \t]?)
    | (?P<component></?(?:Tabs|TabItem|Tab|Card|Accordion|Steps?|Note|Warning|Tip|Info|Caution|Danger|Admonition|Callout)
        (?:\s[^<>\n]{0,500})?>)
    | (?P<tag></?(?:a|b|i|u|p|em|br|hr|img|div|span|sub|sup|strong|center|font|small|kbd|picture|details|summary|h[1-6]|table
        |thead|tbody|tr|td|th|ul|ol|li|blockquote|code)(?:\s[^<>\n]{0,1000})?/?>)
    | (?P<picture>!\[(?P<alt>[^\]\n]{0,500})\](?:\((?:[^()\n]|\([^()\n]{0,500}\)){0,2000}\)|\[[^\]\n]{0,500}\]))
    | (?P<shortcode>\{\{[<%]\s*(?P<call>[^\n]{0,500}?)[>%]\}\}|\{%-?\s*(?P<liquid>[^\n%]{0,500}?)-?%\})
    | (?P<anchor>[ \t]{0,8}\{[#:][^{}\n]{0,200}\}[ \t]*$)
    | (?P<escape>\\[].,()'"/?;=%+{}@&:!#_-])
    | (?P<entity>&(?!lt;|gt;|\#60;|\#62;|\#x3[ce];)(?:[a-z]{2,8}|\#\d{2,5}|\#x[0-9a-f]{2,5});)
    """,
    re.X | re.S | re.I | re.M,
)
_EMPTY_LINK = re.compile(r"(?<!\!)\[[ \t]{0,8}\]\([^()\n]{0,1000}\)")
_DEFINITION = re.compile(
    r"""^ {0,3}\[(?P<label>[^\]^\n][^\]\n]*)\]:[ \t]*<?(?P<target>[^\s>]+)>?(?:[ \t]+["'(][^\n]*["')])?[ \t]*$""", re.M
)
_REFERENCE = re.compile(r"(?<!!)(?<!\])\[(?P<words>[^\[\]\n^][^\[\]\n]*)\](?:\[(?P<label>[^\[\]\n]*)\])?(?![\[(:])")
_SIGNS = re.compile(r"[\\<&{]|!\[")
_ARGUMENT = re.compile(r"""\b(?:text|title|name|label|content|caption|alt|summary)\s*=\s*"([^"]*)\"""")
_KINDS_OF_NOTE = frozenset("note warning caution tip info danger important hint alert".split())
_HIGHLIGHT = re.compile(
    r"^(?P<indent>[ \t]*)\{(?:\{[<%]|%-?)\s*(?P<end>/|end)?highlight\s*(?P<language>[\w+#-]*)[^\n]*\}[ \t]*$", re.M
)
_QUOTED = re.compile(r"""["']([^"']+)["']""")
_NO_WORDS = frozenset({"", "image", "img", "picture", "screenshot", "logo", "image not found", "alt text"})
_BLOCK_MARK = re.compile(
    r"""^(?P<indent>[ \t]*)(?:(?:!!!|\?\?\?\+?|===)[ \t]+(?P<kind>[\w-]+)?[^"\n]*(?:"(?P<title>[^"\n]*)")?
        |:::+[ \t]*(?P<colons>[\w-]*)[ \t]*(?P<after>[^\n{]*?)(?:\{[^\n]*\})?
        |(?P<quote>>[ \t]*)\[!(?P<alert>[A-Z]+)\])[ \t]*$""",
    re.X,
)
_MARKS = ("!!!", "???", "===", ":::", "[!")


def tidy(text: str, code: Sequence[tuple[int, int]]) -> str:
    """`text` with as many lines, without what only a renderer needs; `code` are ranges of characters to leave alone, in order.

    Links by reference become links in place; a definition leaves an empty line.
    """
    free = list(zip([0, *(end for _, end in code)], [*(start for start, _ in code), len(text)], strict=True))
    targets: dict[str, str] = {}
    for start, end in free:
        for found in _DEFINITION.finditer(text, start, end):
            targets.setdefault(_label(found["label"]), found["target"])

    def resolved(found: re.Match[str]) -> str:
        target = targets.get(_label(found["label"] or found["words"]))
        return found.group() if target is None else f"[{found['words']}]({target})"

    parts: list[str] = []
    cursor = 0
    for start, end in free:
        piece = text[start:end]
        if targets:
            piece = _REFERENCE.sub(resolved, _DEFINITION.sub("", piece))
        if _SIGNS.search(piece):
            piece = _uncommented(piece)
            piece = _EMPTY_LINK.sub("", _FREE.sub(_replaced, piece))
        parts += text[cursor:start], piece
        cursor = end
    return "".join((*parts, text[cursor:]))


def unmarked(text: str) -> str:
    """Notes in the dialects of MkDocs (`!!! note`), Docusaurus (`:::note`) and GitHub (`> [!NOTE]`) as plain Markdown.

    What stands indented below a mark of MkDocs moves to the left: CommonMark would take it for code. As many lines.
    """
    if "highlight" in text:
        text = _HIGHLIGHT.sub(lambda found: f"{found['indent']}```{'' if found['end'] else found['language']}", text)
    if not any(mark in text for mark in _MARKS):
        return text
    lines = text.split("\n")
    inside: list[int] = []  # the indentation of each mark that is open
    fence = ""
    for index, line in enumerate(lines):
        body = line.lstrip(" \t")
        if not body:
            continue
        width = len(line[: len(line) - len(body)].expandtabs(4))
        while inside and not fence and width < inside[-1] + 4:
            inside.pop()
        if inside:
            lines[index] = line = " " * max(0, width - 4 * len(inside)) + body
        if body.startswith(("```", "~~~")):
            fence = "" if fence and body.startswith(fence) else fence or body[:3]
        elif not fence and (found := _BLOCK_MARK.match(line)) and (body[0] != "=" or found["title"]):
            lines[index] = found["indent"] + _name(found)
            if body[0] in "!?=":
                inside.append(width)
    return "\n".join(lines)


def _uncommented(text: str) -> str:
    """Without comments; their line ends stay."""
    parts: list[str] = []
    cursor = 0
    while (start := text.find("<!--", cursor)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        if text[start - 1 : start] == "`":  # the mark itself is meant
            parts.append(text[cursor : start + 4])
            cursor = start + 4
            continue
        parts += text[cursor:start], "\n" * text.count("\n", start, end)
        cursor = end + 3
    return "".join((*parts, text[cursor:]))


def _label(words: str) -> str:
    return " ".join(words.casefold().split())


def _name(found: re.Match[str]) -> str:
    kind = found["kind"] or found["colons"] or found["alert"] or ""
    name = (found["title"] or found["after"] or kind).strip()
    return (
        f"{found['quote'] or ''}**{name[:1].upper()}{name[1:] if name != kind else name[1:].lower()}**" if name else ""
    )


def _replaced(found: re.Match[str]) -> str:
    kind, whole = found.lastgroup, found.group()
    if kind == "escape":
        return _escaped(found)
    match kind:
        case "heading":
            title = re.sub(r"<[^>]*>", "", found["title"]).strip()
            return "#" * int(found["level"]) + " " + title if title else ""
        case "code":
            return f"`{found['inner']}`"
        case "link":
            return f"[{found['words']}]({found['href']})"
        case "script":
            line = found.string[found.string.rfind("\n", 0, found.start()) + 1 : found.start()]
            return raised(found["small"]) if found["place"].lower() == "sup" else lowered(found["small"], line)
        case "struck":
            return "~~"
        case "box":
            return "[x] " if re.search(r"\schecked\b", whole) else "[ ] "
        case "component":
            words = _ARGUMENT.search(whole)
            return f"**{words[1]}**" if words else ""
        case "tag":
            return _tag(whole)
        case "picture":
            alt = found["alt"].strip()
            return "" if alt.lower().removeprefix("[").removesuffix("]") in _NO_WORDS else alt
        case "shortcode":
            return _shortcode((found["call"] or found["liquid"] or "").strip())
        case "entity":
            return html.unescape(whole).replace("\xa0", " ")
        case "anchor":
            return ""
    return whole


def _tag(tag: str) -> str:
    name = re.sub(r"[^a-z0-9]", "", tag[1:].lower().split(" ")[0].split("\t")[0])
    closing = tag.startswith("</")
    if name in ("br", "td", "th") and (name == "br" or closing):
        return " "
    return "- " if name == "li" and not closing else ""


def _shortcode(call: str) -> str:
    """Hugo's `{{< ref "page.md" >}}` is its target, a tooltip its text; the others say nothing to a reader."""
    if call.startswith(("ref ", "relref ")):
        target = _QUOTED.search(call)
        return target[1] if target else call.split(maxsplit=1)[1].strip(" \"'>%")
    words = _ARGUMENT.search(call)
    if words:
        return f"**{words[1]}**" if call.startswith(("tab", "accordion", "expand", "details", "steps")) else words[1]
    return f"**{kind.capitalize()}**" if (kind := call.split(" ")[0].lower()) in _KINDS_OF_NOTE else ""


def _escaped(found: re.Match[str]) -> str:
    """The character without its backslash where that renders the same."""
    text, at = found.string, found.start()
    sign = text[at + 1]
    line = text[text.rfind("\n", 0, at) + 1 : at]
    before, after = line[-1:], text[at + 2 : at + 3]
    keep = (
        not line.strip()  # would open a list, a heading or a rule
        or (sign in ".)" and line.strip().isdigit())
        or (sign == "(" and before == "]")
        or (sign == "]")
        or (sign == "_" and not (before.isalnum() and after.isalnum()))
        or (sign == "!" and after == "[")
        or (sign == "&" and after.isalpha())
        or (sign == ":" and not before.isalnum())
        or (sign == "{" and after in ("{", "%"))
    )
    return found.group() if keep else sign
