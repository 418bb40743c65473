"""Writes chosen parts of documents as Markdown with citations."""

import re
import textwrap
from collections.abc import Mapping, Sequence

from devops_chatbot.answer.citations import citation
from devops_chatbot.chat import Citation, Evidence
from devops_chatbot.llm.extract.choose import Group, Piece
from devops_chatbot.llm.extract.views import squashed
from knowledge.text.language import is_chinese

LONGEST_QUOTE = 1200
SPACE_BETWEEN = 40
"""Characters of white space between two entries, at most."""

_CODE_SPAN = re.compile(r"(`+[^`\n]*`+)")
_IMAGE = re.compile(r"!\[(?:[^\]\[\\]|\\.|\[[^\]]*\])*\](?:\([^)]*\)|\[[^\]]*\])")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)\s]*(?:\s+\"[^\"]*\")?\)|\[([^\]]+)\]\[[^\]]*\]")
_ANY_LINK = re.compile(r"\[([^\]]+)\]\([^)\s]*\)")
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}\](?!\()")
_TAG = re.compile(
    r"</?(?:a|b|i|u|p|br|hr|div|span|em|strong|code|pre|sup|sub|img|details|summary|center|font|small|kbd|ul|ol|li|table|tr|td|th"
    r"|tbody|thead|h[1-6])\b[^<>\n]*>|<!--.*?-->|\{#[\w-]+\}|\{\{[<%].*?[>%]\}\}",
    re.IGNORECASE | re.DOTALL,
)
_LOOSE_BOLD = re.compile(r"(?m)^\*\*[ \t]+([^\s*][^*\n]*?)[ \t]*\*\*(?=\s|$)")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)")


def heading(group: Group, *, again: bool = False, place: str = "") -> str:
    """The document and the headings that lead to a group, in bold on one line; `again`: the document was just named.
    `place` tells two documents of one name apart.
    """
    names: list[str] = []
    for name in (group.view.title, *group.path):
        plain = " ".join(_ANY_LINK.sub(r"\1", _TAG.sub("", name)).replace("*", "").split())
        if plain and _bare(plain) not in [_bare(one) for one in names]:
            names.append(plain)
    line = f"**{' › '.join(names[1:] if again and len(names) > 1 else names)}**"
    return f"{line} ({place})" if place and not again else line


Source = tuple[int, tuple[str, ...] | None]
"""What a piece is cited as: the number of its evidence and, where it stands around the evidence's passage and not in it,
its headings. So a long section that was found by one of its passages has a citation below each of its headings.
"""


def _source(group: Group, piece: Piece) -> Source:
    return piece.cited.number, None if piece.cited.matched else group.path


def numbers(groups: Sequence[Group]) -> dict[Source, int]:
    """What each source is called in the answer: from 1, in the order of first appearance."""
    found = dict.fromkeys(_source(group, piece) for group in groups for piece in group.pieces)
    return {source: position for position, source in enumerate(found, 1)}


def body(group: Group, *, more: str, called: Mapping[Source, int]) -> str:
    """The pieces of a group; what their source is `called` stands behind the last words of each run, before code."""
    paragraphs: list[str] = []
    run: list[int] = []
    before: Piece | None = None
    for index, piece in enumerate(group.pieces):
        if before is not None and run and _goes_on(before, piece):
            paragraphs[-1] = _joined_code(paragraphs[-1], piece_text(piece), gap=_gap(before, piece))
        else:
            run.append(len(paragraphs))
            paragraphs.append(piece_text(piece))
        before = piece
        following = group.pieces[index + 1] if index + 1 < len(group.pieces) else None
        if following is not None and _source(group, following) == _source(group, piece):
            continue
        words = [position for position in run if not _solid(paragraphs[position])]
        mark = f"[{called[_source(group, piece)]}]"
        if words:
            paragraphs[words[-1]] = _marked(paragraphs[words[-1]], mark)
        else:
            paragraphs.append(mark)
        run = []
    if group.more:
        paragraphs.append(f"*{more}*")
    return "\n\n".join(paragraphs)


