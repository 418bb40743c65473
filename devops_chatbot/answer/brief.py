"""What a writer is given, and what it gives."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from devops_chatbot.access.principals import Principal
from devops_chatbot.chat import Citation, Evidence, Note, Progress, Scenario, Thought, Token, Turn, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the writer is given: the question as asked, as it stands on its own, by whom, and what was found.

    The scenario gives the rules of the answer, and whether it must come from the evidence. `notes` are what agents
    conclude, which is no evidence. `reply` is what to say where there is no language model and nothing to quote; empty: that
    it cannot be said without one. `parts` are the questions of a query that asks several.
    """

    question: str
    query: str
    principal: Principal
    history: tuple[Turn, ...]
    evidence: tuple[Evidence, ...]
    scenario: Scenario
    reply: str = ""
    parts: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A whole answer; `citations` exist in the evidence, and `text` equals the tokens joined that no thought recanted.

    `thought`, `cut` and `given` are those of `Answer`.
    """

    text: str
    citations: tuple[Citation, ...]
    model: str
    usage: Usage
    extractive: bool
    thought: str = ""
    cut: bool = False
    given: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """What an answer on its way has cited so far."""

    citations: tuple[Citation, ...]


WriterEvent = Token | Thought | Progress | Cited | Written


class Writer(Protocol):
    """Turns evidence into a streamed answer that cites it. Safe for concurrent use."""

    @property
    def name(self) -> str:
        """Who writes, for people."""

    def write(self, brief: Brief) -> AsyncIterator[WriterEvent]:
        """Thoughts and tokens as they come, what they cite before them, `Written` last. Closing the iterator stops the work.
        Raises `ModelUnavailable` when the answer cannot be written or breaks off.
        """
