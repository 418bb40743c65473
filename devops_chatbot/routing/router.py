"""Chooses the way that a question takes, and says why and how sure, by the examples that are most like it."""

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from devops_chatbot.access.principals import Principal
from devops_chatbot.chat import Choice, Need, Question, Route, Scenario, ScenarioState, Signal
from devops_chatbot.errors import BadQuestion, Unavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.routing.examples import examples, is_about_attached, small_talk
from knowledge.embed import Embedder
from knowledge.embed.embedding_probe import cosine_scale
from knowledge.model import HIDDEN, KnowledgeBase
from knowledge.text.entities import identifiers
from knowledge.text.language import foreign_share, terms

_QUOTED = re.compile(r"(?<!\w)['\"“‘「][^'\"”’」]+['\"”’」](?!\w)")
"""What is quoted in a request is its material and does not say what is wanted."""
_MISSING: dict[Need, Reason] = {"sources": Reason("route.no_sources"), "model": Reason("route.no_model")}
ALIKE = 0.5
"""Likeness from which examples say something. This, `CLEARER` and `NEAREST` were chosen on the questions of the tests."""
CLEARER = 0.15
"""How much more alike the examples of one scenario have to be than those of any other."""
MARGIN = 0.2
"""How much more than any scenario a signal has to be like its examples."""
NEAREST = 2
"""Examples of a kind that are looked at, the most alike ones."""
_BY_EXAMPLE: Mapping[Signal, str] = {"about-the-conversation": "talk", "make": "make"}
"""Signals that are noticed by what they are like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the choice depends on besides the question's words: whether a language model is connected, and whether
    something was said before.
    """

    language_model: bool
    follows: bool = False


