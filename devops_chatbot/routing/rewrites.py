"""Finds the question in what a model says when it is asked to rewrite one: many cannot help saying more."""

import re
from collections.abc import Iterator

from knowledge.text.language import language_of, terms

LEAST_KNOWN = 0.6
"""Of the words of a rewritten question, those that the conversation knows; it only puts together what was said."""
_AFTER = re.compile(r"[:!]\s+|[：！]\s*")
_QUESTION = re.compile(r"[?？]")
_AROUND = " \t\"“”'‘’`*_>#-「」"


def question_in(said: str, *, question: str, conversation: str, longest: int) -> str | None:
    """The line, or the part of one, that is `question` rewritten with words of the `conversation`; None when none is."""
    asked = set(terms(question))
    known = asked | set(terms(conversation))
    best, most = None, (0.0, 0)
    for candidate in _candidates(said):
        words = terms(candidate)
        if not words or len(candidate) > longest or language_of(candidate) != language_of(question):
            continue
        if not (asked & set(words) or _QUESTION.search(candidate[-1])):
            continue
        share = (sum(word in known for word in words) / len(words), len(candidate))
        if share > most:
            best, most = candidate, share
    return best if most[0] >= LEAST_KNOWN else None


def _candidates(said: str) -> Iterator[str]:
    """Each line, what stands in it behind an introduction, and both up to the first question mark."""
    for line in said.splitlines():
        for start in (0, *(match.end() for match in _AFTER.finditer(line))):
            rest = line[start:].strip(_AROUND)
            if rest:
                yield rest
            if (end := _QUESTION.search(rest)) is not None:
                yield rest[: end.end()]
