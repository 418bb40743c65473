"""Chooses the way that a question takes, and says why and how sure: rules first, examples by meaning where rules are
silent.
"""

import re
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from devops_chatbot.access.principals import Principal
from devops_chatbot.chat import Choice, Need, Question, Route, Scenario, ScenarioState, Signal
from devops_chatbot.errors import BadQuestion, Unavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.routing.small_talk import is_small_talk
from knowledge.model import HIDDEN, KnowledgeBase
from knowledge.text.language import Language, identifiers, language_of

_ABOUT_THE_TALK = re.compile(
    r"\b(?:translate|rephrase|reword|shorten|summari[sz]e|repeat|rewrite|explain)\b.{0,30}"
    r"\b(?:that|it|this|above|your (?:last |previous )?(?:answer|reply|response))\b"
    r"|\b(?:shorter|in (?:english|chinese|simple words|other words|one sentence))\s*(?:please)?\W*$"
    r"|(?:把|将).{0,6}(?:上面|刚才|这段|回答|上述).{0,8}(?:翻译|改写|缩短|总结|概括)|(?:再说一遍|简短一点|换种说法|用英文说|用中文说)",
    re.IGNORECASE,
)
_EXPLAIN = re.compile(r"\bexplain\b", re.IGNORECASE)
_MAKE = re.compile(
    r"^\W*(?:please |can you |could you |would you |help me (?:to )?)*(?:write|draft|compose|translate"
    r"|proofread|tell me a (?:joke|story)|recommend|give me ideas)\b"
    r"|^\W*(?:请)?(?:你)?(?:帮我|帮忙|给我)?(?:写(?:一|个|段|首|封|篇)|讲(?:一)?个(?:笑话|故事)|翻译|(?:把|将).{1,200}(?:翻译|译)成|推荐(?:一|几|本)|起草)",
    re.IGNORECASE,
)
_OPERATE = re.compile(
    r"\b(?:alerts?|alerting|runbooks?|pods?|nodes?|deployments?|clusters?|incidents?|outages?|on[ -]call|rollback"
    r"|roll back|troubleshoot|escalat\w+|restart(?:s|ed|ing)?|crash\w*|latency|disk (?:is )?(?:almost )?full)\b"
    r"|告警|报警|故障|重启|报错|排查|宕机|延迟|运行手册|值班|发布|回滚|部署|节点|集群|日志|监控|超时|磁盘|内存|服务|配置",
    re.IGNORECASE,
)
_CLEAR: dict[Language, float] = {"en": 0.03, "zh": 0.2}
"""How much nearer the examples of one scenario have to be than those of any other. Embedding models that know little
Chinese give all of it nearly the same vector.
"""
_MISSING: dict[Need, Reason] = {"sources": Reason("route.no_sources"), "model": Reason("route.no_model")}
LEAST_LIKENESS = 0.25
"""Cosine below which the nearest examples say nothing."""
NEAREST = 3
"""Examples of each scenario that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the choice depends on besides the question's words: whether a language model is connected, and whether
    something was said before.
    """

    language_model: bool
    follows: bool = False


class Router:
    """Chooses a scenario. Safe for concurrent use.

    `knowledge_bases` gives those of a principal with their counts; `embed` turns a text into a vector of unit length, and is
    called only when no rule decides (it loads a model on first use).
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        *,
        knowledge_bases: Callable[[Principal], Sequence[KnowledgeBase]],
        embed: Callable[[str], Sequence[float]] | None = None,
    ) -> None:
        self._scenarios = {scenario.name: scenario for scenario in scenarios}
        self._knowledge_bases = knowledge_bases
        self._embed = embed
        self._examples: list[tuple[str, Sequence[float]]] = []
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
        for signal in _signals(text, query, circumstances):
            takers = [one for one in self._scenarios.values() if signal in one.signals]
            takers = [one for one in takers if _missing(one, sources=bool(sources), model=True) is None]
            if takers:
                surest = max(takers, key=lambda one: one.signals[signal])
                return surest, surest.signals[signal], _noticed(signal, query)
        able = [one for one in self._scenarios.values() if _missing(one, sources=bool(sources), model=model) is None]
        if len(able) <= 1:
            # with nothing ready, one that needs only a model explains what is missing
            rest = [one for one in self._scenarios.values() if _missing(one, sources=bool(sources), model=True) is None]
            only = (able or rest or list(self._scenarios.values()))[0]
            lacking = (_missing(one, sources=bool(sources), model=model) for one in self._scenarios.values())
            missing = [_MISSING[need] for need in dict.fromkeys(lacking) if need]
            return only, 0.9, Reason("route.only", title=only.title, missing=missing)
        likeness = self._likeness(query, {one.name for one in able})
        (first, best), (_, second) = sorted(likeness.items(), key=lambda pair: -pair[1])[:2]
        if best < LEAST_LIKENESS or best - second < _CLEAR[language_of(query)]:
            fallback = max(able, key=lambda one: one.fallback or 0.0)
            return fallback, fallback.fallback or 0.5, Reason("route.fallback", title=fallback.title)
        likest = self._scenarios[first]
        return likest, min(0.95, 0.6 + best - second), Reason("route.examples", title=likest.title)

    def _likeness(self, query: str, names: Collection[str]) -> dict[str, float]:
        """By scenario, the mean cosine to its nearest examples; zeros when nothing can be embedded."""
        near: dict[str, list[float]] = {name: [] for name in names}
        if self._embed is not None:
            try:
                vector = self._embed(query)
                for scenario, example in self._embedded():
                    if scenario in near:
                        near[scenario].append(sum(one * other for one, other in zip(vector, example, strict=True)))
            except Unavailable:  # routing goes on by the rules; the search will say what is wrong
                near = {name: [] for name in names}
        return {name: sum(sorted(cosines)[-NEAREST:]) / NEAREST for name, cosines in near.items()}

    def _embedded(self) -> list[tuple[str, Sequence[float]]]:
        with self._lock:
            if not self._examples and self._embed is not None:
                self._examples = [
                    (one.name, self._embed(text)) for one in self._scenarios.values() for text in one.examples
                ]
            return self._examples

    def _route(self, scenario: Scenario, confidence: float, why: Reason, sources: Sequence[str]) -> Route:
        others = [name for name in self._scenarios if name != scenario.name]
        return Route(
            scenario=scenario.name,
            sources=tuple(sources) if "sources" in scenario.needs else (),
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
        case "operations":
            return Reason("route.operations")


def _signals(text: str, query: str, circumstances: Circumstances) -> Iterator[Signal]:
    """What the rules notice, the surest first."""
    if is_small_talk(text):
        yield "small-talk"
    explains = _EXPLAIN.search(text) and not circumstances.language_model  # what documents can do as well
    if circumstances.follows and _ABOUT_THE_TALK.search(text) and not explains:
        yield "about-the-conversation"
    if identifiers(query):
        yield "names"
    if _MAKE.match(text):
        yield "make"
    if _OPERATE.search(query):
        yield "operations"