class Router:
    """Chooses a scenario. Safe for concurrent use.

    `knowledge_bases` gives those of a principal with their counts; `embedder` gives an embedding model, which is loaded when
    examples have to be compared for the first time.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        *,
        knowledge_bases: Callable[[Principal], Sequence[KnowledgeBase]],
        embedder: Callable[[], Embedder] | None = None,
    ) -> None:
        self._scenarios = {scenario.name: scenario for scenario in scenarios}
        self._knowledge_bases = knowledge_bases
        self._embedder = embedder
        self._examples = {one.name: one.examples for one in scenarios}
        self._examples |= {signal: examples(kind) for signal, kind in _BY_EXAMPLE.items()}
        self._vectors: dict[str, list[list[float]]] = {}
        self._width = 1.0
        self._lock = threading.Lock()

    def sources(self, principal: Principal, asked: Sequence[str] = ()) -> tuple[str, ...]:
        """Ids of the principal's knowledge bases that have something to find, among the asked ones (empty: all that are
        listed).
        """
        bases = [base for base in self._knowledge_bases(principal) if base.chunks]
        return tuple(base.id for base in bases if (base.id in asked if asked else not base.id.startswith(HIDDEN)))

    def scenario(self, name: str) -> Scenario:
        """The scenario of that name. Raises `BadQuestion`."""
        if name not in self._scenarios:
            raise BadQuestion("route.not_found", name=name, known=list(self._scenarios))
        return self._scenarios[name]

    def states(self, principal: Principal, *, language_model: bool) -> list[ScenarioState]:
        """Every scenario, and what it lacks now."""
        sources = bool(self.sources(principal))
        found = []
        for one in self._scenarios.values():
            missing = _missing(one, sources=sources, model=language_model)
            found.append(
                ScenarioState(
                    name=one.name,
                    title=one.title,
                    purpose=one.purpose,
                    state="disabled" if missing else "ready",
                    why=_MISSING[missing] if missing else None,
                )
            )
        return found

    def choose(self, question: Question, query: str, circumstances: Circumstances) -> Route:
        """The route for a question; `query` is the question as it stands on its own. Raises `BadQuestion` when it
        asks for a scenario that does not exist.
        """
        sources = self.sources(question.principal, question.knowledge_bases)
        attached = tuple(one for one in sources if one.startswith(HIDDEN))
        if attached and is_about_attached(question.text):
            sources = attached
        if question.scenario is not None:
            return self._route(self.scenario(question.scenario), 1.0, Reason("route.chosen"), sources)
        return self._route(*self._decide(question.text, query, sources, circumstances), sources)

    def _decide(
        self, text: str, query: str, sources: Sequence[str], circumstances: Circumstances
    ) -> tuple[Scenario, float, Reason]:
        """The scenario, how sure, and why.

        A signal decides for the scenario that takes it, unless that one lacks its sources; one that lacks only a language model
        then says so in its answer. Else those that lack nothing are weighed by their examples.
        """
        model = circumstances.language_model
        weighed = [one for one in self._scenarios.values() if one.examples]
        able = [one for one in weighed if _missing(one, sources=bool(sources), model=model) is None]
        for signal in self._signals(text, query, circumstances, sources=bool(sources)):
            takers = [one for one in self._scenarios.values() if signal in one.signals]
            takers = [one for one in takers if _missing(one, sources=bool(sources), model=True) is None]
            if takers and signal == "names" and len(able) > 2:
                # a name says what a question is about, not what is wanted: that may clearly be something else
                likest, ahead = self._likest(_unnamed(query), able)
                if likest is not None and likest not in takers:
                    return likest, min(0.95, 0.6 + ahead), Reason("route.examples", title=likest.title)
            if takers:
                surest = max(takers, key=lambda one: one.signals[signal])
                return surest, surest.signals[signal], _noticed(signal, query)
        if len(able) <= 1:
            # with nothing ready, one that needs only a model explains what is missing
            rest = [one for one in weighed if _missing(one, sources=bool(sources), model=True) is None]
            only = (able or rest or weighed)[0]
            lacking = (_missing(one, sources=bool(sources), model=model) for one in weighed)
            missing = [_MISSING[need] for need in dict.fromkeys(lacking) if need]
            return only, 0.9, Reason("route.only", title=only.title, missing=missing)
        likest, ahead = self._likest(query, able)
        if likest is None:
            fallback = max(able, key=lambda one: one.fallback or 0.0)
            return fallback, fallback.fallback or 0.5, Reason("route.fallback", title=fallback.title)
        return likest, min(0.95, 0.6 + ahead), Reason("route.examples", title=likest.title)

    def _likest(self, query: str, able: Sequence[Scenario]) -> tuple[Scenario | None, float]:
        """The one of several scenarios whose examples a query is clearly most like, and by how much; None where that is not
        clear.
        """
        likeness = self._likeness(query, [one.name for one in able])
        (first, best), (_, second) = sorted(likeness.items(), key=lambda pair: -pair[1])[:2]
        clear = best >= ALIKE and best - second >= CLEARER
        return (self._scenarios[first] if clear else None), best - second

    def _signals(self, text: str, query: str, circumstances: Circumstances, *, sources: bool) -> Iterator[Signal]:
        """What is noticed, the surest first."""
        if small_talk(text):
            yield "small-talk"
        if identifiers(query):
            yield "names"
        for signal in _BY_EXAMPLE if sources else ():  # without any there is nothing to choose between
            others = [one.name for one in self._scenarios.values() if signal not in one.signals]
            likeness = self._likeness(text, [*others, signal])
            best = likeness.pop(signal)
            noticed = best >= max(ALIKE, *(MARGIN + other for other in likeness.values()))
            if noticed and (circumstances.follows or signal != "about-the-conversation"):
                yield signal

    def _likeness(self, text: str, names: Collection[str]) -> dict[str, float]:
        """How alike a text is to the nearest examples of each of these scenarios or signals: by the words that they share, and
        by meaning, where most examples of all are at 0 and a paraphrase is at 1.
        """
        text = _QUOTED.sub("'…'", text)
        near = {name: [_overlap(text, example) for example in self._examples[name]] for name in names}
        try:
            meant = self._meant(text)
        except Unavailable:  # routing goes on by the words; the search will say what is wrong
            meant = {}
        for name in names if meant else ():
            near[name] = [max(one, other) for one, other in zip(meant[name], near[name], strict=True)]
        return {name: sum(sorted(found)[-NEAREST:]) / NEAREST for name, found in near.items()}

    def _meant(self, text: str) -> dict[str, list[float]]:
        """How alike a text is by meaning to every example; empty where there is no model, or one that cannot read the text."""
        if self._embedder is None:
            return {}
        embedder = self._embedder()
        if embedder.english and foreign_share(text):
            return {}
        with self._lock:
            if not self._vectors:
                self._width = cosine_scale(embedder)[1]
                self._vectors = {
                    name: [embedder.embed_query(one) for one in each] for name, each in self._examples.items()
                }
        vector = embedder.embed_query(text)
        cosines = {
            name: [sum(one * other for one, other in zip(vector, each, strict=True)) for each in vectors]
            for name, vectors in self._vectors.items()
        }
        usual = median(cosine for each in cosines.values() for cosine in each)
        return {name: [(cosine - usual) / self._width for cosine in each] for name, each in cosines.items()}

    def _route(self, scenario: Scenario, confidence: float, why: Reason, sources: Sequence[str]) -> Route:
        others = [one.name for one in self._scenarios.values() if one.examples and one.name != scenario.name]
        searches = "sources" in scenario.needs or any(member.tools for member in scenario.agents)
        return Route(
            scenario=scenario.name,
            sources=tuple(sources) if searches else (),
            why=why,
            confidence=confidence if others else 1.0,
            alternatives=tuple(Choice(scenario=name, confidence=(1 - confidence) / len(others)) for name in others),
        )


def _missing(scenario: Scenario, *, sources: bool, model: bool) -> Need | None:
    """What the scenario needs and does not have."""
    has: dict[Need, bool] = {"sources": sources, "model": model}
    return next((need for need in scenario.needs if not has[need]), None)


def _noticed(signal: Signal, query: str) -> Reason:
    match signal:
        case "small-talk":
            return Reason("route.small_talk")
        case "about-the-conversation":
            return Reason("route.about_the_conversation")
        case "names":
            return Reason("route.names", names=identifiers(query)[:3])
        case "make":
            return Reason("route.make")


def _unnamed(query: str) -> str:
    """A query with "it" for what it names."""
    for name in identifiers(query):
        query = query.replace(name, "it")
    return query


def _overlap(one: str, other: str) -> float:
    """The share of words that two texts have in common (Dice), in [0, 1]."""
    first, second = set(terms(one)), set(terms(other))
    return 2 * len(first & second) / (len(first) + len(second) or 1)
