"""Starts, follows and stops runs."""

import asyncio
import copy
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row

from devops_chatbot.access.principals import Principal
from devops_chatbot.db.reserve import Reserve
from devops_chatbot.errors import ChatbotError, NotFound, StoreUnavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.runs.durable import Durable, Leaving
from devops_chatbot.runs.handler import ActiveRun, Cancelled, RunHandler
from devops_chatbot.runs.records import RunRecords, run_of
from devops_chatbot.work import Progress, Run, RunState

POLL_S = 0.2
"""How often those who follow a run look for news."""
PATIENCE_S = (2.0, 10.0, 30.0)
"""How long a step waits before it is tried again when something it needs is unavailable."""
CLOSING_S = 30.0
UNWRITTEN_S = 2.0
"""How long a run whose end cannot be written waits before it tries again."""

_log = logging.getLogger(__name__)


class Runs:
    """Runs of every registered kind; those of one subject come one after the other. One instance in a process.

    DBOS is started by the first run, or by `resume` when some are unfinished: a server that only answers never pays for
    it. `reserve` is given up when the end of a run does not fit on the disk any more. Safe for concurrent use. Raises
    `StoreUnavailable`.
    """

    def __init__(
        self, engine: Engine, *, database: Path, reserve: Reserve, patience_s: Sequence[float] = PATIENCE_S
    ) -> None:
        self._records = self._seen = RunRecords(engine)
        self._reserve = reserve
        self._patience_s = patience_s
        self._handlers: dict[str, RunHandler] = {}
        self._durable = Durable(database, self._work)

    def register(self, kind: str, handler: RunHandler) -> None:
        """From now on this does the runs of that kind; before `resume`."""
        self._handlers[kind] = handler

    def of(self, principal: Principal) -> "Runs":
        """The same, as this principal sees them: those of others are not there."""
        theirs = copy.copy(self)
        theirs._seen = self._records.of(principal)
        return theirs

    # --- starting

    def start(self, kind: str, subject: str, payload: Mapping[str, Any], *, owner: str, urgent: bool = False) -> Run:
        """Have it worked on as soon as it is its turn, an urgent one at once; `owner` is the id of a principal."""
        run = self.add(kind, subject, payload, owner=owner)
        try:
            self._free_turns()
            self._durable.start(run, subject, urgent=urgent)
        except StoreUnavailable:
            with suppress(StoreUnavailable):
                self._records.remove(run)
            raise
        return self.get(run)

    def add(self, kind: str, subject: str, payload: Mapping[str, Any], *, owner: str) -> str:
        """Only write down a new run; `resume` starts it. Gives its id."""
        self._reserve.keep()
        if old := self._records.prune():
            self._durable.forget(old)
        return self._records.add(kind, subject, payload, owner=owner)

    def resume(self) -> None:
        """At the start of the process: go on with unfinished runs."""
        self._reserve.keep()
        unfinished = self._records.unfinished()
        states = self._durable.states([row.id for row in unfinished]) if unfinished else {}
        for row in unfinished:
            match states.get(row.id):
                case None:
                    self._durable.start(row.id, row.subject)
                case "CANCELLED":
                    self._end(self._active(row), "cancelled", None)
                case "SUCCESS" | "ERROR" | "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
                    self._end(self._active(row), "failed", Reason("work.broke_off"))

    # --- following

    def get(self, run: str) -> Run:
        """Raises `NotFound`."""
        return run_of(self._seen.row(run))

    def list(self, subject: str | None = None) -> Sequence[Run]:
        """Newest first."""
        return [run_of(row) for row in self._seen.newest(subject)]

    def unfinished(self, kind: str) -> Sequence[ActiveRun]:
        """Oldest first."""
        return [self._active(row) for row in self._records.unfinished() if row.kind == kind]

    async def events(self, run_id: str) -> AsyncIterator[Run]:
        """The run now and after each change, until it has ended. Raises `NotFound`."""
        run = await asyncio.to_thread(self.get, run_id)
        yield run
        while not run.ended:
            await asyncio.sleep(POLL_S)
            before, run = run, await asyncio.to_thread(self.get, run_id)
            if run != before:
                yield run

    # --- stopping

    def cancel(self, run_id: str) -> Run:
        """Stop a run; what it has done stays. One that has ended stays as it is. Raises `NotFound`."""
        run = self.get(run_id)
        if not run.ended:
            self._durable.cancel(run_id)
            if run.state == "queued":
                self._end(self._active(self._records.row(run_id)), "cancelled", None)
        return self.get(run_id)

    def close(self, *, timeout_s: float = CLOSING_S) -> None:
        """Let running steps come to an end; the next start goes on with their runs."""
        self._durable.close(timeout_s=timeout_s)

    # --- the way of a run

    def _work(self, run_id: str) -> None:
        with suppress(NotFound):  # it ended long ago
            row = self._records.row(run_id)
            if row.state is None:
                run = self._active(row)
                self._end(run, *self._through(run), patient=True)

    def _through(self, run: ActiveRun) -> tuple[RunState, Reason | None]:
        """How it ended, and why when it ended early."""
        handler = self._handlers.get(run.kind)
        if handler is None:
            return "failed", Reason("work.unknown_kind", kind=run.kind)

        def plan() -> bool:
            run.report(Progress())  # from now on it counts as running
            handler.plan(run)
            return True

        def finish() -> bool:
            handler.finish(run)
            return not run.stopping()

        def step(name: str, action: Callable[[], bool]) -> bool:
            return self._durable.step(run.id, name, action, patience_s=self._patience_s)

        try:
            step("plan", plan)
            while step("step", lambda: handler.step(run)):
                pass
            return ("done" if step("finish", finish) else "cancelled"), None
        except Cancelled as cancelled:
            return "cancelled", cancelled.reason
        except ChatbotError as error:
            return "failed", error.reason
        except Exception as error:  # noqa: BLE001 the door of a run: the person who waits for it must see what it is
            _log.exception("run %s", run.id)
            return "failed", Reason("work.failed", error=f"{type(error).__name__}: {error}")

    def _end(self, run: ActiveRun, state: RunState, error: Reason | None, *, patient: bool = False) -> None:
        """Clear up behind a run and write down how it ended; `patient`: whatever time it takes until the disk has room."""
        if state == "failed":
            self._reserve.release()
        try:
            if handler := self._handlers.get(run.kind):
                handler.close(run, state, error)
        except Exception:  # noqa: BLE001 whatever it is, the end has to be written down, or others wait for it
            _log.exception("run %s left something undone", run.id)
        while True:
            try:
                self._records.end(run.id, state, error)
                return
            except StoreUnavailable:
                self._reserve.release()
                if not patient:
                    raise
                if self._durable.leaving.wait(UNWRITTEN_S):
                    raise Leaving from None

    def _active(self, row: Row[Any]) -> ActiveRun:
        return ActiveRun(
            id=row.id,
            kind=row.kind,
            subject=row.subject,
            payload=json.loads(row.payload),
            report=lambda progress: self._records.report(row.id, progress),
            stopping=lambda: self._durable.leaving.is_set() or self._durable.is_cancelled(row.id),
        )

    def _free_turns(self) -> None:
        """Where the disk was full, DBOS may still take a run that has ended for running: the others would wait for it."""
        for run in self._durable.states(None):
            with suppress(NotFound):
                if run_of(self._records.row(run)).ended:
                    self._durable.cancel(run)
