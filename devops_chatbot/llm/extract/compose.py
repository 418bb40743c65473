"""Composes an answer out of evidence: what fits best first, then what other documents add."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from devops_chatbot.chat import Citation, Evidence
from devops_chatbot.llm.extract.choose import (
    Group,
    Piece,
    choose,
    introduces,
    part_score,
    parts_of,
    same,
)
from devops_chatbot.llm.extract.relevance import Relevance
from devops_chatbot.llm.extract.render import body, heading, numbers, piece_text, quoted
from devops_chatbot.llm.extract.scope import points_elsewhere
from devops_chatbot.llm.extract.views import Section, View, squashed, views
from knowledge.text.language import Language, language_of, terms

ROOM = 1600
"""Characters for the first document (see `choose`), and for each of the others."""
ROOM_OTHERS = 500
OTHERS = 2
FITS = 0.6
"""What another document must hold of the question to be added to the first."""
WEAK = 0.55
"""Below this share of the question's words, and with no near meaning, nothing clearly answers it."""
NEAR_MEANING = 0.5
"""Cosine of the bundled embedding model from which a passage is about the question. With these two, all of 65 alerts' own
summaries find their runbooks fitting, and of 135 questions about other things (AWS, a Chinese encyclopedia, the alerts asked
of that encyclopedia) one finds something.
"""
FOREIGN: dict[Language, tuple[tuple[float, float], ...]] = {"en": ((0.1, 0.4), (0.24, 0.28)), "zh": ((0.1, 0.4),)}
"""Below such a share of the words and such a cosine, not even the closest passage is worth showing. A Chinese question shares
two characters with many a passage that says it in other words.
"""
STRANGE = 0.3
"""Nor is it below this share of the words when it does not have the name that the question is about."""
HALF = 0.5
NAMED = 0.75
"""Share of a title's words that a question has to say to name the document."""
LONG_NAME = 8
"""Letters from which a name is known although one of them is wrong."""
LATIN_FITS = 0.6
_LATIN = re.compile(r"[A-Za-z][\w.+#-]+")
_CAMEL = re.compile(r"\b(?:[A-Z][a-z0-9]+){1,}[A-Z][A-Za-z0-9]*\b")
_PROPER = re.compile(r"(?<=[^.?!\s:]\s)[A-Z][\w+#-]*[A-Za-z\d]")

