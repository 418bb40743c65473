"""Chooses what of a document answers a question: whole sections where they are asked for, else the best passage."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devops_chatbot.llm.extract.blocks import items, sentences
from devops_chatbot.llm.extract.relevance import Relevance
from devops_chatbot.llm.extract.scope import NOTHING_ELSE, asked, common, points_elsewhere
from devops_chatbot.llm.extract.views import Cited, Section, View, size_of
from knowledge.text.language import terms

WHOLE_SECTION = 900
"""A section up to this size is taken as it is; sizes count a Chinese character as two."""
WHOLE_BLOCK = 1100
"""A list or table up to this size stays whole even where one line of it would do; code always does, up to its limit."""
LONGEST_CODE = 2400
WHOLE_PROSE = 420
LONG_PARAGRAPH = 360
SHORT_SENTENCE = 200
"""A single sentence below this size takes the next one along."""
NEAR_BEST = 0.72
"""Parts that fit the question nearly as well as the best one are taken too."""
INTRODUCTION = 240
_COLON = (":", "：")
_LEANS = re.compile(
    r"^(?:it|its|this|that|these|those|they|them|such|however|also|then|therefore|otherwise|instead|in this case|if so"
    r"|for example|the following|其|该|它|他|她|这|那|此|因此|所以|但|然而|另外|同时|例如|以下)(?![A-Za-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A block, or those stretches of it that were taken; stretches are in reading order."""

    cited: Cited
    spans: tuple[tuple[int, int], ...]

    @property
    def whole(self) -> bool:
        text = self.cited.block.text
        return self.spans == ((0, len(text)),)

    @property
    def size(self) -> int:
        return sum(size_of(self.cited.block.text[start:end]) for start, end in self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Pieces below one heading of a document; `more` says that the section goes on."""

    view: View
    path: tuple[str, ...]
    pieces: tuple[Piece, ...]
    more: bool = False

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)


def choose(view: View, relevance: Relevance, *, room: int, focused: bool = False) -> list[Group]:
    """The parts of a document that answer the question best, in reading order, within the room (the first part may go
    over it a little, so that nothing is torn). `focused` wants the best passage alone.
    """
    scored = [(_score(section, view, relevance), section) for section in view.sections]
    best = max(score for score, _ in scored)
    wanted = [] if focused else asked(view, relevance)
    if wanted:
        return _filled(view, wanted, relevance, room)
    near = [(score, section) for score, section in scored if score >= best * 0.92]
    ranked = [section for _, section in sorted(near, key=lambda each: -each[0])]
    groups: list[Group] = []
    left = room
    for section in ranked[: 1 if focused else 2]:
        group = _focused(view, section, relevance, left if groups else room)
        if groups and group.size > left:
            break
        groups.append(group)
        left -= group.size
    order = {section.path: position for position, section in enumerate(view.sections)}
    return sorted(groups, key=lambda group: order[group.path])


def _score(section: Section, view: View, relevance: Relevance) -> float:
    """How well a section fits: its words, its best part, its headings, and whether the search found it. What the document
    is called says nothing here.
    """
    headings = section.path[common(view.sections) :]
    named = " ".join(headings)
    share = relevance.share(f"{named}\n{section.text}")
    part = max(part_score(text, relevance, named=named) for one in section.blocks for text in parts_of(one))
    ranks = [one.number for one in section.blocks if one.matched]
    found = 0.35 / min(ranks) if ranks else 0.0
    promises = 0.5 if relevance.promises(headings) else 0.0
    practical = 0.15 if relevance.how_to and any(one.block.kind in ("code", "list") for one in section.blocks) else 0.0
    thin = 0.3 if points_elsewhere(section.text, relevance) else 0.6 if size_of(section.text) < 60 else 1.0
    return (0.5 * share + 0.8 * part + found + promises + practical) * thin


def _filled(view: View, sections: Sequence[Section], relevance: Relevance, room: int) -> list[Group]:
    """Each section whole while there is room; what is over its share of the room is cut between blocks, or gives its best
    passage where the question asks for something particular.
    """
    groups: list[Group] = []
    left = room
    for position, section in enumerate(sections):
        if left <= room * 0.1:
            break
        behind = sum(size_of(following.text) for following in sections[position + 1 :])
        share = max(left // (len(sections) - position), min(left, WHOLE_SECTION), left - behind)
        promises = relevance.promises(section.path[common(view.sections) :])
        more = relevance.topic_share(" ".join((view.title, *section.path))) < NOTHING_ELSE
        passage = relevance.particular and more and not promises and size_of(section.text) > share
        group = _focused(view, section, relevance, share) if passage else _whole(view, section, share, relevance)
        groups.append(group)
        left -= group.size
    return groups


def _whole(view: View, section: Section, room: int, relevance: Relevance) -> Group:
    """A section from its start, up to the room; an introduction never stands without what it introduces."""
    taken: list[Piece] = []
    used = 0
    for index, one in enumerate(section.blocks):
        piece = _code(one) if one.block.kind == "code" else _all(one)
        if piece.size > max(room * 1.15, WHOLE_BLOCK) and one.block.kind in ("list", "paragraph"):
            piece = _beginning(one, max(room, WHOLE_SECTION))
        elif piece.size > room * 1.15 and one.block.kind == "table":
            piece = _best_of(one, relevance, room)
        together = piece.size
        if introduces(one) and index + 1 < len(section.blocks):
            together += min(room, size_of(section.blocks[index + 1].block.text))
        if taken and used + together > room * 1.15 and not introduces(taken[-1].cited):
            break
        taken.append(piece)
        used += piece.size
    more = len(taken) < len(section.blocks) or any(not piece.whole for piece in taken)
    return Group(view=view, path=section.path, pieces=tuple(taken), more=more)


def _focused(view: View, section: Section, relevance: Relevance, room: int) -> Group:
    """The best block of a section with what belongs to it, and others that fit nearly as well."""
    blocks = section.blocks
    small = min(WHOLE_SECTION, room) if any(one.block.kind != "paragraph" for one in blocks) else WHOLE_PROSE
    if size_of(section.text) <= small:
        return _whole(view, section, room, relevance)
    local = relevance.among((one.block.text for one in blocks), title=view.title)
    scores = [_block_score(one, local) for one in blocks]
    best = max(scores)
    order = sorted(range(len(blocks)), key=lambda index: -scores[index])
    chosen: dict[int, Piece] = {}
    used = 0
    for index in order:
        if chosen and (scores[index] < best * NEAR_BEST or used >= room * 0.7):
            break
        for position in _with_neighbours(blocks, index, relevance):
            if position in chosen:
                continue
            piece = (
                _best_of(blocks[position], relevance, room, title=view.title)
                if position == index
                else _beside(blocks, position)
            )
            if chosen and used + piece.size > room * 1.1:
                continue
            chosen[position] = piece
            used += piece.size
    kept = [position for position in sorted(chosen) if not introduces(blocks[position]) or position + 1 in chosen]
    pieces = tuple(chosen[position] for position in kept or sorted(chosen))
    return Group(view=view, path=section.path, pieces=pieces, more=False)


def _block_score(one: Cited, relevance: Relevance) -> float:
    part = max(part_score(text, relevance) for text in parts_of(one))
    thin = 0.3 if points_elsewhere(one.block.text, relevance) else 1.0
    practical = 0.15 if relevance.how_to and one.block.kind in ("code", "list") else 0.0
    first = 0.2 * relevance.share(one.block.text.split("\n", 1)[0]) if one.block.kind == "code" else 0.0
    found = 0.1 if one.matched else 0.0
    return thin * (part + 0.3 * relevance.share(one.block.text) + practical + first + found)


def _with_neighbours(blocks: Sequence[Cited], index: int, relevance: Relevance) -> list[int]:
    """The block, the introduction in front of it, and what it introduces."""
    positions = [index]
    before = index - 1
    if before >= 0 and blocks[before].block.kind == "paragraph" and blocks[index].block.kind != "paragraph":
        positions.append(before)
    after = index + 1
    while after < len(blocks) and (introduces(blocks[after - 1]) or _runs_into_code(blocks, after, relevance)):
        positions.append(after)
        after += 1
    return positions


def _runs_into_code(blocks: Sequence[Cited], after: int, relevance: Relevance) -> bool:
    return relevance.how_to and blocks[after].block.kind == "code" and blocks[after - 1].block.kind == "paragraph"


def introduces(one: Cited) -> bool:
    text = one.block.text.strip()
    bold = text.startswith("**") and text.endswith("**") and "**" not in text[2:-2]
    return one.block.kind == "paragraph" and (bold or text.rstrip(" *_`").endswith(_COLON))


def _beside(blocks: Sequence[Cited], position: int) -> Piece:
    """A neighbour: of a paragraph in front only its last sentence when it is long."""
    one = blocks[position]
    if one.block.kind == "paragraph" and size_of(one.block.text) > INTRODUCTION:
        return Piece(cited=one, spans=(sentences(one.block.text)[-1],))
    return _code(one) if one.block.kind == "code" else _all(one)


def _all(one: Cited) -> Piece:
    return Piece(cited=one, spans=((0, len(one.block.text)),))


def _code(one: Cited) -> Piece:
    """Code whole, up to a limit; beyond it, its first lines."""
    text = one.block.text
    if len(text) <= LONGEST_CODE:
        return _all(one)
    return Piece(cited=one, spans=((0, text.rfind("\n", 0, LONGEST_CODE)),))


def _beginning(one: Cited, room: int) -> Piece:
    """The first items or sentences that fit, so that no step stands without those before it."""
    text = one.block.text
    spans = items(text) if one.block.kind == "list" else sentences(text)
    end = spans[0][1]
    for _, following in spans[1:]:
        if size_of(text[:following]) > room:
            break
        end = following
    return Piece(cited=one, spans=((0, end),))


def _best_of(one: Cited, relevance: Relevance, room: int, *, title: str = "") -> Piece:
    """The block whole when it is of a bearable size, else its best parts."""
    text, kind = one.block.text, one.block.kind
    if kind in ("code", "quote"):
        return _code(one)
    limit = LONG_PARAGRAPH if kind == "paragraph" else min(WHOLE_BLOCK, max(room, WHOLE_SECTION))
    if size_of(text) <= limit:
        return _all(one)
    if kind == "paragraph":
        return Piece(cited=one, spans=_best_sentences(text, relevance, title))
    spans = _rows(text) if kind == "table" else items(text)
    local = relevance.among(text[start:end] for start, end in spans)
    scores = [local.share(text[start:end]) for start, end in spans]
    best = max(scores[2:] if kind == "table" else scores, default=0.0)
    head = 2 if kind == "table" else 0
    chosen: list[tuple[int, int]] = []
    used = 0
    for index in sorted(range(head, len(spans)), key=lambda each: (-scores[each], each)):
        size = size_of(text[slice(*spans[index])])
        if chosen and (scores[index] < best * NEAR_BEST or used + size > WHOLE_BLOCK):
            break
        chosen.append(spans[index])
        used += size
    return Piece(cited=one, spans=(*spans[:head], *sorted(chosen)))


def _best_sentences(text: str, relevance: Relevance, title: str) -> tuple[tuple[int, int], ...]:
    """The best sentence, those nearly as good, and the one before a sentence that leans on it; at most five. All of the
    text is about its title, so that what a sentence holds of the rest of the question counts.
    """
    spans = sentences(text)
    parts = [text[start:end] for start, end in spans]
    local = relevance.among(parts, title=title)
    scores = [local.share(part) + 0.1 * relevance.share(part) for part in parts]
    best = max(scores)
    ranked = sorted(range(len(spans)), key=lambda index: (-scores[index], index))
    chosen = {index for index in ranked[:3] if scores[index] >= best * NEAR_BEST}
    for index in sorted(chosen):
        start, end = spans[index]
        if index and _LEANS.match(text[start:end]):
            chosen.add(index - 1)
        if index + 1 < len(spans) and (size_of(text[start:end]) < 60 or text[start:end].endswith(_COLON)):
            chosen.add(index + 1)
    last = max(chosen)
    if len(chosen) == 1 and last + 1 < len(spans) and size_of(text[slice(*spans[last])]) < SHORT_SENTENCE:
        chosen.add(last + 1)
    joined: list[tuple[int, int]] = []
    for index in sorted(chosen):
        if joined and index - 1 in chosen:
            joined[-1] = (joined[-1][0], spans[index][1])
        else:
            joined.append(spans[index])
    return tuple(joined)


def _rows(text: str) -> list[tuple[int, int]]:
    spans = []
    offset = 0
    for line in text.splitlines(keepends=True):
        spans.append((offset, offset + len(line.rstrip("\n"))))
        offset += len(line)
    return spans


def part_score(text: str, relevance: Relevance, *, named: str = "") -> float:
    """How well a part fits; a long one holds many words by chance. `named` are the headings above it."""
    return relevance.share(f"{named} {text}" if named else text) / (1 + max(0, len(text) - LONG_PARAGRAPH) / 3000)


def parts_of(one: Cited) -> list[str]:
    """The sentences, items or rows of a block; a block of another kind is one part."""
    text = one.block.text
    if one.block.kind == "paragraph":
        spans = sentences(text)
    elif one.block.kind == "list":
        spans = items(text)
    elif one.block.kind == "table":
        rows = [text[start:end] for start, end in _rows(text)]
        return [f"{rows[0]} {row}" for row in rows[2:]] or [text]  # a row is read with the table's head
    else:
        spans = []
    return [text[start:end] for start, end in spans] or [text]


def same(first: Sequence[Group], second: Sequence[Group]) -> bool:
    """Whether two extracts say nearly the same, such as one runbook kept in two places."""
    words = [
        {word for group in groups for piece in group.pieces for word in terms(piece.cited.block.text)}
        for groups in (first, second)
    ]
    smaller = min(len(words[0]), len(words[1])) or 1
    return len(words[0] & words[1]) / smaller > 0.75
