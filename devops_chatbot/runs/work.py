"""What a job does, as far as `Jobs` needs to know."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from devops_chatbot.i18n import Reason


class Progress(Protocol):
    """How far the files of a job are: `done` of `total`, by what became of them; errors as (source URI, reason)."""

    @property
    def total(self) -> int: ...
    @property
    def done(self) -> int: ...
    @property
    def added(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def unchanged(self) -> int: ...
    @property
    def removed(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def errors(self) -> Sequence[tuple[str, Reason]]: ...


class Work(Protocol):
    """The work of jobs, step by step; each method may be called again after a crash, with the same arguments.

    `kind` and `argument` say what the job is about (see `Jobs`). Raises `ChatbotError`; an `Unavailable` is tried
    again.
    """

    def damaged(self) -> Mapping[str, Sequence[str]]:
        """By knowledge base, the documents that `repair` cannot put right and that are to be read anew."""

    def repair(self) -> None:
        """Put right what a crash left behind, before any job runs."""

    def plan(self, job: str, knowledge_base: str, *, kind: str, argument: str) -> None:
        """List the files of a job."""

    def step(self, job: str, knowledge_base: str, *, stop: Callable[[], bool]) -> bool:
        """Take in the next files; False when none is left, or `stop()` became true, which ends it early."""

    def finish(self, job: str, knowledge_base: str, *, kind: str, argument: str, stop: Callable[[], bool]) -> None:
        """What is to be done once every file was taken in."""

    def deleted(self, knowledge_base: str) -> bool:
        """True when what a job is about is gone, and the job with it."""

    def abandon(self, job: str, knowledge_base: str, *, reason: Reason | None) -> None:
        """Leave a job that failed for a reason, or was cancelled (None)."""

    def progress(self, job: str) -> Progress:
        """How far it is; after `forget` only the failures."""

    def forget(self, job: str, *, failures: bool) -> None:
        """Drop the list of files; the failures only when asked."""
