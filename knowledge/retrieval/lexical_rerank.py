"""Scores how well the section around a chunk, and its document's title, word a query.

The chunk that matches best is small; what the question names often stands elsewhere in its section, or only in the
title. So the best chunks of all indexes are compared once more, by BM25 over their whole sections (Robertson and
Zaragoza 2009) and by the share of the query's weight that their titles cover. Words are compared by their stems here,
`failing` like `failures`: the index itself does not stem, because that costs precision where it chooses among everything.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knowledge.text.stems import stem

K1 = 1.2
B = 0.75
COMMON = 0.15
"""Words rarer than this share of the rarest one's weight are looked for; the rest decides nothing."""
SHORT = 4
"""Words below this length must stand alone; longer ones may begin or continue another word, as in camelCase."""
_LEAST = 4
"""Letters of a stem."""
_LONGEST = 6000
"""Characters of a section that are looked at."""
_SPACED = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How well a passage words the query: by its section and by its title, each in [0, 1]."""

    section: float
    title: float


class LexicalReranker:
    """A query as stems with their weights. `rarity` gives the weight of each of its words (inverse document frequency)."""

    def __init__(self, rarity: Mapping[str, float]) -> None:
        weights: dict[str, float] = {}
        for word, weight in rarity.items():
            root = stem(word, least=_LEAST)
            weights[root] = min(weight, weights.get(root, math.inf))
        most = max(weights.values(), default=0.0)
        self._weights = [
            (f" {root} ", True, weight) if len(root) < SHORT and root.isascii() else (root, False, weight)
            for root, weight in weights.items()
            if weight > COMMON * most
        ]
        self._total = sum(weight for _, _, weight in self._weights)

    def compare(self, passages: Sequence[tuple[str, str]]) -> list[Overlap]:
        """How each passage, given as (title, section), words the query; lengths are weighed against each other."""
        if not self._weights or not passages:
            return [Overlap(section=0.0, title=0.0) for _ in passages]
        mean = sum(len(section) for _, section in passages) / len(passages) or 1.0
        titles = {title: self._counts(title) for title in {title for title, _ in passages}}
        sections = {section: self._counts(section[:_LONGEST]) for section in {section for _, section in passages}}
        return [
            self._worded(titles[title], sections[section], K1 * (1 - B + B * len(section) / mean))
            for title, section in passages
        ]

    def _counts(self, text: str) -> list[int]:
        """How often each of the query's stems stands in a text."""
        lower = text.lower()
        spaced = f" {lower.translate(_SPACED)} "
        return [spaced.count(root) if alone else lower.count(root) for root, alone, _ in self._weights]

    def _worded(self, above: Sequence[int], below: Sequence[int], norm: float) -> Overlap:
        section = covered = 0.0
        for (_, _, weight), over, under in zip(self._weights, above, below, strict=True):
            if over:
                covered += weight
            if times := over + under:
                section += weight * times / (times + norm)
        return Overlap(section=section / self._total, title=covered / self._total)
