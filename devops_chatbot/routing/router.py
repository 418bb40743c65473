"""Chooses the way that a question takes, and says why and how sure: rules first, examples by meaning where rules are
silent.
"""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devops_chatbot.chat import Choice, Question, Route
from devops_chatbot.errors import BadQuestion, Unavailable
from devops_chatbot.routing.examples import PROTOTYPES
from devops_chatbot.routing.small_talk import is_small_talk
from knowledge.catalog.catalog import HIDDEN, KnowledgeBase
from knowledge.text.language import Language, identifiers, language_of

DOCS = "docs"
CHAT = "chat"
NAMES = (DOCS, CHAT)

_ABOUT_THE_TALK = re.compile(
    r"\b(?:translate|rephrase|reword|shorten|summari[sz]e|repeat|rewrite|explain)\b.{0,30}"
    r"\b(?:that|it|this|above|your (?:last |previous )?(?:answer|reply|response))\b"
    r"|\b(?:shorter|in (?:english|chinese|simple words|other words|one sentence))\s*(?:please)?\W*$"
    r"|(?:把|将).{0,6}(?:上面|刚才|这段|回答|上述).{0,8}(?:翻译|改写|缩短|总结|概括)|(?:再说一遍|简短一点|换种说法|用英文说|用中文说)",
    re.IGNORECASE,
)
_EXPLAIN = re.compile(r"\bexplain\b", re.IGNORECASE)
"""What documents can do as well."""
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
"""How much nearer the examples of one route have to be. Embedding models that know little Chinese give all of it nearly the
same vector.
"""
_WHY: dict[str, dict[Language, str]] = {
    "chosen": {"en": "You chose this route.", "zh": "这是你选择的路径。"},
    "empty": {
        "en": "There is no knowledge base with documents to look into yet.",
        "zh": "还没有包含文档的知识库可供查询。",
    },
    "small talk": {"en": "This is small talk; no document is needed.", "zh": "这是闲聊，不需要查阅文档。"},
    "about the talk": {
        "en": "This is about the conversation itself, not about the documents.",
        "zh": "这是关于对话本身的请求，与文档无关。",
    },
    "names": {
        "en": "It names {names}: your documents are the place to look.",
        "zh": "问题提到了 {names}，应当查阅你的文档。",
    },
    "no model": {
        "en": "No language model is connected, so the answer can only come from your documents.",
        "zh": "没有连接语言模型，回答只能来自你的文档。",
    },
    "cannot make": {
        "en": "It asks for something to be written, which needs a language model; none is connected.",
        "zh": "这是写作或翻译类的请求，需要语言模型，而现在没有连接。",
    },
    "like docs": {
        "en": "It reads like a question about your systems, so your documents are searched.",
        "zh": "这像是关于你的系统的问题，因此查阅文档。",
    },
    "like chat": {
        "en": "It reads like a request for general help, not for your documents.",
        "zh": "这像是一般性的请求，不需要查阅你的文档。",
    },
    "default": {
        "en": "There are documents to look into, and nothing speaks against it.",
        "zh": "有文档可查，也没有理由不查。",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the choice depends on besides the question's words: whether a language model is connected, and whether
    something was said before.
    """

    language_model: bool
    follows: bool = False


class Router:
    """Chooses between `docs` and `chat`. Safe for concurrent use.

    `knowledge_bases` gives every one with its counts; `embed` turns a text into a vector of unit length, and is
    called only when no rule decides (it loads a model on first use).
    """

    def __init__(
        self,
        *,
        knowledge_bases: Callable[[], Sequence[KnowledgeBase]],
        embed: Callable[[str], Sequence[float]] | None = None,
    ) -> None:
        self._knowledge_bases = knowledge_bases
        self._embed = embed
        self._examples: list[tuple[str, Sequence[float]]] = []
        self._lock = threading.Lock()

    def sources(self, asked: Sequence[str] = ()) -> tuple[str, ...]:
        """Ids of those knowledge bases that have something to find, among the asked ones (empty: all that are listed)."""
        bases = [base for base in self._knowledge_bases() if base.chunks]
        return tuple(base.id for base in bases if (base.id in asked if asked else not base.id.startswith(HIDDEN)))

    def check(self, scenario: str | None) -> None:
        """Raises `BadQuestion` for a scenario that does not exist."""
        if scenario is not None and scenario not in NAMES:
            raise BadQuestion(f"There is no route {scenario!r}. Known: {', '.join(NAMES)}")

    def choose(self, question: Question, query: str, circumstances: Circumstances) -> Route:
        """The route for a question; `query` is the question as it stands on its own. Raises `BadQuestion` when it
        asks for a scenario that does not exist.
        """
        language = language_of(question.text)
        sources = self.sources(question.knowledge_bases)
        self.check(question.scenario)
        if question.scenario is not None:
            return _route(question.scenario, 1.0, _WHY["chosen"][language], sources)
        scenario, confidence, why = self._decide(question.text, query, sources, circumstances)
        names = "、".join(identifiers(query)[:3]) if language == "zh" else ", ".join(identifiers(query)[:3])
        return _route(scenario, confidence, _WHY[why][language].format(names=names), sources)

    def _decide(
        self, text: str, query: str, sources: Sequence[str], circumstances: Circumstances
    ) -> tuple[str, float, str]:
        if is_small_talk(text):
            return CHAT, 0.95, "small talk"
        if not sources:
            return CHAT, 0.9, "empty"
        if not circumstances.language_model:
            rewords = circumstances.follows and bool(_ABOUT_THE_TALK.search(text)) and not _EXPLAIN.search(text)
            makes = bool(_MAKE.match(text)) and not identifiers(query)
            return (CHAT, 0.85, "cannot make") if makes or rewords else (DOCS, 0.9, "no model")
        if circumstances.follows and _ABOUT_THE_TALK.search(text):
            return CHAT, 0.85, "about the talk"
        if identifiers(query):
            return DOCS, 0.95, "names"
        if _MAKE.match(text):
            return CHAT, 0.85, "like chat"
        if _OPERATE.search(query):
            return DOCS, 0.85, "like docs"
        docs, chat = self._likeness(query)
        if max(docs, chat) < 0.25 or abs(docs - chat) < _CLEAR[language_of(query)]:
            return DOCS, 0.6, "default"
        confidence = min(0.95, 0.6 + abs(docs - chat))
        return (DOCS, confidence, "like docs") if docs > chat else (CHAT, confidence, "like chat")

    def _likeness(self, query: str) -> tuple[float, float]:
        """The mean cosine to the three nearest examples of `docs` and of `chat`; zeros when nothing can be embedded."""
        if self._embed is None:
            return 0.0, 0.0
        try:
            examples, vector = self._embedded(), self._embed(query)
        except Unavailable:  # routing goes on by the rules; the search will say what is wrong
            return 0.0, 0.0
        near: dict[str, list[float]] = {DOCS: [], CHAT: []}
        for scenario, example in examples:
            near[scenario].append(sum(one * other for one, other in zip(vector, example, strict=True)))
        docs, chat = (sum(sorted(near[name])[-3:]) / 3 for name in NAMES)
        return docs, chat

    def _embedded(self) -> list[tuple[str, Sequence[float]]]:
        with self._lock:
            if not self._examples and self._embed is not None:
                self._examples = [(name, self._embed(text)) for name, texts in PROTOTYPES.items() for text in texts]
            return self._examples


def _route(scenario: str, confidence: float, why: str, sources: Sequence[str]) -> Route:
    others = [name for name in NAMES if name != scenario]
    left = (1 - confidence) / len(others)
    return Route(
        scenario=scenario,
        sources=tuple(sources) if scenario == DOCS else (),
        why=why,
        confidence=confidence,
        alternatives=tuple(Choice(scenario=name, confidence=left) for name in others),
    )
