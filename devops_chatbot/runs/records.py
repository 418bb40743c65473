"""The rows of runs: what each is to do, how far it is, and how it ended."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Engine, Float, Row, String, Table, Text, delete, insert, select, update

from devops_chatbot.access.ownership import owner_column, seen_by
from devops_chatbot.access.principals import Principal
from devops_chatbot.db.metadata import METADATA, ReasonText
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.values import from_json, to_json
from devops_chatbot.work import Progress, Run, RunState

KEPT = 200
"""Runs kept after their end, and shown in a list."""

runs = Table(
    "runs",
    METADATA,
    Column("id", String, primary_key=True),
    owner_column(),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False, index=True),
    Column("payload", Text, nullable=False),  # JSON
    Column("progress", Text),  # JSON; none: it has not begun
    Column("state", String, index=True),  # how it ended; none: it has not
    Column("error", ReasonText),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
)


class RunRecords:
    """The table of runs, of a principal or of all. Safe for concurrent use. Raises `StoreUnavailable`."""

    def __init__(self, engine: Engine, principal: Principal | None = None) -> None:
        self._engine = engine
        self._principal = principal

    def of(self, principal: Principal) -> "RunRecords":
        return RunRecords(self._engine, principal)

    def add(self, kind: str, subject: str, payload: Mapping[str, Any], *, owner: str) -> str:
        """A new run; gives its id."""
        run = f"r{time.time_ns():016x}{secrets.token_hex(3)}"  # in order of time: DBOS breaks ties by id
        row = {
            "id": run,
            "owner": owner,
            "kind": kind,
            "subject": subject,
            "payload": json.dumps(payload),
            "created_at": time.time(),
        }
        with writing(self._engine) as connection:
            connection.execute(insert(runs).values(row))
        return run

    def remove(self, run: str) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(runs).where(runs.c.id == run))

    def report(self, run: str, progress: Progress) -> None:
        """How far it is; the first report says that it has begun."""
        self._change(run, progress=to_json(progress).decode())

    def end(self, run: str, state: RunState, error: Reason | None) -> None:
        """How it ended."""
        self._change(run, state=state, error=error, finished_at=time.time())

    def row(self, run: str) -> Row[Any]:
        """Raises `NotFound`."""
        with reading(self._engine) as connection:
            row = connection.execute(
                select(runs).where(runs.c.id == run, seen_by(self._principal, runs.c.owner))
            ).first()
        if row is None:
            raise NotFound("work.not_found", id=run)
        return row

    def newest(self, subject: str | None) -> Sequence[Row[Any]]:
        """Newest first."""
        seen = seen_by(self._principal, runs.c.owner)
        statement = select(runs).where(seen).order_by(runs.c.created_at.desc()).limit(KEPT)
        if subject is not None:
            statement = statement.where(runs.c.subject == subject)
        with reading(self._engine) as connection:
            return connection.execute(statement).all()

    def unfinished(self) -> Sequence[Row[Any]]:
        """Oldest first."""
        with reading(self._engine) as connection:
            return connection.execute(select(runs).where(runs.c.state.is_(None)).order_by(runs.c.created_at)).all()

    def prune(self) -> Sequence[str]:
        """Forget runs that ended long ago; gives their ids."""
        old = select(runs.c.id).where(runs.c.state.is_not(None)).order_by(runs.c.created_at.desc()).offset(KEPT)
        with writing(self._engine) as connection:
            ids = connection.execute(old).scalars().all()
            connection.execute(delete(runs).where(runs.c.id.in_(ids)))
        return ids

    def _change(self, run: str, **values: object) -> None:
        """One that has ended stays as it is."""
        with writing(self._engine) as connection:
            connection.execute(update(runs).where(runs.c.id == run, runs.c.state.is_(None)).values(values))


def run_of(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        state=row.state or ("queued" if row.progress is None else "running"),
        progress=from_json(Progress, row.progress) if row.progress else Progress(),
        error=row.error,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        finished_at=None if row.finished_at is None else datetime.fromtimestamp(row.finished_at, UTC),
    )
