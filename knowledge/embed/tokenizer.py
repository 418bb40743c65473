"""A BERT tokenizer that remembers what each word gives: most words of a text were there before.

A word-piece tokenizer parts a text at white space before anything else, so the tokens of a text are those of its words. Looking
words up takes a tenth of the processor time, and no threads of its own beside those that embed.
"""

import re
from functools import lru_cache
from pathlib import Path

REMEMBERED = 32_768
"""Words, in about 8 MB."""
LONGEST = 64
"""Longer words are rarely seen twice. Text without spaces is one word a line."""
_JOINS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""White space for Python, nothing at all for the tokenizer."""


class Words:
    """Token ids by the `tokenizer.json` at `path`. Safe for concurrent use."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._first, self._last = self._tokenizer.encode("").ids
        self._remembered = lru_cache(REMEMBERED)(self._asked)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, without those that frame it."""
        if _JOINS.search(text):
            return self._asked(text)
        found: list[int] = []
        for word in text.split():
            found += self._remembered(word) if len(word) <= LONGEST else self._asked(word)
        return found

    def framed(self, text: str, most: int) -> list[int]:
        """What a model is given: at most `most` tokens, the first and last ones included."""
        return [self._first, *self.ids(text)[: most - 2], self._last]

    def _asked(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids
