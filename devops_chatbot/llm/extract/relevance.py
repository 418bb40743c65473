"""How well a text fits a question: by the words they share, and by what kind of thing is asked for."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from knowledge.text.language import identifiers, stem, terms

PHRASE = 0.2
"""What words that stand together in both are worth, in shares of the question."""
IDENTIFIER = 1.6
NEARLY = 0.7
"""What a word counts where only a longer or shorter form of it stands, as `Postgres` for `PostgreSQL`."""
FEWEST = 5
"""Letters that both forms have in common at least, and how many the longer one may have more."""
MORE = 5
ASKING = 0.4
"""What a word that says what is asked (fix, check …) counts beside one that says of what."""

_RESPOND = (
    r"\bhandle|\bdeal with|\brespond|\breact|\bwhat (?:should|can|must|do|to)\b.{0,20}\bdo\b|\bwhat to do\b"
    r"|\bwhat (?:now|next)\b|\bnext steps?\b"
    r"|\bhelp\b|\bwhere (?:do|should|to)\b.{0,12}\bstart\b|处理|怎么办|应对|下一步|接下来|从哪里?(?:开始|入手)"
)
"""Asks what to do: first to look, then to mend."""
_KINDS: dict[str, tuple[str, str]] = {
    # kind: (words of a question that ask for it, words of a heading that promise it)
    "meaning": (
        r"\bmean(?:s|ing)?\b|^\s*what (?:is|are|does)\b|\bwhat's\b|\bexplain|\bdescribe|\bdefinition"
        r"|\bdifference|\bvs\b|\bversus\b"
        r"|区别|不同|是什么|什么是|什么意思|含义|意思|介绍|解释|说明",
        r"meaning|overview|description|about|introduction|summary|what is|what are|background|concept"
        r"|说明|简介|概述|含义|定义|描述|介绍|背景|意思",
    ),
    "check": (
        r"\b(?:check|diagnos|debug|investigat|troubleshoot|inspect|verify|look (?:at|for|into)|find out|analy[sz])"
        rf"|检查|排查|诊断|查看|定位|调查|分析|确认|{_RESPOND}",
        r"diagnos|troubleshoot|debug|investigat|check|verif|triage|inspect|symptom|诊断|排查|检查|定位|分析|验证|症状",
    ),
    "fix": (
        r"\b(?:fix|resolv|mitigat|solv|remed|recover|repair|restor|clear|get rid|work ?around)"
        rf"|\bfree (?:up|some|disk|space)|解决|修复|恢复|缓解|消除|{_RESPOND}",
        r"mitigat|resol|fix|solution|solv|remed|recover|repair|restor|work ?around|what to do|action|response|steps|procedure"
        r"|处理|解决|修复|恢复|步骤|方案|操作|缓解|措施|办法|方法",
    ),
    "cause": (
        r"\bwhy\b|\bcauses?\b|\breasons?\b|\broot cause|为什么|为何|原因|导致",
        r"cause|reason|\bwhy\b|原因|根因|为什么",
    ),
    "impact": (
        r"\bimpact|\beffects?\b|\bconsequence|\baffect|\bseverity|\bhow (?:bad|serious|severe|critical|urgent)"
        r"|\bis (?:it|this|that|\w+) (?:bad|serious|severe|critical|urgent)|\bwhat happens"
        r"|影响|后果|严重",
        r"impact|effect|consequence|severity|risk|影响|后果|严重|风险",
    ),
}
KINDS = tuple(_KINDS)
_ASKS = re.compile(
    r"[?？]\s*$|^\W*(?:is|are|does|do|did|can|could|should|would|will|has|have|which|when|where|who|whom|whose|what|why|how)\b"
    r"|什么|怎么|怎样|如何|哪|谁|几|多少|吗|是否",
    re.IGNORECASE,
)
"""Asks for something particular, and does not just name a thing or a symptom."""
_HOW_TO = re.compile(
    r"\bhow (?:do|can|should|to|would|could)\b|\bsteps?\b|\bwhich commands?\b|\bwhat commands?\b|\bcommand (?:to|for)\b"
    r"|如何|怎么|怎样|步骤|命令|办法|方法",
    re.IGNORECASE,
)
_WORDS_OF_KINDS = re.compile(
    r"mean|tell|status|stat|summar\w*|overview|differ\w*|compar\w*|versus|vs|explain|explan|describ|descript|definit|check|diagnos\w*|debug\w*|investig\w*|troubleshoot\w*|fix|resol\w*|mitig\w*"
    r"|solv|solut|recover\w*|restor\w*|repair\w*|respon\w*|react|handl|deal|start|caus|reason|impact|effect|happen|step|action|alert|fire|fir|issue|problem|help|now|command"
    r"|意思|含义|处理|解决|修复|么办|检查|排查|诊断|原因|影响|告警|报警|步骤|方法"
)
_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[._:/@-]+")
"""Where a name such as `KubePodNotReady` comes apart."""
_OTHERWISE = {
    "cause": ("check", "meaning"),
    "fix": ("check",),
    "check": ("fix",),
    "impact": ("meaning",),
    "meaning": (),
}
"""Where to look when no heading promises what is asked."""


class Relevance:
    """The words of a question, each weighed by how rare it is among the texts that were found."""

    def __init__(self, question: str, texts: Iterable[str], *, without: Collection[str] = ()) -> None:
        """`without` are words of the question that do not count, such as those of the title that all the texts share."""
        self._question = question
        found = [set(terms(text)) for text in texts]
        document_counts = Counter(word for words in found for word in words)
        asked = terms(question)
        latin = [word for word in asked if word.isascii()]
        if latin and all(word.isascii() for word in document_counts):
            asked = latin  # a Chinese question about English documents: only its names can be found there
        asked = [word for word in asked if word not in without] or asked
        names = {name.lower() for name in identifiers(question)}
        topic = [word for word in asked if not _WORDS_OF_KINDS.fullmatch(word)]
        self._weights = {
            word: math.log(1 + (len(found) + 1) / (1 + document_counts[word]))
            * (IDENTIFIER if word in names else 1.0)
            * (1.0 if word in topic or not topic else ASKING)
            for word in asked
        }
        self._topic = {word: self._weights[word] for word in topic}
        self._pairs = set(pairwise(asked))
        kinds = tuple(kind for kind, (asks, _) in _KINDS.items() if re.search(asks, question, re.IGNORECASE))
        if len(kinds) > 1 and not re.search(r"mean|explain|意思|含义|解释", question, re.IGNORECASE):
            kinds = tuple(kind for kind in kinds if kind != "meaning")  # "what is the impact of …"
        self.kinds = kinds
        self.how_to = bool(_HOW_TO.search(question))
        self.asks = bool(_ASKS.search(question))
        self.particular = self.asks and not self.how_to and not set(kinds) - {"meaning"}
        self._known: dict[str, tuple[Mapping[str, float], frozenset[tuple[str, str]]]] = {}
        self.names = names

    @property
    def short(self) -> bool:
        """Whether the question is about one or two words."""
        return len(self._topic) <= 2

    @property
    def empty(self) -> bool:
        """Whether the question has no word that could be found anywhere."""
        return not self._weights

    def among(self, texts: Iterable[str], *, title: str = "") -> "Relevance":
        """The same question, its words weighed by how well they tell these texts apart; those of their `title` tell
        nothing.
        """
        return Relevance(self._question, texts, without=set(terms(title)))

    def of_topic(self, other: Collection[str]) -> "Relevance":
        """The same question without these names and their parts."""
        question = self._question
        for name in other:
            question = re.sub(re.escape(name), " ", question, flags=re.IGNORECASE)
        return Relevance(question, ())

    def share(self, text: str) -> float:
        """How much of the question the text holds, in [0, 1]; a little more where words stand together as asked."""
        held, pairs = self._held(text)
        share = self._part(held, self._weights)
        if not self._pairs:
            return share
        together = len(self._pairs & pairs) / len(self._pairs)
        return share + PHRASE * together * share

    def topic_share(self, text: str) -> float:
        """`share` of those words that say what the question is about, leaving out the ones that say what is asked of
        it (mean, fix, check …). 1 when there are none.
        """
        return self._part(self._held(text)[0], self._topic) if self._topic else 1.0

    def says(self, heading: str) -> bool:
        """Whether all words of a heading stand in the question."""
        asked = terms(self._question)
        known = {*asked, *(first + second for first, second in pairwise(asked))}
        words = terms(_SEAM.sub(" ", heading))
        return bool(words) and all(word in known or _nearly(word, known) for word in words)

    def names_alone(self, title: str) -> bool:
        """Whether a title is all that the question is about, or a Chinese one stands in it."""
        words = {word for word in terms(title) if not _WORDS_OF_KINDS.fullmatch(word)}
        inside = bool(words) and not any(word.isascii() for word in words) and title in self._question
        return bool(words) and (inside or set(self._topic) == words)

    def titled(self, title: str) -> float:
        """How much of a title of several words is said, in [0, 1], where the question is none but names a thing or a symptom:
        a real question has words of many a title in it.
        """
        parts = set(terms(_SEAM.sub(" ", title)))
        if len(parts) < 2 or self.asks:
            return 0.0
        asked = set(terms(self._question))
        joined = {first + second for first, second in pairwise(terms(self._question))}
        return sum(1.0 if word in asked or word in joined else _nearly(word, asked) for word in parts) / len(parts)

    @staticmethod
    def _part(held: Mapping[str, float], weights: Mapping[str, float]) -> float:
        total = sum(weights.values()) or 1.0
        return sum(weight * held.get(word, 0.0) for word, weight in weights.items()) / total

    def promises(self, headings: Sequence[str]) -> tuple[str, ...]:
        """The kinds asked for that these headings promise."""
        return tuple(kind for kind in self.kinds if promised(kind, headings))

    def instead(self) -> tuple[str, ...]:
        """The kinds to look for where none of those asked for is promised by any heading."""
        others = [other for kind in self.kinds for other in _OTHERWISE[kind]]
        return tuple(dict.fromkeys(others)) if self.kinds else ("fix",) if self.how_to else ()

    def _held(self, text: str) -> tuple[Mapping[str, float], frozenset[tuple[str, str]]]:
        """How far the text holds each word of the question, and its pairs of words that stand together. `rollback` holds
        `roll back`, and the other way round; `deployment/check-out` holds `check-out`.
        """
        if text not in self._known:
            found = terms(text)
            words, pairs = frozenset(found), frozenset(pairwise(found))
            joined = {first + second for first, second in pairs if first.isascii() and second.isascii()}
            held = {word: 1.0 if word in words or word in joined else _nearly(word, words) for word in self._weights}
            held |= {
                word: 1.0 for word in self._weights if len(parts := _SEAM.split(word)) > 1 and _together(parts, pairs)
            }
            held |= dict.fromkeys((word for pair in self._pairs if "".join(pair) in words for word in pair), 1.0)
            self._known[text] = held, pairs
        return self._known[text]


def promised(kind: str, headings: Sequence[str]) -> bool:
    """Whether headings promise this kind of thing."""
    return bool(re.search(_KINDS[kind][1], " / ".join(headings), re.IGNORECASE))


def _together(parts: Sequence[str], pairs: Collection[tuple[str, str]]) -> bool:
    return all((stem(first), stem(second)) in pairs for first, second in pairwise(parts))


def _nearly(word: str, words: Collection[str]) -> float:
    """`NEARLY` where a longer or a shorter form of an English word is among the words."""
    if len(word) < FEWEST or not word.isalpha() or not word.isascii():
        return 0.0
    for other in words:
        short, long = sorted((word, other), key=len)
        if len(short) >= FEWEST and len(long) - len(short) <= MORE and long.startswith(short):
            return NEARLY
    return 0.0
