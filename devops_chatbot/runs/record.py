"""Jobs as they stand in the records."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from devops_chatbot.db.metadata import METADATA, ReasonText
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.runs.work import Progress
from devops_chatbot.work import ENDED, Job, JobError, JobKind, JobState

KEPT = 200
"""Jobs kept after their end, and shown in a list."""

_jobs = Table(
    "jobs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("knowledge_base", String, nullable=False, index=True),
    Column("argument", Text, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("stopping", Integer, nullable=False, default=0),
    Column("planned", Integer, nullable=False, default=0),
    Column("total", Integer, nullable=False, default=0),
    Column("done", Integer, nullable=False, default=0),
    Column("added", Integer, nullable=False, default=0),
    Column("changed", Integer, nullable=False, default=0),
    Column("unchanged", Integer, nullable=False, default=0),
    Column("removed", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("error", ReasonText),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a job is to do: `argument` is the folder of its files, or the ids of documents in JSON."""

    id: str
    kind: JobKind
    knowledge_base: str
    argument: str
    state: JobState
    stopping: bool


class JobRecords:
    """The table of jobs. Safe for concurrent use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, order: Order) -> None:
        row = {
            "id": order.id,
            "kind": order.kind,
            "knowledge_base": order.knowledge_base,
            "argument": order.argument,
            "state": order.state,
            "created_at": time.time(),
        }
        with writing(self._engine) as connection:
            connection.execute(insert(_jobs).values(row))

    def order(self, job: str) -> Order:
        """Raises `NotFound`."""
        return _order(self._row(job))

    def unfinished(self) -> list[Order]:
        """Oldest first."""
        statement = select(_jobs).where(_jobs.c.state.not_in(ENDED)).order_by(_jobs.c.created_at)
        with reading(self._engine) as connection:
            return [_order(row) for row in connection.execute(statement)]

    def claim(self, job: str) -> bool:
        """Mark a job as running; False when it has ended already."""
        waiting = (_jobs.c.id == job) & _jobs.c.state.in_(("queued", "running"))
        with writing(self._engine) as connection:
            return connection.execute(update(_jobs).where(waiting).values(state="running")).rowcount == 1

    def planned(self, job: str) -> None:
        """Its files are listed."""
        with writing(self._engine) as connection:
            connection.execute(update(_jobs).where(_jobs.c.id == job).values(planned=1))

    def stop(self, job: str) -> bool:
        """Note that a job is to stop; True when that ended it, because it had not begun."""
        waiting = (_jobs.c.id == job) & (_jobs.c.state == "queued")
        with writing(self._engine) as connection:
            connection.execute(update(_jobs).where(_jobs.c.id == job).values(stopping=1))
            ended = update(_jobs).where(waiting).values(state="cancelled", finished_at=time.time())
            return connection.execute(ended).rowcount == 1

    def end(self, job: str, state: JobState, progress: Progress, *, error: Reason | None = None) -> None:
        """Write down how a job ended."""
        values = {
            "state": state,
            "total": progress.total,
            "done": progress.done,
            "added": progress.added,
            "changed": progress.changed,
            "unchanged": progress.unchanged,
            "removed": progress.removed,
            "failed": progress.failed,
            "error": error,
            "finished_at": time.time(),
        }
        running = (_jobs.c.id == job) & _jobs.c.state.not_in(ENDED)
        with writing(self._engine) as connection:
            connection.execute(update(_jobs).where(running).values(values))

    def job(self, job: str, progress: Progress) -> Job:
        """How a job stands. Raises `NotFound`."""
        return _job(self._row(job), progress)

    def newest(self, knowledge_base: str | None) -> Sequence[str]:
        """Ids, newest first."""
        statement = select(_jobs.c.id).order_by(_jobs.c.created_at.desc()).limit(KEPT)
        if knowledge_base is not None:
            statement = statement.where(_jobs.c.knowledge_base == knowledge_base)
        with reading(self._engine) as connection:
            return connection.execute(statement).scalars().all()

    def prune(self) -> Sequence[str]:
        """Forget jobs that ended long ago; gives their ids."""
        old = select(_jobs.c.id).where(_jobs.c.state.in_(ENDED)).order_by(_jobs.c.created_at.desc()).offset(KEPT)
        with writing(self._engine) as connection:
            ids = connection.execute(old).scalars().all()
            if ids:
                connection.execute(delete(_jobs).where(_jobs.c.id.in_(ids)))
        return ids

    def _row(self, job: str) -> Row[tuple[object, ...]]:
        with reading(self._engine) as connection:
            row = connection.execute(select(_jobs).where(_jobs.c.id == job)).first()
        if row is None:
            raise NotFound("job.not_found", id=job)
        return row


def _order(row: Row[tuple[object, ...]]) -> Order:
    return Order(
        id=row.id,
        kind=row.kind,
        knowledge_base=row.knowledge_base,
        argument=row.argument,
        state=row.state,
        stopping=bool(row.stopping),
    )


def _job(row: Row[tuple[object, ...]], progress: Progress) -> Job:
    """While a job runs its files tell how far it is; when it has ended its row does."""
    ended = row.state in ENDED
    counts = row if ended else progress
    return Job(
        id=row.id,
        kind=row.kind,
        knowledge_base=row.knowledge_base,
        state=row.state,
        done=counts.done,
        total=counts.total if ended or row.planned else None,
        added=counts.added,
        changed=counts.changed,
        unchanged=counts.unchanged,
        removed=counts.removed,
        failed=counts.failed,
        error=row.error,
        created_at=datetime.fromtimestamp(row.created_at, tz=UTC),
        finished_at=None if row.finished_at is None else datetime.fromtimestamp(row.finished_at, tz=UTC),
        errors=tuple(JobError(source_uri=uri, reason=reason) for uri, reason in progress.errors),
    )