_SAYS: dict[str, dict[Language, str]] = {
    "extracts": {
        "en": "*No language model is connected. This is what your documents say, word for word:*",
        "zh": "*尚未连接语言模型。以下是文档原文的摘录：*",
    },
    "weak": {
        "en": "*No language model is connected, and nothing in your documents clearly answers this. The closest passage:*",
        "zh": "*尚未连接语言模型，文档中也没有明确回答这个问题的内容。最接近的段落：*",
    },
    "nothing": {
        "en": "No language model is connected, and nothing in your documents fits this question. Try other words, or name "
        "the alert, the command or the component.",
        "zh": "尚未连接语言模型，文档中也没有与这个问题相关的内容。请换一种说法，或者写出告警、命令或组件的名称。",
    },
    "talk": {
        "en": "No language model is connected, so I cannot hold a conversation or write something new. What I can do now is to "
        "find and quote passages of your documents: add some on the knowledge page, then ask about them. To connect a model, "
        "name it in `chatbot.toml`; the page of status and settings shows whether it answers.",
        "zh": "尚未连接语言模型，因此我还不能自由对话或撰写新内容。现在我可以查找并摘录你的文档：请在知识库页面添加文档，"
        "然后提问。要连接模型，请在 `chatbot.toml` 中配置；“状态与设置”页面会显示它能否回答。",
    },
    "more": {"en": "(the section goes on in the document)", "zh": "（该节在文档中还有后续内容）"},
    "also": {"en": "Also:", "zh": "另见："},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """An answer's text (Markdown) and the words behind each of its citations."""

    text: str
    citations: tuple[Citation, ...]


def compose(query: str, evidence: Sequence[Evidence] | None) -> Extract:
    """The answer; it says so when nothing fits (no evidence), or when nothing was looked for (None)."""
    language = language_of(query)
    if evidence is None:
        return Extract(text=_SAYS["talk"][language], citations=())
    found = views(evidence)
    if not found:
        return Extract(text=_SAYS["nothing"][language], citations=())
    relevance = Relevance(
        query, [one.block.text for view in found for section in view.sections for one in section.blocks]
    )
    ranked = _ranked(found, relevance)
    fit, meaning = _fit(ranked[0], relevance), _meaning(ranked[0], language)
    is_named = _is_named(ranked[0], relevance)
    clear = fit >= WEAK or meaning >= NEAR_MEANING or _speaks_of(ranked[0], query)
    missing = _misses_a_name(query, ranked)
    foreign = any(fit < share and meaning < cosine for share, cosine in FOREIGN[language]) or (
        missing and fit < STRANGE
    )
    if foreign and not is_named and not _speaks_of(ranked[0], query):
        return Extract(text=_SAYS["nothing"][language], citations=())
    weak = not is_named and (not clear or missing)
    chosen = [choose(ranked[0], _own(ranked[0], ranked, relevance), room=ROOM_OTHERS if weak else ROOM, focused=weak)]
    if not weak:
        chosen += _others(ranked, relevance, chosen[0])
    groups = _once([group for each in chosen for group in each])
    places, called = _places(groups), numbers(groups)
    parts = [_SAYS["weak" if weak else "extracts"][language]]
    named: View | None = None
    for group in groups:
        parts.append(heading(group, again=group.view is named, place=places.get(id(group), "")))
        named = group.view
        parts.append(body(group, more=_SAYS["more"][language], called=called))
    return Extract(text="\n\n".join(parts), citations=quoted(groups, called=called))


def _ranked(found: Sequence[View], relevance: Relevance) -> list[View]:
    """As the search has it, but documents that are named in the question, or fit it far better, come first."""

    def order(position: int) -> float:
        view = found[position]
        fit = 0.8 * _fit(view, relevance) + 0.4 * relevance.share(view.title)
        return fit + 0.6 / (1 + position) + (1.0 if _has_the_name(view, relevance) else 0.0)

    return [found[position] for position in sorted(range(len(found)), key=lambda position: -order(position))]


def _is_named(view: View, relevance: Relevance) -> bool:
    """Whether the question says the document's name, or most of its words."""
    return _has_the_name(view, relevance) or relevance.titled(view.title) >= NAMED


def _has_the_name(view: View, relevance: Relevance) -> bool:
    """Whether the question has the document's name: an identifier that is most of its title (or all of it but for one
    letter), or nothing else than its title.
    """
    title = squashed(view.title).lower()
    return any(
        (name in title and len(name) > len(title) / 2) or _but_one_letter(name, title) for name in relevance.names
    ) or relevance.names_alone(view.title)


def _but_one_letter(name: str, title: str) -> bool:
    """Whether a long name is another one with a letter too many, too few, or mistaken."""
    if min(len(name), len(title)) < LONG_NAME or abs(len(name) - len(title)) > 1 or name == title:
        return False
    same = next((at for at, (one, other) in enumerate(zip(name, title, strict=False)) if one != other), len(name))
    return any(name[same + one :] == title[same + other :] for one, other in ((1, 1), (1, 0), (0, 1)))


def _own(view: View, ranked: Sequence[View], relevance: Relevance) -> Relevance:
    """The question as far as it is about this document, where it names several of those found."""
    titles = {squashed(other.title).lower() for other in ranked}
    others = (titles & relevance.names) - {squashed(view.title).lower()}
    return relevance.of_topic(others) if others and squashed(view.title).lower() in relevance.names else relevance


def _speaks_of(view: View, query: str) -> bool:
    """Whether an English document has all that a Chinese question says in Latin letters; it cannot have the rest."""
    latin = " ".join(_LATIN.findall(query)) if language_of(query) == "zh" else ""
    text = f"{view.title} {view.text}"
    return bool(terms(latin)) and language_of(text) == "en" and Relevance(latin, ()).share(text) >= LATIN_FITS


def _misses_a_name(query: str, found: Sequence[View]) -> bool:
    """Whether something that the question calls by name (Oracle, RabbitMQ) is nowhere in what was found."""
    names = _LATIN.findall(query) if language_of(query) == "zh" else [*_PROPER.findall(query), *_CAMEL.findall(query)]
    texts = [
        " ".join((view.title, *(" ".join(section.path) for section in view.sections), view.text)) for view in found
    ]
    return any(terms(name) and not any(Relevance(name, ()).share(text) >= HALF for text in texts) for name in names)


def _fit(view: View, relevance: Relevance) -> float:
    """The question's words in the best section of a document, and in its best part alone: who says it shortly, says it
    best.
    """
    return max(
        (0.3 if points_elsewhere(section.text, relevance) else 1.0)
        * (
            0.5 * relevance.share(" ".join((view.title, *section.path, section.text)))
            + 0.5 * _best_part(view, section, relevance)
        )
        for section in view.sections
    )


def _best_part(view: View, section: Section, relevance: Relevance) -> float:
    named = " ".join((view.title, *section.path))
    return max(part_score(text, relevance, named=named) for one in section.blocks for text in parts_of(one))


def _meaning(view: View, language: Language) -> float:
    """The best score of the vector index among a document's evidence; of a Chinese question it says nothing, for a model
    that knows little Chinese finds all of it alike.
    """
    if language == "zh":
        return 0.0
    return max(
        (found.score for _, one in view.evidence for found in one.found_by if found.index == "vector"), default=0.0
    )


def _others(ranked: Sequence[View], relevance: Relevance, first: Sequence[Group]) -> list[list[Group]]:
    """What other documents add: short, and only where they fit nearly as well and say something else."""
    best = _fit(ranked[0], relevance)
    topic = _topic(ranked[0], relevance)
    named, headed = _is_named(ranked[0], relevance), _headed(ranked[0], relevance)
    chosen: list[list[Group]] = [list(first)]
    for view in ranked[1:]:
        if len(chosen) > OTHERS:
            break
        exactly = squashed(view.title).lower() in relevance.names
        if not exactly and (_fit(view, relevance) < max(best * 0.9, FITS) or _topic(view, relevance) < topic * 0.7):
            continue
        if named and not _is_named(view, relevance):
            continue
        if relevance.short and headed >= FITS and _headed(view, relevance) < headed / 2 and not exactly:
            continue
        groups = choose(view, _own(view, ranked, relevance), room=ROOM_OTHERS, focused=not exactly)
        other = (
            exactly and view.title != ranked[0].title
        )  # named beside the first: it is wanted even if it says the same
        if groups and (other or not any(same(groups, before) for before in chosen)):
            chosen.append(groups)
    return chosen[1:]


def _topic(view: View, relevance: Relevance) -> float:
    """How much of what the question is about stands in a document's best section."""
    return max(relevance.topic_share(" ".join((view.title, *section.path, section.text))) for section in view.sections)


def _headed(view: View, relevance: Relevance) -> float:
    """How much of what the question is about stands in a document's title and headings."""
    return max(relevance.topic_share(" ".join((view.title, *section.path))) for section in view.sections)


def _once(groups: Sequence[Group]) -> list[Group]:
    """Without pieces that say again, word for word, what stands above (a table that two passages share), and without
    the introductions to them.
    """
    said: set[str] = set()
    kept: list[Group] = []
    for group in groups:
        pieces: list[Piece] = []
        for piece in group.pieces:
            words = squashed(piece_text(piece))
            if words and words not in said:
                said.add(words)
                pieces.append(piece)
            elif pieces and introduces(pieces[-1].cited):
                pieces.pop()
        while len(pieces) > 1 and introduces(pieces[-1].cited):
            pieces.pop()
        if pieces:
            kept.append(replace(group, pieces=tuple(pieces)))
    return kept


def _places(groups: Sequence[Group]) -> dict[int, str]:
    """The source of each group whose document shares its title with another one."""
    titles: dict[str, set[str]] = {}
    for group in groups:
        titles.setdefault(group.view.title, set()).add(group.view.source_uri)
    return {id(group): group.view.source_uri for group in groups if len(titles[group.view.title]) > 1}
