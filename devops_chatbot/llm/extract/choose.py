"""Chooses what of a document answers a question: whole sections where they are asked for, else the best passage."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devops_chatbot.language import is_chinese, terms
from devops_chatbot.llm.extract.blocks import items, sentences
from devops_chatbot.llm.extract.relevance import KINDS, Relevance, promised
from devops_chatbot.llm.extract.views import Cited, Section, View

WHOLE_SECTION = 900
"""A section up to this size is taken as it is; sizes count a Chinese character as two."""
WHOLE_BLOCK = 1100
"""A list or table up to this size stays whole even where one line of it would do; code always does, up to its limit."""
LONGEST_CODE = 2400
LONG_SECTION = 4000
"""Above this size the beginning of a section says little about it."""
WHOLE_PROSE = 420
LONG_PARAGRAPH = 360
SHORT_SENTENCE = 200
"""A single sentence below this size takes the next one along."""
ABOUT = 0.6
"""Share of a question's topic in a document's title and beginning from which the question is about the document."""
NOTHING_ELSE = 0.75
"""And from which it asks nothing beyond that."""
CLEARER = 0.15
"""How much more of the topic a heading has to say than the document's title, to be what is asked for."""
DESCRIBES = 400
"""Characters at the beginning of a document or a section that say what it is about."""
NEAR_BEST = 0.72
"""Parts that fit the question nearly as well as the best one are taken too."""
INTRODUCTION = 240
_COLON = (":", "：")
_TARGET = re.compile(r"(?<=\])\([^)\s]*\)|https?://\S+")
_SEE = re.compile(r"(?:[-*+] )?(?:\S+(?: \S+)?[:：] ?)?(?:please )?(?:see|refer to|参见|请参考|见)\b", re.IGNORECASE)
_OPENS = re.compile(r"name|symptoms?|purpose|名称|现象|表现|症状|用途|触发条件", re.IGNORECASE)
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


def size_of(text: str) -> int:
    """Characters, a Chinese one counted twice: about the room it takes and the time it takes to read."""
    return len(text) + sum(map(is_chinese, text))


def choose(view: View, relevance: Relevance, *, room: int, focused: bool = False) -> list[Group]:
    """The parts of a document that answer the question best, in reading order, within the room (the first part may go
    over it a little, so that nothing is torn). `focused` wants the best passage alone.
    """
    scored = [(_score(section, view, relevance), section) for section in view.sections]
    best = max(score for score, _ in scored)
    asked = [] if focused else _asked(view, relevance)
    if asked:
        return _filled(view, asked, relevance, room)
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
    headings = section.path[_common(view.sections) :]
    named = " ".join(headings)
    share = relevance.share(f"{named}\n{section.text}")
    part = max(part_score(text, relevance, named=named) for one in section.blocks for text in parts_of(one))
    ranks = [one.number for one in section.blocks if one.matched]
    found = 0.35 / min(ranks) if ranks else 0.0
    promises = 0.5 if relevance.promises(headings) else 0.0
    practical = 0.15 if relevance.how_to and any(one.block.kind in ("code", "list") for one in section.blocks) else 0.0
    thin = 0.3 if points_elsewhere(section.text, relevance) else 0.6 if size_of(section.text) < 60 else 1.0
    return (0.5 * share + 0.8 * part + found + promises + practical) * thin


def _asked(view: View, relevance: Relevance) -> list[Section]:
    """The sections that a question wants whole: those below the headings that it names, or all of a document that is about
    what it asks, and of these the ones whose headings promise what is asked of it.
    """
    if len(view.sections) == 1 and all(one.block.kind == "paragraph" for one in view.sections[0].blocks):
        return []  # plain prose: the sentences that answer say more than all of it
    within, above, about = _scope(view, relevance)
    if not within:
        return []

    def promises(kinds: Sequence[str], section: Section) -> bool:
        return any(promised(kind, section.path[above:]) for kind in kinds)

    whole = about or _only_the_topic(view, view.sections[0], relevance)
    if not relevance.kinds and not relevance.how_to:
        return _bearable(within) if whole else []
    wanted = [one for one in within if promises(relevance.kinds, one)]
    if not wanted and (relevance.kinds or whole):
        wanted = [one for one in within if promises(relevance.instead(), one)]
    if "meaning" in relevance.kinds and not any(promises(("meaning",), one) for one in wanted):
        wanted = [*_bearable(within[:1]), *(one for one in wanted if one is not within[0])]
    if not wanted and whole:
        wanted = _bearable(within)
    return [section for section in wanted if not points_elsewhere(section.text, relevance)] or wanted


def _bearable(sections: Sequence[Section]) -> list[Section]:
    """Without those that go on for pages below one heading: of these a passage says more than the beginning."""
    return [section for section in sections if size_of(section.text) <= LONG_SECTION]


