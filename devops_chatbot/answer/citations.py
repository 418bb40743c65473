"""Citations in an answer: which `[n]` exist is checked while the answer streams, and each is given the words behind it."""

import re
from collections.abc import Sequence

from devops_chatbot.chat import Citation, Evidence, Location
from knowledge.text.blocks import sentences
from knowledge.text.language import terms
from knowledge.text.markdown import path_at, places_of

LONGEST_MARK = 40
LONGEST_QUOTE = 400
_MARK = re.compile(r"\[(\d{1,3}(?:\s*[,，、;]\s*\d{1,3})*)\](?!\()|【(\d{1,3}(?:\s*[,，、;]\s*\d{1,3})*)】")
_UNFINISHED = re.compile(r"(?:\[[\d\s,，、;]*\]?|【[\d\s,，、;]*)$")
_NUMBER = re.compile(r"\d+")


class CitationFilter:
    """Takes an answer in pieces and gives it back without citations of what does not exist.

    Marks are numbered anew, from 1 without holes, in the order in which they first appear. `[4, 2]` and `【4】` become
    `[1][2]` and `[1]`. Code stays as it is: an index in brackets is no citation there.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._held = ""
        self._done = ""
        self.cited: dict[int, str] = {}
        """The evidence's number of each citation with the statement in front of its first mark; the first one is `[1]`."""

    def add(self, piece: str) -> str:
        """What can be said now; a mark that may go on in the next piece is held back."""
        text = self._held + piece
        unfinished = _UNFINISHED.search(text)
        cut = unfinished.start() if unfinished and len(text) - unfinished.start() <= LONGEST_MARK else len(text)
        trailing = len(text) - len(text.rstrip("`~"))
        if trailing:
            cut = min(cut, len(text) - trailing)  # a fence or the end of inline code may be under way
        self._held = text[cut:]
        return self._checked(text[:cut])

    def end(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return self._checked(held)

    def _checked(self, text: str) -> str:
        said: list[str] = []
        last = 0
        for match in _MARK.finditer(text):
            before = text[last : match.start()]
            self._say(said, before)
            last = match.end()
            if self._in_code():
                self._say(said, match[0])
                continue
            numbers = [int(number) for number in _NUMBER.findall(match[0])]
            for number in dict.fromkeys(numbers):
                if 1 <= number <= self._count:
                    self.cited.setdefault(number, _statement(self._done))
                    self._say(said, f"[{list(self.cited).index(number) + 1}]")
        self._say(said, text[last:])
        return "".join(said)

    def _say(self, said: list[str], text: str) -> None:
        said.append(text)
        self._done += text

    def _in_code(self) -> bool:
        lines = self._done.split("\n")
        fences = sum(line.lstrip(" \t").startswith(("```", "~~~")) for line in lines)
        return fences % 2 == 1 or lines[-1].count("`") % 2 == 1


def citations(cited: dict[int, str], evidence: Sequence[Evidence], *, after: int = 0) -> tuple[Citation, ...]:
    """The cited pieces of evidence as `CitationFilter` numbered them, each with the words that carry its statement; the
    first `after` of them are left out.
    """
    found: list[Citation] = []
    for position, (number, statement) in enumerate(cited.items(), 1):
        if position > after:
            one = evidence[number - 1]
            words = quote(statement, one)
            found.append(citation(position, one, words, heading_path=_path(words, statement, one)))
    return tuple(found)


def _path(words: str, statement: str, evidence: Evidence) -> tuple[str, ...]:
    """The headings above the words; where they stand below several, those that share most with the statement."""
    text = evidence.text if words in evidence.text else evidence.context
    wanted = set(terms(statement))
    paths = [path_at(text, at, evidence.heading_path) for at in places_of(text, words)]

    def said(path: tuple[str, ...]) -> int:
        return len(wanted.intersection(terms(path[-1]))) if path else 0

    return max(paths, key=said, default=evidence.heading_path)


def citation(number: int, evidence: Evidence, words: str, *, heading_path: tuple[str, ...] | None = None) -> Citation:
    """A citation of `words` of this evidence; `heading_path` is that of the words where they stand around its passage."""
    return Citation(
        number=number,
        ref=evidence.ref,
        quote=words,
        title=evidence.title,
        source_uri=evidence.source_uri,
        heading_path=evidence.heading_path if heading_path is None else heading_path,
        location=_location(words, evidence),
    )


def _location(words: str, evidence: Evidence) -> Location:
    """Where the words stand: with the passage, or on those lines of its surroundings that hold them."""
    where, around = evidence.location, evidence.context
    if where.line_start is None or words in evidence.text:
        return where
    passage, place = around.find(evidence.text), around.find(words)
    if passage < 0 or place < 0:
        return where
    first = where.line_start + around.count("\n", 0, place) - around.count("\n", 0, passage)
    return Location(line_start=first, line_end=first + words.count("\n"))


def quote(statement: str, evidence: Evidence) -> str:
    """The sentence of the evidence that shares most with a statement; the passage itself when none does."""
    wanted = set(terms(statement))
    best, most = "", 0.0
    for text in (evidence.text, evidence.context):
        for sentence in sentences(text):
            if sentence.lstrip().startswith("#"):  # a heading names what is said below it, and says nothing
                continue
            words = set(terms(sentence))
            shared = len(words & wanted) / (len(words) + 8) if words else 0.0
            if shared > most:
                best, most = sentence, shared
        if best:
            break
    return best[:LONGEST_QUOTE] or evidence.text[:LONGEST_QUOTE]


def _statement(said: str) -> str:
    """The last sentence that was said."""
    found = sentences(re.sub(r"\[\d+\]", "", said)[-600:])
    return found[-1] if found else ""
