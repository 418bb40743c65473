"""Evidence put together by document: its sections in reading order, each block with the evidence that it is cited by."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devops_chatbot.chat import Evidence
from devops_chatbot.llm.extract.blocks import Block, blocks_of, code_language, sentences
from knowledge.text.language import is_chinese

_ORDINAL = re.compile(r"-(\d+)$")
_LINK = re.compile(r"\[[^\]]*\]\([^\s]*\)+|https?://\S+")
_NAVIGATION = re.compile(
    r"\b(?:next|prev|previous|up|home|top|contents|index)(?: \w+)?\s*(?::|»|→)|(?:上一[页篇节]|下一[页篇节])", re.I
)
LONGEST_NAVIGATION = 300
_PICTURE = re.compile(
    r"\b(?:following|below) (?:diagram|image|figure|picture|screenshot|screen shot|illustration|graphic)\b"
    r"|\b(?:diagram|image|figure|picture|screenshot) below\b|(?:下图|如图)[^。]*[。：:]?$",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*[^*]+\*\*(?:<a[^>]*></a>)?:?")
OVERLAP = 24
"""Characters that two texts have in common at least where one goes on in the other."""
SHORT = 12
"""Characters (without white space) up to which a block may stand in another one by chance."""
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A block, the number of the evidence that it is cited by, and whether that evidence's own passage holds it (else
    it is from the section around).
    """

    block: Block
    number: int
    matched: bool
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What stands below one heading, up to the next."""

    path: tuple[str, ...]
    blocks: tuple[Cited, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(one.block.text for one in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was found of one document; `evidence` with its numbers, best first."""

    title: str
    source_uri: str
    evidence: tuple[tuple[int, Evidence], ...]
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(section.text for section in self.sections)


def views(evidence: Sequence[Evidence]) -> list[View]:
    """A view of each document, in the order in which the documents were found; those without any text left out."""
    by_document: dict[tuple[str | None, str], list[tuple[int, Evidence]]] = {}
    for number, one in enumerate(evidence, 1):
        by_document.setdefault((one.collection, one.source_uri or one.ref), []).append((number, one))
    found = [_view(numbered) for numbered in by_document.values()]
    return [view for view in found if view.sections]


def size_of(text: str) -> int:
    """Characters, a Chinese one counted twice: about the room it takes and the time it takes to read."""
    return len(text) + sum(map(is_chinese, text))


def squashed(text: str) -> str:
    """A text without its white space, to find it wherever its lines break."""
    return _SPACE.sub("", text)


def _view(numbered: Sequence[tuple[int, Evidence]]) -> View:
    best = numbered[0][1]
    passages = [(number, squashed(one.text), squashed(one.context)) for number, one in numbered]
    sections: dict[tuple[str, ...], list[Cited]] = {}
    parsed: list[tuple[int, str | None, Block, str]] = []
    for one, text in _stretches([evidence for _, evidence in numbered]):
        language = code_language(one.source_uri)
        number = next(number for number, each in numbered if each is one)
        path = tuple(heading for heading in one.heading_path if heading)
        blocks = [Block(kind="code", text=text, path=path, start=0)] if language else blocks_of(text, path=path)
        parsed += [(number, language, block, squashed(block.text)) for block in blocks]
    for position, (number, language, block, key) in enumerate(parsed):
        following = parsed[position + 1][2] if position + 1 < len(parsed) else None
        if not key or _label(block) or _links_only(block) or _announces_picture(block):
            continue
        if _BOLD.fullmatch(block.text) and (following is None or _links_only(following)):
            continue  # the caption of links
        if any(
            block.path == other.path
            and (words == key if place < position else key != words and len(key) > SHORT and key in words)
            for place, (_, _, other, words) in enumerate(parsed)
        ):
            continue  # the same, or a part of what another passage holds whole
        cited, matched = _cited_by(key, passages, number)
        place_of = sections.setdefault(block.path, [])
        place_of.append(Cited(block=block, number=cited, matched=matched, language=language))
    return View(
        title=best.title or best.source_uri,
        source_uri=best.source_uri,
        evidence=tuple(numbered),
        sections=tuple(Section(path=path, blocks=tuple(blocks)) for path, blocks in sections.items()),
    )


def _label(block: Block) -> bool:
    """A word or two without an end, such as the caption of something that unfolds ("Full context")."""
    words = block.text.split()
    return (
        block.kind == "paragraph"
        and len(words) <= 3
        and block.text.isascii()
        and block.text[-1:].isalpha()
        and (len(block.text) < 20 and "`" not in block.text)
    )


def _links_only(block: Block) -> bool:
    """References with hardly a word of its own: a list of links, or the line that leads from page to page."""
    if block.kind == "list":
        return not re.search(r"[^\W\d_]", _LINK.sub("", block.text))
    if block.kind != "paragraph":
        return False
    links = len(_LINK.findall(block.text))
    rest = re.findall(r"\w+", _LINK.sub("", block.text))
    return (links > 1 and not rest) or (
        len(_NAVIGATION.findall(block.text)) > 1 and len(block.text) < LONGEST_NAVIGATION
    )


def _announces_picture(block: Block) -> bool:
    """Nothing but the words before a picture, which an answer does not show."""
    return block.kind == "paragraph" and len(sentences(block.text)) == 1 and bool(_PICTURE.search(block.text))


def _stretches(evidence: Sequence[Evidence]) -> list[tuple[Evidence, str]]:
    """What was found of a document, in reading order; contexts that overlap are one stretch (source code keeps each of its
    passages as it is).
    """
    stretches: list[tuple[Evidence, str]] = []
    for one in _contexts(evidence):
        if code_language(one.source_uri):
            stretches.append((one, one.text))
            continue
        text = one.context if one.text.strip() in one.context else one.text
        before = stretches[-1][1] if stretches else ""
        common = _overlap(before, text)
        if common:
            stretches[-1] = (stretches[-1][0], before + text[common:])
        else:
            stretches.append((one, text))
    return stretches


def _overlap(first: str, second: str) -> int:
    """How many characters at the end of the first text are the beginning of the second one."""
    head = second[:OVERLAP]
    place = first.find(head) if len(head) == OVERLAP else -1
    while place >= 0:
        if second.startswith(first[place:]):
            return len(first) - place
        place = first.find(head, place + 1)
    return 0


def _contexts(evidence: Sequence[Evidence]) -> list[Evidence]:
    """In reading order, without those whose section stands in another's (source code keeps each of its passages)."""
    kept: list[Evidence] = []
    for one in sorted(evidence, key=lambda each: -len(each.context)):
        if code_language(one.source_uri) or not any(_within(one, other) for other in kept):
            kept.append(one)
    return sorted(kept, key=_order)


def _within(one: Evidence, other: Evidence) -> bool:
    return bool(one.context.strip()) and one.context.strip() in other.context


def _order(evidence: Evidence) -> tuple[int, int]:
    ordinal = _ORDINAL.search(evidence.ref)
    line = evidence.location.line_start or evidence.location.page or 0
    return (int(ordinal[1]) if ordinal else line, line)


def _cited_by(block: str, passages: Sequence[tuple[int, str, str]], otherwise: int) -> tuple[int, bool]:
    """The first evidence whose passage holds the block, or holds half of it at least; else the first one whose section
    does.
    """
    for number, passage, _ in passages:
        if block in passage or passage in block:
            return number, True
    half = len(block) // 2
    for number, passage, _ in passages:
        if half > 40 and (block[:half] in passage or block[-half:] in passage):
            return number, True
    return next((number for number, _, context in passages if block in context), otherwise), False
