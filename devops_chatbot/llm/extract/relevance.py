"""How well a text fits a question: by the words they share, and by what kind of thing is asked for."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from devops_chatbot.language import identifiers, terms

PHRASE = 0.2
"""What words that stand together in both are worth, in shares of the question."""
IDENTIFIER = 1.6

_RESPOND = (
    r"\bhandle|\bdeal with|\brespond|\breact|\bwhat (?:should|can|must|do|to)\b.{0,20}\bdo\b|\bwhat to do\b|\bwhat now\b"
    r"|\bhelp\b|\bwhere (?:do|should|to)\b.{0,12}\bstart\b|处理|怎么办|应对|从哪里?(?:开始|入手)"
)
"""Asks what to do: first to look, then to mend."""
_KINDS: dict[str, tuple[str, str]] = {
    # kind: (words of a question that ask for it, words of a heading that promise it)
    "meaning": (
        r"\bmean(?:s|ing)?\b|^\s*what (?:is|are|does)\b|\bwhat's\b|\bexplain|\bdescribe|\bdefinition"
        r"|是什么|什么是|什么意思|含义|意思|介绍|解释|说明",
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
        r"\bimpact|\beffects?\b|\bconsequence|\baffect|\bseverity|\bhow (?:bad|serious|severe|critical|urgent)|\bwhat happens"
        r"|影响|后果|严重",
        r"impact|effect|consequence|severity|risk|影响|后果|严重|风险",
    ),
}
_HOW_TO = re.compile(
    r"\bhow (?:do|can|should|to|would|could)\b|\bsteps?\b|\bwhich commands?\b|\bwhat commands?\b|\bcommand (?:to|for)\b"
    r"|如何|怎么|怎样|步骤|命令|办法|方法",
    re.IGNORECASE,
)
_WORDS_OF_KINDS = re.compile(
    r"mean|explain|explan|describ|descript|definit|check|diagnos\w*|debug\w*|investig\w*|troubleshoot\w*|fix|resol\w*|mitig\w*"
    r"|solv|solut|recover\w*|restor\w*|repair\w*|respon\w*|react|handl|deal|start|caus|reason|impact|effect|happen|step|action|alert|fire|fir|issue|problem|help|now|command"
    r"|意思|含义|处理|解决|修复|么办|检查|排查|诊断|原因|影响|告警|报警|步骤|方法"
)
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

    def __init__(self, question: str, texts: Iterable[str]) -> None:
        self._question = question
        asked = terms(question)
        document_counts: Counter[str] = Counter()
        count = 0
        for text in texts:
            document_counts.update(set(terms(text)))
            count += 1
        latin = [word for word in asked if word.isascii()]
        if latin and all(word.isascii() for word in document_counts):
            asked = latin  # a Chinese question about English documents: only its names can be found there
        names = {name.lower() for name in identifiers(question)}
        self._weights = {
            word: math.log(1 + (count + 1) / (1 + document_counts[word])) * (IDENTIFIER if word in names else 1.0)
            for word in asked
        }
        self._total = sum(self._weights.values()) or 1.0
        self._pairs = set(pairwise(asked))
        kinds = tuple(kind for kind, (asks, _) in _KINDS.items() if re.search(asks, question, re.IGNORECASE))
        if len(kinds) > 1 and not re.search(r"mean|explain|意思|含义|解释", question, re.IGNORECASE):
            kinds = tuple(kind for kind in kinds if kind != "meaning")  # "what is the impact of …"
        self.kinds = kinds
        self.how_to = bool(_HOW_TO.search(question))
        self._known: dict[str, tuple[frozenset[str], frozenset[tuple[str, str]]]] = {}
        self.names = names

    @property
    def empty(self) -> bool:
        """Whether the question has no word that could be found anywhere."""
        return not self._weights

    def among(self, texts: Iterable[str]) -> "Relevance":
        """The same question, its words weighed by how well they tell these texts apart."""
        return Relevance(self._question, texts)

    def share(self, text: str) -> float:
        """How much of the question the text holds, in [0, 1]; a little more where words stand together as asked."""
        words, pairs = self._words(text)
        held = sum(weight for word, weight in self._weights.items() if word in words) / self._total
        if not self._pairs:
            return held
        together = len(self._pairs & pairs) / len(self._pairs)
        return held + PHRASE * together * held

    def topic_share(self, text: str) -> float:
        """`share` of those words that say what the question is about, leaving out the ones that say what is asked of
        it (mean, fix, check …). 1 when there are none.
        """
        words, _ = self._words(text)
        topic = {word: weight for word, weight in self._weights.items() if not _WORDS_OF_KINDS.fullmatch(word)}
        total = sum(topic.values())
        return sum(weight for word, weight in topic.items() if word in words) / total if total else 1.0

    def promises(self, headings: Sequence[str]) -> tuple[str, ...]:
        """The kinds asked for that these headings promise."""
        return tuple(kind for kind in self.kinds if promised(kind, headings))

    def instead(self) -> tuple[str, ...]:
        """The kinds to look for where none of those asked for is promised by any heading."""
        others = [other for kind in self.kinds for other in _OTHERWISE[kind]]
        return tuple(dict.fromkeys(others)) if self.kinds else ("fix",) if self.how_to else ()

    def _words(self, text: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
        if text not in self._known:
            found = terms(text)
            self._known[text] = frozenset(found), frozenset(pairwise(found))
        return self._known[text]


def promised(kind: str, headings: Sequence[str]) -> bool:
    """Whether headings promise this kind of thing."""
    return bool(re.search(_KINDS[kind][1], " / ".join(headings), re.IGNORECASE))
