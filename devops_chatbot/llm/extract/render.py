"""Writes chosen parts of documents as Markdown with citations."""

import re
import textwrap
from collections.abc import Mapping, Sequence

from devops_chatbot.chat import Citation
from devops_chatbot.citing import citation
from devops_chatbot.language import is_chinese
from devops_chatbot.llm.extract.choose import Group, Piece

LONGEST_QUOTE = 1200

_CODE_SPAN = re.compile(r"(`+[^`\n]*`+)")
_IMAGE = re.compile(r"!\[(?:[^\]\[\\]|\\.|\[[^\]]*\])*\](?:\([^)]*\)|\[[^\]]*\])")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)\s]*(?:\s+\"[^\"]*\")?\)|\[([^\]]+)\]\[[^\]]*\]")
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}\](?!\()")
_TAG = re.compile(
    r"</?(?:a|b|i|u|p|br|hr|div|span|em|strong|code|pre|sup|sub|img|details|summary|center|font|small|kbd|ul|ol|li|table|tr|td|th"
    r"|tbody|thead|h[1-6])\b[^<>\n]*>|<!--.*?-->|\{#[\w-]+\}|\{\{[<%].*?[>%]\}\}",
    re.IGNORECASE | re.DOTALL,
)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)")


def heading(group: Group, *, again: bool = False, place: str = "") -> str:
    """The document and the headings that lead to a group, in bold on one line; `again`: the document was just named.
    `place` tells two documents of one name apart.
    """
    names: list[str] = []
    for name in (group.view.title, *group.path):
        plain = " ".join(_TAG.sub("", name).replace("*", "").split())
        if plain and _bare(plain) not in [_bare(one) for one in names]:
            names.append(plain)
    line = f"**{' › '.join(names[1:] if again and len(names) > 1 else names)}**"
    return f"{line} ({place})" if place and not again else line


def numbers(groups: Sequence[Group]) -> dict[int, int]:
    """What each evidence's number is called in the answer: from 1, in the order of first appearance."""
    found = dict.fromkeys(piece.cited.number for group in groups for piece in group.pieces)
    return {number: position for position, number in enumerate(found, 1)}


def body(group: Group, *, more: str, called: Mapping[int, int]) -> str:
    """The pieces of a group; what their evidence is `called` stands behind the last words of each run, before code."""
    paragraphs: list[str] = []
    run: list[int] = []
    for index, piece in enumerate(group.pieces):
        run.append(len(paragraphs))
        paragraphs.append(piece_text(piece))
        following = group.pieces[index + 1] if index + 1 < len(group.pieces) else None
        if following is not None and following.cited.number == piece.cited.number:
            continue
        words = [position for position in run if not _solid(paragraphs[position])]
        mark = f"[{called[piece.cited.number]}]"
        if words:
            paragraphs[words[-1]] = _marked(paragraphs[words[-1]], mark)
        else:
            paragraphs.append(mark)
        run = []
    if group.more:
        paragraphs.append(f"*{more}*")
    return "\n\n".join(paragraphs)


def _solid(text: str) -> bool:
    """Code or a table, where a mark cannot stand."""
    return text.rstrip().endswith("```") or text.lstrip().startswith("|")


def piece_text(piece: Piece) -> str:
    """What was taken of a block, tidied for reading outside its document; nothing of its words changes."""
    block = piece.cited.block
    parts = [block.text[start:end] for start, end in piece.spans]
    if block.kind == "code":
        return _code(parts[0], piece)
    if block.kind == "table":
        rows = "\n".join(part.strip() for part in parts)
        return _tidied(rows)
    if block.kind == "list":
        text = "\n".join(
            textwrap.dedent(_first_indent(block.text, start) + part) for (start, _), part in _zip(piece, parts)
        )
        return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", _tidied(text))
    if block.kind == "quote":
        return _tidied("\n".join(line.strip() for line in parts[0].splitlines()))
    return " … ".join(_one_line(_tidied(part)) for part in parts)


def quoted(groups: Sequence[Group], *, called: Mapping[int, int]) -> tuple[Citation, ...]:
    """A citation for each number, in their order, with the words that stand above its first mark."""
    runs: dict[int, list[Piece]] = {}
    evidence = {number: one for group in groups for number, one in group.view.evidence}
    for group in groups:
        seen = set(runs)
        for piece in group.pieces:
            if piece.cited.number not in seen:
                runs.setdefault(piece.cited.number, []).append(piece)
    return tuple(citation(called[number], evidence[number], _quote(pieces)) for number, pieces in runs.items())


def _quote(pieces: Sequence[Piece]) -> str:
    """The first words taken: a stretch of one block, cut at a line or sentence when it is long."""
    first = pieces[0]
    if first.cited.block.kind == "paragraph" and len(pieces) > 1 and len(first.cited.block.text) < 80:
        first = pieces[1]  # an introduction by itself says little
    start, end = first.spans[0]
    if first.cited.block.kind == "table" and len(first.spans) > 2:
        start, end = first.spans[2]  # the first row that fits says more than the table's head
    text = first.cited.block.text[start:end].strip()
    return (
        text
        if len(text) <= LONGEST_QUOTE
        else text[: text.rfind("\n", 0, LONGEST_QUOTE)].strip() or text[:LONGEST_QUOTE]
    )


def _marked(text: str, mark: str) -> str:
    last = text[-1:]
    return f"{text}{mark}" if is_chinese(last) or last in "。！？；：）" else f"{text} {mark}"


def _code(text: str, piece: Piece) -> str:
    """Code in a fence of its own, closed whatever was cut."""
    language = piece.cited.language or ""
    match = _FENCE.match(text)
    inner = text
    if match:
        language = match[2] or language
        lines = text.splitlines()[1:]
        if lines and lines[-1].strip().startswith(match[1][:3]) and not lines[-1].strip().strip(match[1][0]):
            lines.pop()
        inner = "\n".join(lines)
    inner = textwrap.dedent(inner).strip("\n").rstrip()
    fence = "````" if "```" in inner else "```"
    dots = "" if piece.whole else "\n…"
    return f"{fence}{language}\n{inner}{dots}\n{fence}"


def _zip(piece: Piece, parts: Sequence[str]) -> list[tuple[tuple[int, int], str]]:
    return list(zip(piece.spans, parts, strict=True))


def _first_indent(text: str, start: int) -> str:
    """The white space in front of the first line of a part, which `dedent` needs to see."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return line if not line.strip() else ""


def _tidied(text: str) -> str:
    """Without images, tags, footnote marks and links that lead nowhere outside the document; code spans stay."""
    spans = _CODE_SPAN.split(text)
    return "".join(part if index % 2 else _plain(part) for index, part in enumerate(spans)).strip()


def _plain(text: str) -> str:
    text = _IMAGE.sub("", text)
    text = _LINK.sub(lambda match: match[1] or match[2], text)
    return _TAG.sub("", _FOOTNOTE.sub("", text))


def _one_line(text: str) -> str:
    """The lines of a paragraph joined, without a space between Chinese characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    joined = ""
    for line in lines:
        glue = (
            "" if not joined or (is_chinese(joined[-1]) and is_chinese(line[0])) or joined[-1] in "，。、；：" else " "
        )
        joined += glue + line
    return joined


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()
