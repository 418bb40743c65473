"""Tells which sections of a document a question is about: all of them, those below a heading that it names, or none."""

import re
from collections.abc import Mapping, Sequence

from devops_chatbot.llm.extract.relevance import KINDS, Relevance, promised
from devops_chatbot.llm.extract.views import Section, View, size_of

ABOUT = 0.6
"""Share of a question's topic in a document's title and beginning from which the question is about the document."""
NOTHING_ELSE = 0.75
"""And from which it asks nothing beyond that."""
A_PART = 0.15
"""Share of the topic that a heading has to say which the question says whole, to be one of several things asked for."""
CLEARER = 0.15
"""How much more of the topic a heading has to say than the document's title, to be what is asked for."""
DESCRIBES = 400
"""Characters at the beginning of a document or a section that say what it is about."""
LONG_SECTION = 4000
"""Above this size the beginning of a section says little about it."""
_TARGET = re.compile(r"(?<=\])\([^)\s]*\)|https?://\S+")
_SEE = re.compile(r"(?:[-*+] )?(?:\S+(?: \S+)?[:：] ?)?(?:please )?(?:see|refer to|参见|请参考|见)\b", re.IGNORECASE)
_OPENS = re.compile(r"name|symptoms?|purpose|名称|现象|表现|症状|用途|触发条件", re.IGNORECASE)


def asked(view: View, relevance: Relevance) -> list[Section]:
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
    if whole and "meaning" in relevance.kinds and not any(promises(("meaning",), one) for one in wanted):
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
    base = common(view.sections)
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
    said = [prefix for prefix in prefixes if relevance.says(prefix[-1]) and own[prefix] >= A_PART]
    if relevance.topic_share(" ".join(prefix[-1] for prefix in said)) < ABOUT:
        said = []
    for named in (
        _outermost(said),
        _highest(own, max(ABOUT, title)),
        _highest(full, max(ABOUT, title + CLEARER, root)),
    ):
        sections = [one for one in view.sections if any(one.path[: len(prefix)] == prefix for prefix in named)]
        if named and len(sections) < max(2, len(view.sections) * 0.7):
            return sections, min(map(len, named)), True
    if max(root, relevance.titled(view.title)) >= ABOUT:
        return list(view.sections), base, False
    most = max(relevance.topic_share(" ".join((name, *one.path[base:], one.text))) for one in view.sections)
    best = max(
        _highest(told, max(ABOUT, most - 0.05)),
        key=lambda prefix: _told(view, prefix, "", base, relevance),
        default=None,
    )
    if best is None:
        return [], base, False
    return [one for one in view.sections if one.path[: len(best)] == best], base + 1, True


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
    """The headings with the highest share, where that is enough."""
    most = max(shares.values(), default=0.0)
    if most < least or not most:
        return []
    return _outermost([prefix for prefix, share in shares.items() if share > most - 0.01])


def _outermost(prefixes: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The upper one of two that lead to the same place."""
    return [one for one in prefixes if not any(one != other and one[: len(other)] == other for other in prefixes)]


def common(sections: Sequence[Section]) -> int:
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
    return told >= NOTHING_ELSE or relevance.titled(view.title) >= NOTHING_ELSE


def points_elsewhere(text: str, relevance: Relevance) -> bool:
    """Nothing but "see there", perhaps with a name in front that the question does not ask for."""
    plain = _TARGET.sub("", text.strip())
    asked_for = any(name in plain.lower() for name in relevance.names)
    return size_of(plain) < 160 and bool(_SEE.match(plain)) and not asked_for
