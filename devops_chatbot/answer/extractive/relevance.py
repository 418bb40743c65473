"""How well a text fits a question: by the words they share, weighed by their rarity, and by what is asked for."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise

from devops_chatbot.answer.extractive.constants import ASKING, CROSSING, FOREIGN, NEARLY
from knowledge.text.entities import identifiers
from knowledge.text.language import is_chinese, language_of, terms

FEWEST, MORE = 5, 5
"""Letters that two forms of a word have in common at least, and how many the longer one may have more."""
STANDS_FOR = {"respond": ("check", "fix"), "what": ("meaning",)}
"""Who asks what to do wants to know where to look, then how to mend it; `what is` alone asks for the meaning."""
OTHERWISE = {"cause": ("check", "meaning"), "fix": ("check",), "check": ("fix",), "impact": ("meaning",), "meaning": ()}
"""What is looked for where no heading promises what is asked."""

_TOKEN = re.compile(r"[A-Za-z0-9]+(?:[._:/@-]+[A-Za-z0-9]+)*")


class Relevance:
    """A question; `rarity` gives the inverse document frequency of its words."""

    def __init__(self, question: str, *, rarity: Mapping[str, float]) -> None:
        self.question = question
        self.names = frozenset(name.lower() for name in identifiers(question))
        self.facets = _facets(question)
        compounds = {found[0] for token in _TOKEN.findall(question) if len(found := terms(token)) > 1}
        words = [word for word in dict.fromkeys(terms(question)) if word not in compounds]  # their parts say the same
        asking = {word for word in words if word in _asking()}
        known: dict[str, float] = {}
        for word, weight in rarity.items():
            for term in terms(word) or [word]:
                known[term] = min(weight, known.get(term, weight))
        usual = sum(known.values()) / len(known) if known else 1.0
        self.weights = {
            word: known.get(word, usual) * (ASKING if word in asking and len(asking) < len(words) else 1.0)
            for word in words
        }
        for word in _crossing(words, self.weights):
            self.weights[word] *= CROSSING
        self.topic = {word: weight for word, weight in self.weights.items() if word not in asking} or self.weights
        chinese = language_of(question) == "zh"
        self._latin = {word for word in self.weights if chinese and word.isascii()}
        self._known: dict[str, Mapping[str, float]] = {}

    def share(self, *texts: str, topic: bool = False) -> float:
        """How much of the question the texts hold together, in [0, 1]; of what it is about alone, with `topic`."""
        held = self._held_by(*texts)
        every = self.topic if topic else self.weights
        weights = self._comparable(every, texts)
        total = sum(weights.values())
        share = sum(weight * held[word] for word, weight in weights.items()) / total if total else 0.0
        return share if len(weights) == len(every) else FOREIGN * share

    def missing(self, *texts: str) -> float:
        """The weight of the rarest word that the texts lack, as a share of the rarest word's."""
        held = self._held_by(*texts)
        weights = self._comparable(self.topic, texts)
        lacks = [weight for word, weight in weights.items() if held[word] < NEARLY]
        return max(lacks, default=0.0) / max(weights.values(), default=1.0)

    def _comparable(self, weights: Mapping[str, float], texts: Sequence[str]) -> Mapping[str, float]:
        """The words of the question that the texts could hold: of a Chinese one, those in Latin letters where none of them is
        Chinese.
        """
        latin = {word: weight for word, weight in weights.items() if word in self._latin}
        return weights if not latin or any(any(map(is_chinese, text)) for text in texts) else latin

    def _held_by(self, *texts: str) -> Mapping[str, float]:
        """How far the texts hold each word."""
        for text in texts:
            if text not in self._known:
                self._known[text] = _held(self.weights, text)
        if len(texts) == 1:
            return self._known[texts[0]]
        return {word: max((self._known[text][word] for text in texts), default=0.0) for word in self.weights}

    def says(self, heading: str) -> bool:
        """Whether all words of a heading stand in the question."""
        words = terms(heading)
        held = _held(words, self.question)
        return bool(words) and (min(held.values()) >= NEARLY or "".join(words) in terms(self.question))

    @property
    def only_names(self) -> bool:
        """Whether the question is nothing but names, and so wants all there is about them."""
        rest = self.question.lower()
        for name in self.names:
            rest = rest.replace(name, " ")
        return bool(self.names) and not set(terms(rest)) - _asking() and not self.facets

    def promised(self, headings: Sequence[str], facets: Sequence[str] | None = None) -> bool:
        """Whether headings promise what is asked for."""
        wanted = self.facets if facets is None else facets
        return any(_heads(facet).search(heading) for facet in wanted for heading in headings)

    def otherwise(self) -> tuple[str, ...]:
        """The facets to look for where none of those asked for is promised by a heading."""
        return tuple(dict.fromkeys(other for facet in self.facets for other in OTHERWISE[facet]))


def _crossing(words: Sequence[str], weights: Mapping[str, float]) -> list[str]:
    """Pairs of Chinese characters that stand in no document, while a pair that shares one of the two does: they cross the
    border of two words.
    """
    most = max(weights.values(), default=0.0)
    return [
        word
        for index, word in enumerate(words)
        if not word.isascii()
        and weights[word] == most
        and any(
            weights[other] < most and (other[-1] == word[0] or other[0] == word[-1])
            for other in words[max(0, index - 1) : index + 2]
        )
    ]


@cache
def _table() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """For each facet of a subject, words that ask for it and words of headings that promise it."""
    found: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(
        files("devops_chatbot.answer.extractive").joinpath("facets.json").read_text("utf-8")
    )
    return found


@cache
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(rf"\b{re.escape(one)}\b" if one.isascii() else one for one in phrases), re.IGNORECASE)


def _heads(facet: str) -> re.Pattern[str]:
    return _pattern(tuple(_table()[facet]["heads"]))


def _facets(question: str) -> tuple[str, ...]:
    """What is asked of the subject, in the order in which it is answered."""
    asked = [facet for facet, words in _table().items() if _pattern(tuple(words["asks"])).search(question)]
    if len(asked) > 1 and "what" in asked:
        asked.remove("what")
    return tuple(dict.fromkeys(each for facet in asked for each in STANDS_FOR.get(facet, (facet,))))


@cache
def _asking() -> frozenset[str]:
    """The words that say what is asked, and not of what."""
    phrases = [phrase for words in _table().values() for phrase in (*words["asks"], "alert", "firing", "告警", "报警")]
    return frozenset(term for phrase in phrases for term in terms(phrase))


def _held(wanted: Iterable[str], text: str) -> dict[str, float]:
    """1 for each word that a text has, also as `roll back` for `rollback`; `NEARLY` for a longer or shorter form of it."""
    found = terms(text)
    words = set(found)
    joined = {one + other for one, other in pairwise(found) if one.isascii()}
    forms: dict[str, list[str]] = {}
    for word in words:
        forms.setdefault(word[:FEWEST], []).append(word)

    def held(word: str) -> float:
        if word in words or word in joined:
            return 1.0
        if len(word) < FEWEST or not (word.isascii() and word.isalpha()):
            return 0.0
        near = [sorted((word, other), key=len) for other in forms.get(word[:FEWEST], ())]
        return NEARLY if any(long.startswith(short) and len(long) - len(short) <= MORE for short, long in near) else 0.0

    return {word: held(word) for word in wanted}
