"""A SentencePiece unigram tokenizer (Kudo 2018) over a vocabulary that no `tokenizer.json` comes with.

The tokenizers library gives the same tokens, but keeps 250 MB for a vocabulary of 250,000 pieces, against 38 MB here, and takes
three times as long to take it in. A piece never reaches over a space, so a text's tokens are those of its words, and most words
were there before.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

REMEMBERED = 32_768
"""Words, in about 8 MB."""
LONGEST = 64
"""Longer words are rarely seen twice. Text without spaces is one word a line."""
_SPACE = "\u2581"
"""How a piece is written that begins a word."""
_UNKNOWN_PENALTY = 10.0
"""A character that no piece covers scores so much less than the rarest piece, as in SentencePiece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Pieces by id with their log probabilities, what a character is `written` as, and the ids of special tokens."""

    pieces: Sequence[str]
    scores: Sequence[float]
    written: Mapping[int, str]
    first: int
    last: int
    unknown: int


class Pieces:
    """Token ids by a vocabulary. Safe for concurrent use."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._first, self._last, self._unknown = vocabulary.first, vocabulary.last, vocabulary.unknown
        self._written = dict(vocabulary.written)
        self._scores = list(vocabulary.scores)
        self._unknown_score = min(self._scores) - _UNKNOWN_PENALTY
        # control tokens have the score 0 and are no part of any text, even where it spells them: `<s>` is a tag of HTML
        self._pieces = {piece: number for number, piece in enumerate(vocabulary.pieces) if self._scores[number]}
        self._reach: dict[str, int] = {}
        for piece in self._pieces:
            self._reach[piece[0]] = max(len(piece), self._reach.get(piece[0], 0))
        self._remembered = lru_cache(REMEMBERED)(self._cut)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, without those that frame it."""
        found: list[int] = []
        for word in text.translate(self._written).split(" "):
            if word:
                found += self._remembered(word) if len(word) <= LONGEST else self._cut(word)
        return found

    def framed(self, text: str, most: int) -> list[int]:
        """What a model is given: at most `most` tokens, the first and last ones included."""
        return [self._first, *self.ids(text)[: most - 2], self._last]

    def _cut(self, word: str) -> list[int]:
        """The likeliest pieces of a word (Viterbi)."""
        text = _SPACE + word
        best = [0.0] + [-sys.float_info.max] * len(text)
        came: list[tuple[int, int]] = [(0, 0)] * (len(text) + 1)
        for start, character in enumerate(text):
            so_far = best[start]
            for end in range(start + 1, min(len(text), start + self._reach.get(character, 0)) + 1):
                piece = self._pieces.get(text[start:end])
                if piece is not None and (score := so_far + self._scores[piece]) > best[end]:
                    best[end], came[end] = score, (start, piece)
            if (score := so_far + self._unknown_score) > best[start + 1]:
                best[start + 1], came[start + 1] = score, (start, self._unknown)
        found: list[int] = []
        at = len(text)
        while at:
            at, piece = came[at]
            found.append(piece)
        return found[::-1]
