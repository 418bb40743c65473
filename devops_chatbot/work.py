"""The words of jobs. They cross HTTP as they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from devops_chatbot.i18n import Reason

JobKind = Literal["upload", "folder", "reindex"]
JobState = Literal["queued", "running", "done", "cancelled", "failed"]
ENDED: tuple[JobState, ...] = ("done", "cancelled", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """One document that could not be taken in, and why."""

    source_uri: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Long work: `done` of `total` files (None: not listed yet), counted by what became of them.

    `removed` counts documents whose file is gone. `error` says why the whole job failed. `errors` holds the first
    thousand failures, of `failed`.
    """

    id: str
    kind: JobKind
    knowledge_base: str
    state: JobState
    done: int = 0
    total: int | None = None
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    error: Reason | None = None
    created_at: datetime
    finished_at: datetime | None = None
    errors: tuple[JobError, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedJob:
    """The answer to a request for long work."""

    job_id: str
    job: Job
