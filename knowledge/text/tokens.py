"""Turns text into the words that are indexed and searched.

English as it is, identifiers whole and in parts, Chinese in bigrams.
No stemming and no stop words: on technical text both cost more than they give (docs/benchmarks.md).
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from knowledge.text.identifiers import parts

UNSPACED = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese, Japanese and Korean characters: writing that does not part words with spaces, or not everywhere."""
_RUN = f"[{UNSPACED}]+"
_LETTERS = f"[^\\W_{UNSPACED}]"
_WORD = re.compile(f"({_RUN})|{_LETTERS}+(?:[._:/@-]+{_LETTERS}+|_+{_LETTERS}*)*")
_SEPARATOR = re.compile(r"[._:/@-]+")
_WEAKER = (re.compile(r"[:/@]+"), re.compile(r"_+"), re.compile(r"\.+(?=.*[a-z-])"))
"""What parts names that were put together, before what parts a name itself; the dots of an address part nothing."""
REMEMBERED = 16_384
"""Most words of a text were seen before; so many are remembered, up to a length that words seldom exceed."""
REMEMBERED_LENGTH = 64
SHORTEST = 5
"""Shorter words with a digit are versions and sizes: `v2`, `10gb`."""
LONGEST = 200
"""Longer words (base64, minified code) are cut: nobody searches for them."""


def words(text: str) -> list[str]:
    """The words of a text or of a query, lower case, in order.

    `KubePodCrashLooping` gives itself and its parts, so do `http_requests_total` and `spec.template.metadata`; a run of
    Chinese characters gives its bigrams (a single character stays one), also where it touches other writing.
    """
    found: list[str] = []
    for piece in text.split():
        found += _remembered(piece) if len(piece) <= REMEMBERED_LENGTH else _words(piece)
    return found


def _words(piece: str) -> list[str]:
    """The words of a text without white space."""
    found: list[str] = []
    for match in _WORD.finditer(unicodedata.normalize("NFKC", piece)):
        word = match.group()
        if match.group(1):
            found += [word] if len(word) == 1 else [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            _add(word[:LONGEST], found)
    return found


_remembered = lru_cache(REMEMBERED)(_words)


def is_single(word: str) -> bool:
    """Whether a word of a query is one Chinese character, which the index knows only inside of bigrams."""
    return len(word) == 1 and re.fullmatch(_RUN, word) is not None


def is_name(word: str) -> bool:
    """Whether a word of `words` is a name that only machines use, by its digits or separators: `db-prod-07`, `10.2.3.4`,
    `http_requests_total`; not a number, a date or `read-only`.
    """
    if len(word) < SHORTEST or not word.isascii():
        return False
    letters, digits = any(each.isalpha() for each in word), any(each.isdigit() for each in word)
    return (letters and digits) or word.count(".") > 2 or (letters and ("_" in word or "@" in word))


def _inside(name: str) -> Iterator[str]:
    """The names inside of another one that have separators of their own: `db-prod-07` of `ops@db-prod-07:/var`, of
    `db-prod-07.eu.example` and of `db-prod-07_backup`; the address of `10.2.3.4/24`.
    """
    for sign in _WEAKER:
        parted = [part.strip("_-.") for part in sign.split(name)]
        if len(parted) > 1:
            for part in parted:
                if _SEPARATOR.search(part):
                    yield part
                    yield from _inside(part)
            return


def _add(word: str, found: list[str]) -> None:
    pieces = [piece for piece in _SEPARATOR.split(word) if piece]
    if len(pieces) > 1:
        whole = word.lower().strip("_")
        found += dict.fromkeys((whole, *_inside(whole)))
    for piece in pieces:
        found.append(piece.lower())
        inner = parts(piece) if piece.isascii() else []
        if len(inner) > 1:
            found += [part.lower() for part in inner]
