"""The words of long work: a run, how far it is, how it ended. They cross HTTP as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from devops_chatbot.i18n import Reason

RunState = Literal["queued", "running", "done", "cancelled", "failed"]
ENDED: tuple[RunState, ...] = ("done", "cancelled", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """One thing that could not be done, and why; the run goes on without it."""

    what: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: `done` of `total` (None: not known yet), counted by what became of them in the words of its kind.

    `errors` holds the first failures, of `counts["failed"]`.
    """

    done: int = 0
    total: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    errors: tuple[RunError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Long work of some kind on a subject, such as the id of a knowledge base. `error` says why it ended early."""

    id: str
    kind: str
    subject: str
    state: RunState
    progress: Progress = Progress()
    error: Reason | None = None
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """The answer to a request for long work."""

    run_id: str
    run: Run
