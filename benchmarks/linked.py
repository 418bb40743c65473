"""Makes queries for a documentation out of its own links, so that a search can be tuned without its real questions.

A sentence that is followed by "For more information, see [page](page.md)" is a query, and the page is its right document:
anchor texts and what stands before them have long stood in for queries (Dang and Croft 2010, "Query reformulation using
anchor text"). The pages that hold the sentence themselves are left out of what is found, and pages that real questions ask
for are no targets.
"""

import posixpath
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

SEED = 5
MOST = 1300
A_TARGET = 2
"""Sentences that lead to one page."""
A_FOLDER = 220
"""Sentences whose pages lie below one top folder."""
FEWEST_WORDS, MOST_WORDS = 7, 30
MOST_COPIES = 5
"""A sentence on more pages than this is boilerplate."""

_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+\.md)[^)]*\)")
_BEFORE_A_LINK = re.compile(
    r"(?:^|(?<= ))([A-Z][^.!?\n]*[.!?]) +For (?:more )?(?:information|details)[^.\n]*?see (\[[^\]]*\]\([^)]*\))",
    re.MULTILINE,
)
_MARKUP = re.compile(r"<[^>]+>|[*`\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A sentence, the page that it points to, and the pages where the sentence stands."""

    text: str
    target: str
    pages: frozenset[str]


def linked_sentences(texts: Mapping[str, str], *, asked: Iterable[str]) -> list[Linked]:
    """The same ones every time; `texts` are the Markdown pages by id, `asked` the pages that are no targets."""
    plain = {page: _plain(text) for page, text in texts.items()}
    candidates = sorted(set(_candidates(texts, frozenset(asked))))
    random.Random(SEED).shuffle(candidates)  # noqa: S311
    found: list[Linked] = []
    targets: Counter[str] = Counter()
    folders: Counter[str] = Counter()
    seen: set[str] = set()
    for sentence, target, source in candidates:
        folder = target.partition("/")[0]
        if sentence in seen or sentence in plain[target] or targets[target] >= A_TARGET or folders[folder] >= A_FOLDER:
            continue
        pages = frozenset({source, *(page for page, text in plain.items() if sentence in text)})
        if len(pages) <= MOST_COPIES:
            seen.add(sentence)
            targets[target] += 1
            folders[folder] += 1
            found.append(Linked(text=sentence, target=target, pages=pages))
        if len(found) == MOST:
            break
    return found


def _candidates(texts: Mapping[str, str], asked: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """(sentence, target, source)"""
    for source, text in texts.items():
        for match in _BEFORE_A_LINK.finditer(text):
            link = _LINK.match(match[2])
            if link is None:
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[2]))
            sentence = _plain(match[1])
            told = link[1].lower() in sentence.lower()
            wanted = target in texts and target not in asked and target != source
            if wanted and not told and FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS:
                yield sentence, target, source


def _plain(text: str) -> str:
    """Markdown as running text on one line."""
    return " ".join(_MARKUP.sub("", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)).split())
