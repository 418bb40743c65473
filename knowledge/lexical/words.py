"""Turns text into the words that are indexed and searched.

English as it is, identifiers whole and in parts, Chinese in bigrams.
No stemming and no stop words: on technical text both cost more than they give (docs/benchmarks.md).
"""

import re
import unicodedata

_WORD = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]+|[^\W_]+(?:[._:/@-]+[^\W_]+|_+[^\W_]*)*"
)
_CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
_SEPARATOR = re.compile(r"[._:/@-]+|_+")
LONGEST = 200
"""Longer words (base64, minified code) are cut: nobody searches for them."""


def words(text: str) -> list[str]:
    """The words of a text or of a query, lower case, in order.

    `KubePodCrashLooping` gives itself and its parts, so do `http_requests_total` and `spec.template.metadata`; a run of
    Chinese characters gives its bigrams (a single character stays one).
    """
    found: list[str] = []
    for match in _WORD.finditer(unicodedata.normalize("NFKC", text)):
        word = match.group()
        if _CJK.match(word):
            found += [word] if len(word) == 1 else [word[i : i + 2] for i in range(len(word) - 1)]
            continue
        _add(word[:LONGEST], found)
    return found


def _add(word: str, found: list[str]) -> None:
    whole = word.lower()
    pieces = [piece for piece in _SEPARATOR.split(word) if piece]
    found.append(whole if len(pieces) != 1 else pieces[0].lower())
    for piece in pieces:
        parts = _PART.findall(piece)
        if len(pieces) > 1:
            found.append(piece.lower())
        if len(parts) > 1:
            found += [part.lower() for part in parts]
