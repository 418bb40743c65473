"""Writes chosen parts of documents as Markdown, each with a citation that opens the very words."""

import re
import textwrap
from collections.abc import Mapping, Sequence

from devops_chatbot.answer.citations import citation
from devops_chatbot.answer.extractive.choosing import Group, Piece
from devops_chatbot.answer.extractive.markup import one_line, squashed, tidied
from devops_chatbot.chat import Citation, Evidence
from knowledge.text.language import is_chinese

LONGEST_QUOTE = 1200
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)")

Source = tuple[int, tuple[str, ...] | None]
"""What a piece is cited as: the number of its evidence and, where those are others than the evidence's own, its headings. So
a long section that was found by one of its passages, or a passage over several short sections, has a citation below each heading.
"""


def written(groups: Sequence[Group], *, more: str) -> tuple[str, tuple[Citation, ...]]:
    """The groups below their headings, with citations from `[1]` in the order in which they appear; `more` stands where a
    section goes on.
    """
    sources = dict.fromkeys(_source(group, piece) for group in groups for piece in group.pieces)
    called = {source: number for number, source in enumerate(sources, 1)}
    titles = [(group.document.title, group.document.source_uri) for group in groups]
    paragraphs: list[str] = []
    for position, group in enumerate(groups):
        again = position > 0 and groups[position - 1].document is group.document
        title, uri = titles[position]
        place = "" if again or not any(title == other and uri != at for other, at in titles) else f" ({uri})"
        paragraphs += [f"{_heading(group, again=again)}{place}", *_body(group, called)]
        if group.more:
            paragraphs.append(f"*{more}*")
    return "\n\n".join(paragraphs), _citations(groups, called)


def _source(group: Group, piece: Piece) -> Source:
    own = next(one.heading_path for number, one in group.document.evidence if number == piece.block.number)
    return piece.block.number, None if piece.block.matched and group.path == own else group.path


def _heading(group: Group, *, again: bool) -> str:
    """The document and the headings that lead to a group, in bold on one line; `again`: the document was just named."""
    names: dict[str, str] = {}
    for name in (group.document.title, *group.path):
        plain = " ".join(tidied(name).replace("*", "").split())
        names.setdefault(re.sub(r"[\W_]", "", plain).lower(), plain)
    shown = [name for bare, name in names.items() if bare]
    return f"**{' › '.join(shown[1:] if again and len(shown) > 1 else shown)}**"


def _body(group: Group, called: Mapping[Source, int]) -> list[str]:
    """The pieces; what their source is called stands behind the last words of each run of one source."""
    paragraphs: list[str] = []
    words = -1  # the last paragraph of this source where a mark can stand
    for piece, following in zip(group.pieces, [*group.pieces[1:], None], strict=True):
        paragraphs.append(_text(piece))
        solid = piece.block.kind in ("code", "records", "table")
        words = words if solid else len(paragraphs) - 1
        if following is not None and _source(group, following) == _source(group, piece):
            continue
        mark = f"[{called[_source(group, piece)]}]"
        if words < 0:
            paragraphs.append(mark)
        else:
            last = paragraphs[words][-1:]
            tight = is_chinese(last) or last in "。！？；：）"
            paragraphs[words] += mark if tight else f" {mark}"
        words = -1
    return paragraphs


def _text(piece: Piece) -> str:
    """What was taken of a block, tidied for reading outside its document; nothing of its words changes."""
    block = piece.block
    parts = [block.text[start:end] for start, end in piece.spans]
    if block.kind == "code":
        return _code("\n\n".join(parts), piece)
    if block.kind == "records":
        return _code(_items(piece), piece)
    if block.kind == "table":
        left_out = len(squashed("".join(parts))) < len(squashed(block.text))
        return tidied("\n".join([*(part.strip() for part in parts), *(["| … |"] if left_out else [])]))
    if block.kind in ("list", "lines"):
        return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", tidied(_items(piece)))
    if block.kind == "item":  # a quotation
        return tidied("\n".join(line.strip() for line in parts[0].splitlines()))
    return " … ".join(one_line(tidied(part)) for part in parts)


def _items(piece: Piece) -> str:
    """The items taken; three dots stand where others were left out, so that no list counts wrongly."""
    text, said, last = piece.block.text, "", 0
    dots = "…" if piece.block.kind == "records" else "\n…\n"
    for start, end in piece.spans:
        left_out = bool(text[last:start].strip())
        said += ("\n" if said else "") + (f"{dots.lstrip() if not said else dots}\n" if left_out else "")
        line = text[text.rfind("\n", 0, start) + 1 : start]
        said += textwrap.dedent(("" if line.strip() else line) + text[start:end])
        last = end
    return said + ("\n\n…" if text[last:].strip() and piece.block.kind != "records" else "")


def _code(text: str, piece: Piece) -> str:
    """Code in a fence of its own, closed whatever was cut."""
    language, inner = piece.block.language or "", text
    if match := _FENCE.match(text):
        language = match[2] or language
        lines = text.splitlines()[1:]
        if lines and lines[-1].strip().startswith(match[1]) and not lines[-1].strip().strip(match[1][0]):
            lines.pop()
        inner = "\n".join(lines)
    inner = textwrap.dedent(inner).strip("\n").rstrip()
    fence = "````" if "```" in inner else "```"
    return f"{fence}{language}\n{inner}{'' if piece.whole else chr(10) + '…'}\n{fence}"


def _citations(groups: Sequence[Group], called: Mapping[Source, int]) -> tuple[Citation, ...]:
    """A citation for each number, with the first words that stand above its first mark."""
    first: dict[Source, Piece] = {}
    evidence = {number: one for group in groups for number, one in group.document.evidence}
    for group in groups:
        for piece in group.pieces:
            source = _source(group, piece)
            if source not in first or (first[source].block.opens and len(first[source].block.text) < 80):
                first[source] = piece  # an introduction by itself says little
    return tuple(
        citation(number, evidence[source[0]], _quote(first[source], evidence[source[0]]), heading_path=source[1])
        for source, number in called.items()
    )


def _quote(piece: Piece, evidence: Evidence) -> str:
    """The words taken, cut at a line when they are long; those lines of them that the evidence itself has, for a block may
    begin in one passage and end in the next.
    """
    table = piece.block.kind == "table" and len(piece.spans) > 1  # its first row says more than its head
    start, end = piece.spans[1 if table else 0]
    words = piece.block.text[start:end].strip()
    if len(words) > LONGEST_QUOTE:
        words = words[: max(words.rfind("\n", 0, LONGEST_QUOTE), 0)].strip() or words[:LONGEST_QUOTE]
    has = squashed(f"{evidence.context}\n{evidence.text}")
    if squashed(words) in has:
        return words
    best: list[str] = []
    run: list[str] = []
    for line in words.splitlines():
        run = [*run, line] if squashed("\n".join([*run, line])) in has else [line] if squashed(line) in has else []
        best = max(best, run, key=lambda lines: len("".join(lines)))
    return "\n".join(best).strip() or words