def _scope(view: View, relevance: Relevance) -> tuple[list[Section], int, bool]:
    """The sections of a document that the question is about, how many of their headings lead to all of them, and whether
    a heading below the document's own was named; no sections when the document is about something else.
    """
    base = _common(view.sections)
    name = " ".join((view.title, *view.sections[0].path[:base]))
    first = view.sections[0]
    opens = len(first.path) == base or _introduces(first.path[base:])
    title = relevance.topic_share(name)
    root = relevance.topic_share(f"{name} {first.text[:DESCRIBES]}") if opens else title
    prefixes = list(
        dict.fromkeys(one.path[:end] for one in view.sections for end in range(base + 1, len(one.path) + 1))
    )
    own = {prefix: relevance.topic_share(prefix[-1]) for prefix in prefixes}
    full = {prefix: relevance.topic_share(" ".join((name, *prefix[base:]))) for prefix in prefixes}
    told = {prefix: _told(view, prefix, name, base, relevance) for prefix in prefixes}
    said = {prefix: own[prefix] if relevance.says(prefix[-1]) else 0.0 for prefix in prefixes}
    for shares, least in ((said, ABOUT), (own, max(ABOUT, title)), (full, max(ABOUT, title + CLEARER, root))):
        named = _highest(shares, least)
        sections = [one for one in view.sections if any(one.path[: len(prefix)] == prefix for prefix in named)]
        if named and len(sections) < max(2, len(view.sections) * 0.7):
            return sections, min(map(len, named)), True
    if max(root, relevance.titled(view.title)) >= ABOUT:
        return list(view.sections), base, False
    most = max(relevance.topic_share(" ".join((name, *one.path[base:], one.text))) for one in view.sections)
    named = sorted(_highest(told, max(ABOUT, most - 0.05)), key=lambda each: -_told(view, each, "", base, relevance))[
        :1
    ]
    return [one for one in view.sections if any(one.path[: len(each)] == each for each in named)], base + 1, bool(named)


def _introduces(headings: tuple[str, ...]) -> bool:
    """Whether a first section with these headings speaks for all that follows, as `Meaning` does, or the `NAME` of a manual
    page.
    """
    return bool(_OPENS.fullmatch(headings[-1])) or any(promised(kind, headings) for kind in KINDS)


def _told(view: View, prefix: tuple[str, ...], name: str, base: int, relevance: Relevance) -> float:
    """How much of the question stands in the headings and at the beginning of what is below them."""
    below = next(one for one in view.sections if one.path[: len(prefix)] == prefix)
    opens = below.path == prefix or _introduces(below.path[len(prefix) :])
    text = below.text[:DESCRIBES] if opens else ""
    return relevance.topic_share(" ".join((name, *prefix[base:], text)))


def _highest(shares: Mapping[tuple[str, ...], float], least: float) -> list[tuple[str, ...]]:
    """The headings with the highest share, where that is enough; the upper one of two that lead to the same place."""
    most = max(shares.values(), default=0.0)
    if most < least or not most:
        return []
    best = [prefix for prefix, share in shares.items() if share > most - 0.01]
    return [one for one in best if not any(one != other and one[: len(other)] == other for other in best)]


def _common(sections: Sequence[Section]) -> int:
    """How many headings all sections share; of a single one, all but the last."""
    paths = [section.path for section in sections]
    if len(paths) == 1:
        return min(1, len(paths[0]))
    shortest = min(map(len, paths))
    return next((level for level in range(shortest) if len({path[level] for path in paths}) > 1), shortest)


def _only_the_topic(view: View, first: Section, relevance: Relevance) -> bool:
    """Whether the question says nothing beyond what the document is about, or is no question but says the document's name
    in words.
    """
    told = relevance.topic_share(f"{view.title} {' '.join(first.path)} {first.text[:DESCRIBES]}")
    return told >= NOTHING_ELSE or (not relevance.asks and relevance.titled(view.title) >= NOTHING_ELSE)


def points_elsewhere(text: str, relevance: Relevance) -> bool:
    """Nothing but "see there", perhaps with a name in front that the question does not ask for."""
    plain = _TARGET.sub("", text.strip())
    asked_for = any(name in plain.lower() for name in relevance.names)
    return size_of(plain) < 160 and bool(_SEE.match(plain)) and not asked_for


def _filled(view: View, sections: Sequence[Section], relevance: Relevance, room: int) -> list[Group]:
    """Each section whole while there is room; what is over its share of the room is cut between blocks."""
    groups: list[Group] = []
    left = room
    for position, section in enumerate(sections):
        if left <= room * 0.1:
            break
        behind = sum(size_of(following.text) for following in sections[position + 1 :])
        share = max(left // (len(sections) - position), min(left, WHOLE_SECTION), left - behind)
        group = _whole(view, section, share, relevance)
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
