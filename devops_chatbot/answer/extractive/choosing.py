"""Chooses what of the documents found answers a question: whole sections where they are asked for, else the best blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from devops_chatbot.answer.extractive.constants import (
    ABOUT,
    CLEARER,
    DESCRIBES,
    LONGEST_BLOCK,
    NEARLY_AS_GOOD,
    OTHERS,
    PROSE,
    RANK,
    ROOM,
    ROOM_OTHERS,
    SAID,
)
from devops_chatbot.answer.extractive.documents import Block, Document, Section
from devops_chatbot.answer.extractive.fitting import Fit, common, texts_of
from devops_chatbot.answer.extractive.markup import size_of, squashed
from devops_chatbot.answer.extractive.relevance import Relevance


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A block, or the stretches of it that were taken, in reading order."""

    block: Block
    spans: tuple[tuple[int, int], ...]

    @property
    def whole(self) -> bool:
        return self.spans == ((0, len(self.block.text)),)

    @property
    def size(self) -> int:
        return sum(size_of(self.block.text[start:end]) for start, end in self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Pieces below one heading of a document; `more` says that the section goes on."""

    document: Document
    path: tuple[str, ...]
    pieces: tuple[Piece, ...]
    more: bool = False

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)


def chosen(ranked: Sequence[Fit], relevance: Relevance, *, sure: bool) -> list[Group]:
    """What is quoted: of the best document, then of others that fit nearly as well and say something else. Where nothing
    surely answers, the best passage alone.
    """
    first = ranked[0]
    if not sure:
        return _focused(first, relevance, ROOM_OTHERS)
    groups = _of(first, relevance, ROOM)
    others = 0
    for fit in ranked[1:]:
        wanted = fit.named if first.named else fit.score - RANK >= NEARLY_AS_GOOD * (first.score - RANK)
        if others == OTHERS or not wanted:
            continue
        more = _of(fit, relevance, ROOM_OTHERS) if fit.named else _focused(fit, relevance, ROOM_OTHERS)
        if not _same(groups, more):
            groups += more
            others += 1
    return groups


def _of(fit: Fit, relevance: Relevance, room: int) -> list[Group]:
    wanted = _asked(fit, relevance)
    if not wanted:
        return _focused(fit, relevance, room)
    groups: list[Group] = []
    left = room
    for position, section in enumerate(wanted):
        share = max(left // (len(wanted) - position), room // 3)
        group = _beginning(fit.document, section, share)
        groups.append(group)
        left -= group.size
        if left < room * 0.1 and position:  # who is told what to check is also told what to do
            break
    return groups


def _asked(fit: Fit, relevance: Relevance) -> list[Section]:
    """The sections that a question wants whole: those below a heading that it names, or all of a document that it is about;
    and of these the ones whose headings promise what is asked.
    """
    sections = fit.document.sections
    base = common(sections)
    if len(sections) == 1 and all(block.kind == "prose" for block in sections[0].blocks):
        return []
    name = " ".join((fit.document.title, *sections[0].path[:base]))
    title = 1.0 if fit.named else relevance.share(name, topic=True)
    about = max(title, relevance.share(f"{name} {fit.document.text[:DESCRIBES]}", topic=True))
    heads = {
        section.path[:end]: relevance.share(" ".join((name, *section.path[base:end])), topic=True)
        for section in sections
        for end in range(base + 1, len(section.path) + 1)
    }
    most = max(heads.values(), default=0.0)
    below = list(sections)
    said = [path for path in heads if relevance.says(path[-1]) and relevance.share(path[-1], topic=True) >= CLEARER]
    said = [path for path in said if not any(_says_less(path[-1], other[-1], relevance) for other in said)]
    if relevance.share(*(path[-1] for path in said), topic=True) >= SAID:
        below = [one for one in sections if any(one.path[: len(path)] == path for path in said)]
        base = min(map(len, said))
    elif most >= max(ABOUT, title + CLEARER):
        best = min((path for path, share in heads.items() if share > most - 0.01), key=len)
        below = [section for section in sections if section.path[: len(best)] == best]
        base = len(best)
    elif relevance.only_names and not fit.named:
        nearest = max(sections, key=lambda section: max(fit.blocks[id(block)] for block in section.blocks))
        above = nearest.path[: max(base, len(nearest.path) - 1)]
        return [section for section in sections if section.path[: len(above)] == above]
    elif about < ABOUT:
        return []
    for facets in (relevance.facets, relevance.otherwise()):
        wanted = [section for section in below if relevance.promised(section.path[base:], facets)]
        if wanted:
            return wanted
    return below if len(below) < len(sections) or title >= ABOUT + CLEARER else []


def _says_less(heading: str, other: str, relevance: Relevance) -> bool:
    """Whether a heading holds only some of the words of the question that another one holds."""
    return relevance.share(heading) < relevance.share(other) == relevance.share(heading, other)


def _beginning(document: Document, section: Section, room: int) -> Group:
    """A section from its start, within the room; an introduction never stands without what it introduces, and no list or
    code is cut before its end unless it is very long.
    """
    taken: list[Piece] = []
    used = 0
    for block in section.blocks:
        piece = _whole(block)
        if taken and used + piece.size > room * 1.15 and not taken[-1].block.opens:
            break
        if used + piece.size > room * 1.15 and (piece.size > LONGEST_BLOCK / 2 or block.kind in ("prose", "table")):
            piece = _first_parts(block, room - used)
        taken.append(piece)
        used += piece.size
    while len(taken) > 1 and taken[-1].block.opens:
        taken.pop()
    more = len(taken) < len(section.blocks) or not all(piece.whole for piece in taken)
    return Group(document=document, path=section.path, pieces=tuple(taken), more=more)


def _whole(block: Block) -> Piece:
    """The block; of very long code its first lines."""
    size = len(block.text)
    if block.kind == "code" and size > LONGEST_BLOCK:
        size = max(block.text.rfind("\n", 0, LONGEST_BLOCK), LONGEST_BLOCK // 2)
    return Piece(block=block, spans=((0, size),))


def _first_parts(block: Block, room: int) -> Piece:
    """The first items, rows or sentences that fit; at least one, and a table's head with one row."""
    end = 0
    least = 2 if block.kind == "table" else 1
    for count, (_, stop) in enumerate(block.parts, 1):
        if count > least and size_of(block.text[:stop]) > room:
            break
        end = stop
    return Piece(block=block, spans=((0, end),)) if end else _whole(block)


def _focused(fit: Fit, relevance: Relevance, room: int) -> list[Group]:
    """The best block with what belongs to it, and the next best ones while there is room."""
    sections = fit.document.sections
    places = [(section, index) for section in sections for index in range(len(section.blocks))]
    order = sorted(places, key=lambda place: -fit.blocks[id(place[0].blocks[place[1]])])
    best = fit.blocks[id(order[0][0].blocks[order[0][1]])]
    taken: dict[tuple[tuple[str, ...], int], Piece] = {}
    left = room
    for section, index in order:
        if taken and (fit.blocks[id(section.blocks[index])] < best * 0.8 or left < room * 0.3):
            break
        if not taken and size_of(section.text) <= room * 0.7:
            wanted = list(range(len(section.blocks)))
        else:
            wanted = _belonging(section, index, left)
        pieces = {
            (section.path, at): _best_of(section.blocks[at], relevance, left)
            if at == index
            else _whole(section.blocks[at])
            for at in wanted
            if (section.path, at) not in taken
        }
        size = sum(piece.size for piece in pieces.values())
        if taken and size > left:
            continue
        taken |= pieces
        left -= size
    groups = []
    for section in sections:
        of_section = [taken[section.path, at] for at in range(len(section.blocks)) if (section.path, at) in taken]
        if of_section:
            groups.append(Group(document=fit.document, path=section.path, pieces=tuple(of_section)))
    return groups


def _belonging(section: Section, index: int, room: int) -> list[int]:
    """A block with its introductions and what it introduces; steps and commands with all that stands before them in their
    section, where that fits: what comes before a dangerous step is never left out lightly.
    """
    blocks = section.blocks
    first = last = index
    while first and (blocks[first - 1].opens or (blocks[first].kind == "code" and blocks[first - 1].kind == "prose")):
        first -= 1
    while last + 1 < len(blocks) and blocks[last].opens:
        last += 1
    if blocks[last].kind in ("code", "list") and size_of("".join(b.text for b in blocks[: last + 1])) <= room * 1.5:
        first = 0
    return list(range(first, last + 1))


def _best_of(block: Block, relevance: Relevance, room: int) -> Piece:
    """The block whole when it is of a bearable size, else its best parts."""
    text, parts = block.text, block.parts
    if len(parts) < 2 or size_of(text) <= (PROSE if block.kind in ("prose", "code", "records") else room * 1.2):
        return _whole(block)
    scores = [relevance.share(each) for each in texts_of(block)]
    if block.kind == "table":
        scores = [0.0, *scores]
    best = max(range(len(parts)), key=scores.__getitem__)
    if block.kind == "prose":
        return Piece(block=block, spans=(_window(text, parts, scores, best),))
    steps = block.kind != "records" and text[slice(*parts[0])].lstrip()[:1].isdigit()
    if steps and size_of(text[: parts[best][1]]) <= LONGEST_BLOCK:
        return Piece(block=block, spans=((0, parts[best][1]),))  # the steps before it
    kept: set[int] = set()
    used = 0
    for index in sorted(range(len(parts)), key=lambda each: (-scores[each], each)):
        size = size_of(text[slice(*parts[index])])
        if kept and (scores[index] < scores[best] * 0.8 or used + size > room):
            break
        kept.add(index)
        used += size
    if block.kind == "table":
        kept.add(0)
    return Piece(block=block, spans=tuple(parts[index] for index in sorted(kept)))


def _window(text: str, parts: Sequence[tuple[int, int]], scores: Sequence[float], best: int) -> tuple[int, int]:
    """Neighbouring sentences around the best one, grown to the side that has more of the question, up to `PROSE`."""
    first = last = best
    while True:
        before = scores[first - 1] if first else -1.0
        after = scores[last + 1] + 0.01 if last + 1 < len(parts) else -1.0
        if max(before, after) < 0:
            break
        low, high = (first - 1, last) if before > after else (first, last + 1)
        if size_of(text[parts[low][0] : parts[high][1]]) > PROSE:
            break
        first, last = low, high
    return parts[first][0], parts[last][1]


def _same(first: Sequence[Group], second: Sequence[Group]) -> bool:
    """Whether two extracts say nearly the same, such as one runbook kept in two places."""
    one, other = (
        {
            line
            for group in groups
            for piece in group.pieces
            for line in map(squashed, piece.block.text.splitlines())
            if line
        }
        for groups in (first, second)
    )
    return len(one & other) >= 0.7 * (min(len(one), len(other)) or 1)


def once(groups: Sequence[Group]) -> list[Group]:
    """Without blocks that say again, word for word, what stands above."""
    said: set[str] = set()
    kept: list[Group] = []
    for group in groups:
        pieces = []
        for piece in group.pieces:
            words = squashed(piece.block.text)
            if words not in said:
                pieces.append(piece)
            elif pieces and pieces[-1].block.opens:
                pieces.pop()
            said.add(words)
        if pieces:
            kept.append(replace(group, pieces=tuple(pieces)))
    return kept