def _goes_on(before: Piece, piece: Piece) -> bool:
    """Whether two pieces are entries of one indented text, so that they stand in one fence."""
    blocks = (before.cited.block, piece.cited.block)
    return all(block.kind == "code" and not _FENCE.match(block.text) for block in blocks) and not piece.cited.language


def _gap(before: Piece, piece: Piece) -> bool:
    """Whether something between them was left out."""
    block = before.cited.block
    return not 0 <= piece.cited.block.start - (block.start + len(block.text)) <= SPACE_BETWEEN


def _joined_code(first: str, second: str, *, gap: bool) -> str:
    """Two texts in fences as one."""
    mark = first[: len(first) - len(first.lstrip("`"))]
    inner = second.split("\n", 1)[1].rsplit("\n", 1)[0]
    between = "\n\n…\n\n" if gap else "\n\n"
    return f"{first.removesuffix(mark).rstrip()}{between}{inner}\n{mark}"


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
        rows = [part.strip() for part in parts]
        if not piece.whole and piece.size < len(block.text.strip()) - len(rows):
            rows.append("| … |")
        return _tidied("\n".join(rows))
    if block.kind == "list":
        text = _items(piece, parts)
        return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", _tidied(text))
    if block.kind == "quote":
        return _tidied("\n".join(line.strip() for line in parts[0].splitlines()))
    return " … ".join(_one_line(_tidied(part)) for part in parts)


def _items(piece: Piece, parts: Sequence[str]) -> str:
    """The items taken; three dots stand where others were left out, so that no list counts wrongly."""
    text = piece.cited.block.text
    said, last = "", 0
    for (start, end), part in _zip(piece, parts):
        left_out = bool(text[last:start].strip())
        said += ("\n\n…\n\n" if said else "…\n\n") if left_out else "\n" if said else ""
        said += textwrap.dedent(_first_indent(text, start) + part)
        last = end
    return f"{said}\n\n…" if text[last:].strip() else said


def quoted(groups: Sequence[Group], *, called: Mapping[Source, int]) -> tuple[Citation, ...]:
    """A citation for each number, in their order, with the words that stand above its first mark."""
    runs: dict[Source, list[Piece]] = {}
    evidence = {number: one for group in groups for number, one in group.view.evidence}
    for group in groups:
        seen = set(runs)
        for piece in group.pieces:
            if _source(group, piece) not in seen:
                runs.setdefault(_source(group, piece), []).append(piece)
    return tuple(
        citation(
            number, evidence[source[0]], _within(_quote(runs[source]), evidence[source[0]]), heading_path=source[1]
        )
        for source, number in called.items()
    )


def _within(words: str, evidence: Evidence) -> str:
    """Those lines of a quotation, one below the other, that the evidence itself has: a block may begin in one passage and
    end in the next.
    """
    has = squashed(f"{evidence.context}\n{evidence.text}")
    if squashed(words) in has:
        return words
    best: list[str] = []
    run: list[str] = []
    for line in words.splitlines():
        run = [*run, line] if squashed("\n".join([*run, line])) in has else [line] if squashed(line) in has else []
        if len("".join(run)) > len("".join(best)):
            best = run
    return "\n".join(best).strip() or words


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
    return _LOOSE_BOLD.sub(r"**\1**", _TAG.sub("", _FOOTNOTE.sub("", text)))


def _one_line(text: str) -> str:
    """The lines of a paragraph joined, without a space between Chinese characters; a line that is broken on purpose (two
    spaces at its end) stays so.
    """
    joined, breaks = "", False
    for line in text.splitlines():
        words = line.strip()
        if not words:
            continue
        if not joined:
            glue = ""
        elif breaks:
            glue = "  \n"
        else:
            glue = "" if (is_chinese(joined[-1]) and is_chinese(words[0])) or joined[-1] in "，。、；：" else " "
        joined += glue + words.removesuffix("\\")
        breaks = line.endswith(("  ", "\\"))
    return joined


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()
