"""Starts, follows and stops jobs."""

import asyncio
import json
import logging
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from devops_chatbot.errors import ChatbotError, NotFound, StoreUnavailable, Unavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.runs.durable import Durable, Leaving, Steps
from devops_chatbot.runs.record import JobRecords, Order
from devops_chatbot.runs.work import Work
from devops_chatbot.work import ENDED, Job, JobKind, JobState

POLL_S = 0.2
"""How often those who follow a job look for news."""
PATIENCE_S = (2.0, 10.0, 30.0)
"""How long a step waits before it is tried again when something it needs is unavailable."""
CLOSING_S = 30.0

_log = logging.getLogger(__name__)


class Jobs:
    """Jobs of every knowledge base; those of one come one after the other. One instance in a process.

    `folder` holds the state of unfinished jobs and the staged uploads. DBOS is started by the first job, or by
    `resume` when some are unfinished: a server that only answers never pays for it. Safe for concurrent use.
    """

    def __init__(self, engine: Engine, work: Work, *, folder: Path, patience_s: Sequence[float] = PATIENCE_S) -> None:
        self._records = JobRecords(engine)
        self._work = work
        self._staging = folder / "staging"
        self._patience_s = patience_s
        self._unwritten: dict[str, tuple[JobState, Reason | None, datetime]] = {}
        steps = Steps(first=self._first, next=self._next, last=self._last, over=self._over)
        folder.mkdir(parents=True, exist_ok=True)
        self._durable = Durable(folder / "jobs.db", steps)

    # --- starting

    def new_staging(self) -> Path:
        """An empty folder for the files of one upload; it belongs to the job that gets it."""
        path = self._staging / secrets.token_hex(8)
        path.mkdir(parents=True)
        return path

    def ingest_upload(self, knowledge_base: str, staged: Path) -> Job:
        """Take in the files below `staged` (archives are unpacked); it is removed when the job ends."""
        return self._start("upload", knowledge_base, str(staged))

    def ingest_folder(self, knowledge_base: str, folder: Path) -> Job:
        """Follow a folder: take in what is new or changed, remove documents whose file is gone."""
        return self._start("folder", knowledge_base, str(folder))

    def reindex(self, knowledge_base: str, documents: Sequence[str]) -> Job:
        """Read documents anew from their originals."""
        return self._start("reindex", knowledge_base, json.dumps(list(documents)))

    def resume(self) -> None:
        """At the start of the process: put right what a crash left behind, read anew what is damaged, and go on with unfinished
        jobs.
        """
        for knowledge_base, documents in self._work.damaged().items():
            _log.warning(
                "the vectors of %s are damaged; its %d documents are read anew", knowledge_base, len(documents)
            )
            if documents:  # written down before the repair: a crash between the two must not lose it
                self._order("reindex", knowledge_base, json.dumps(list(documents)))
        self._work.repair()
        unfinished = self._records.unfinished()
        self._sweep_staging({order.argument for order in unfinished if order.kind == "upload"})
        for order in unfinished:
            if self._durable.broken_off(order.id):
                self._over(order.id, None)
            else:
                self._durable.start(order.id, order.knowledge_base)

    # --- following

    def get(self, job_id: str) -> Job:
        """Raises `NotFound`."""
        unwritten = self._unwritten.get(job_id)
        job = self._records.job(job_id, self._work.progress(job_id))
        if unwritten is None or job.state in ENDED:
            return job
        state, error, at = unwritten
        return replace(job, state=state, error=error, finished_at=at)

    def list(self, knowledge_base: str | None = None) -> Sequence[Job]:
        """Newest first."""
        return [self.get(job) for job in self._records.newest(knowledge_base)]

    async def events(self, job_id: str) -> AsyncIterator[Job]:
        """The job now and after each change, until it has ended. Raises `NotFound`."""
        job = await asyncio.to_thread(self.get, job_id)
        yield job
        while job.state not in ENDED:
            await asyncio.sleep(POLL_S)
            before, job = job, await asyncio.to_thread(self.get, job_id)
            if job != before:
                yield job

    def wait(self, job_id: str, *, timeout_s: float) -> Job:
        """The job once it has ended, or as it is after `timeout_s`. Raises `NotFound`."""
        until = time.monotonic() + timeout_s
        while (job := self.get(job_id)).state not in ENDED and time.monotonic() < until:
            time.sleep(POLL_S)
        return job

    # --- stopping

    def cancel(self, job_id: str) -> Job:
        """Stop a job; what it has taken in stays. One that has ended stays as it is. Raises `NotFound`."""
        order = self._records.order(job_id)
        if self._records.stop(job_id):  # it had not begun
            self._remove_staged(order)
        return self.get(job_id)

    def close(self, *, timeout_s: float = CLOSING_S) -> None:
        """Let running steps come to an end; the next start goes on with their jobs."""
        self._durable.close(timeout_s=timeout_s)

    # --- the steps of a job

    def _first(self, job: str) -> bool:
        order = self._records.order(job)
        if not self._records.claim(job):
            self._clear_up(order)
            return False

        def plan() -> bool:
            self._work.plan(job, order.knowledge_base, kind=order.kind, argument=order.argument)
            self._records.planned(job)
            return True

        return self._tried(order, plan)

    def _next(self, job: str) -> bool:
        order = self._records.order(job)
        return self._tried(order, lambda: self._work.step(job, order.knowledge_base, stop=lambda: self._to_stop(job)))

    def _last(self, job: str) -> None:
        order = self._records.order(job)

        def finish() -> bool:
            if not self._to_stop(job):
                self._work.finish(
                    job,
                    order.knowledge_base,
                    kind=order.kind,
                    argument=order.argument,
                    stop=lambda: self._to_stop(job),
                )
            if self._durable.leaving:
                raise Leaving
            stopped = self._records.order(job).stopping
            self._end(order, "cancelled" if stopped else "done")
            return False

        if order.state in ENDED:
            self._clear_up(order)
        else:
            self._tried(order, finish)

    def _over(self, job: str, reason: StoreUnavailable | None) -> None:
        """A job that is not run any more has ended; without a reason of its own it broke off."""
        try:
            order = self._records.order(job)
        except NotFound:
            return  # it ended long ago
        if order.state not in ENDED:
            if (unwritten := self._unwritten.get(job)) is not None:
                self._end(order, unwritten[0], error=unwritten[1])
            else:
                self._end(order, "failed", error=reason.reason if reason else Reason("job.broke_off"))
        self._unwritten.pop(job, None)

    def _start(self, kind: JobKind, knowledge_base: str, argument: str) -> Job:
        order = self._order(kind, knowledge_base, argument)
        try:
            self._durable.start(order.id, knowledge_base)
        except Unavailable as error:
            self._end(order, "failed", error=error.reason, begun=False)
            raise
        return self.get(order.id)

    def _order(self, kind: JobKind, knowledge_base: str, argument: str) -> Order:
        """A new job, written down and not started."""
        order = Order(
            id=f"j{time.time_ns():016x}{secrets.token_hex(3)}",  # in order of time: DBOS breaks ties by id
            kind=kind,
            knowledge_base=knowledge_base,
            argument=argument,
            state="queued",
            stopping=False,
        )
        for old in self._records.prune():
            self._work.forget(old, failures=True)
        self._records.add(order)
        return order

    def _tried(self, order: Order, action: Callable[[], bool]) -> bool:
        """Do it, and again while something is unavailable; an error that stays ends the job (False)."""
        for pause_s in (*self._patience_s, None):
            try:
                return action()
            except Unavailable as error:
                if pause_s is None:
                    return self._fail(order, error.reason)
                _log.warning("job %s waits %.0f s: %s", order.id, pause_s, error)
                self._pause(order.id, pause_s)
            except ChatbotError as error:
                return self._fail(order, error.reason)
            except Exception as error:  # noqa: BLE001 the door of a job: the person who waits for it must see what it is
                _log.exception("job %s", order.id)
                return self._fail(order, Reason("job.failed", error=f"{type(error).__name__}: {error}"))
        return False

    def _fail(self, order: Order, error: Reason) -> bool:
        """End a job that cannot go on: cancelled when what it was about was deleted, failed otherwise. False."""
        if self._work.deleted(order.knowledge_base):
            self._end(order, "cancelled", error=Reason("knowledge_base.deleted"))
        else:
            self._end(order, "failed", error=error)
        return False

    def _pause(self, job: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._to_stop(job):
            time.sleep(POLL_S)

    def _to_stop(self, job: str) -> bool:
        return self._durable.leaving or self._records.order(job).stopping

    def _end(self, order: Order, state: JobState, *, error: Reason | None = None, begun: bool = True) -> None:
        """Write down how a job ended and clear up behind it; may be called again. One that never began left nothing undone.

        Raises `StoreUnavailable` when that cannot be written now. Who asks is told nevertheless, and `_over` tries again.
        """
        if begun and state != "done":
            try:
                self._work.abandon(order.id, order.knowledge_base, reason=error)
            except Unavailable as unavailable:
                _log.warning("job %s left its documents as they were: %s", order.id, unavailable)
        self._remove_staged(order)
        try:
            self._records.end(order.id, state, self._work.progress(order.id), error=error)
        except StoreUnavailable:
            if state != "done":  # one that is done is tried again
                self._unwritten[order.id] = (state, error, datetime.now(UTC))
            raise
        self._clear_up(order)

    def _clear_up(self, order: Order) -> None:
        """What nobody needs any more once the end is written down."""
        self._remove_staged(order)
        self._work.forget(order.id, failures=False)

    def _remove_staged(self, order: Order) -> None:
        if order.kind == "upload":
            shutil.rmtree(order.argument, ignore_errors=True)

    def _sweep_staging(self, used: set[str]) -> None:
        """Uploads that never became a job, because the process was killed while they came in."""
        if self._staging.is_dir():
            for path in self._staging.iterdir():
                if str(path) not in used:
                    shutil.rmtree(path, ignore_errors=True)
