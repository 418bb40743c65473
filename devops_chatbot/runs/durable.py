"""DBOS behind a few functions: it calls them in order, remembers which call returned, and goes on after a crash."""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from devops_chatbot.errors import StoreUnavailable

if TYPE_CHECKING:
    from dbos import DBOSConfig

R = TypeVar("R")

SIDE_BY_SIDE = 2
"""Jobs that run at a time, on different knowledge bases: a small upload need not wait for a large one."""
POLL_S = 0.1
"""How often waiting jobs are looked for."""
VERSION = "1"
"""Fixed: with another application version DBOS would not go on with what an older release of ours began."""
QUEUE = "jobs"
SETTLE_S = 2.0
"""How long DBOS has to write down that a job came to its end, before somebody looks; and between two looks."""
ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


_log = logging.getLogger(__name__)


class Leaving(BaseException):
    """The process is about to end. No `Exception`, so that DBOS takes the job for unfinished rather than failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A job: `first` once, `next` until it is False, `last` once; each gets the job's id and may be called again.

    `over` is called when a job is not run any more, with the reason when it broke off; it may be called again.
    """

    first: Callable[[str], bool]
    next: Callable[[str], bool]
    last: Callable[[str], None]
    over: Callable[[str, StoreUnavailable | None], None]


class Durable:
    """Runs jobs by `Steps`. DBOS is one in a process, so is this. Safe for concurrent use."""

    def __init__(self, database: Path, steps: Steps) -> None:
        self._database = database
        self._steps = steps
        self._lock = threading.Lock()
        self._enqueue: Callable[[str, str], None] | None = None
        self._leaving = threading.Event()
        self._busy = 0
        self._idle = threading.Condition()
        self._returned: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._watch: threading.Thread | None = None

    @property
    def leaving(self) -> bool:
        """Whether steps should come to an end, because the process is about to."""
        return self._leaving.is_set()

    def start(self, job: str, turn: str) -> None:
        """Run a job, after the others of the same `turn`. A job that is known already is left as it is.

        Raises `StoreUnavailable` when that cannot be written down.
        """
        try:
            self._launched()(job, turn)
        except SQLAlchemyError as error:
            raise self._unwritten(error) from error

    def broken_off(self, job: str) -> bool:
        """Whether a job has come to its end for DBOS, so that it will not be run any more."""
        self._launched()
        from dbos import DBOS

        status = DBOS.get_workflow_status(job)
        return status is not None and status.status in ENDED

    def close(self, *, timeout_s: float) -> None:
        """Wait for the running steps to come to their end, then stop; the next process goes on."""
        self._leaving.set()
        with self._lock:
            if self._enqueue is None:
                return
            from dbos import DBOS

            with self._idle:
                self._idle.wait_for(lambda: self._busy == 0, timeout=timeout_s)
            self._returned.put(None)
            if self._watch is not None:
                self._watch.join()
            DBOS.destroy(destroy_registry=True)
            self._enqueue = None

    def _launched(self) -> Callable[[str, str], None]:
        with self._lock:
            if self._enqueue is None:
                self._enqueue = self._launch()
            return self._enqueue

    def _launch(self) -> Callable[[str, str], None]:
        logger = logging.getLogger("dbos")
        logger.addHandler(logging.NullHandler())  # else DBOS adds a handler of its own that writes to the console
        from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

        config: DBOSConfig = {
            "name": "devops-chatbot",
            "system_database_url": f"sqlite:///{self._database}",
            "application_version": VERSION,
            "executor_id": "local",
            "log_level": "ERROR",
            "enable_otlp": False,
        }
        DBOS(config=config)

        @DBOS.step(name="first")
        def first(job: str) -> bool:
            return self._guarded(self._steps.first, job)

        @DBOS.step(name="next")
        def following(job: str) -> bool:
            return self._guarded(self._steps.next, job)

        @DBOS.step(name="last")
        def last(job: str) -> None:
            self._guarded(self._steps.last, job)

        @DBOS.workflow(name="job")
        def run(job: str) -> None:
            try:
                if first(job):
                    while following(job):
                        pass
                    last(job)
            except SQLAlchemyError as error:
                self._steps.over(job, self._unwritten(error))
                raise
            finally:
                self._returned.put(job)

        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=SIDE_BY_SIDE,
            partition_concurrency=1,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )

        self._watch = threading.Thread(target=self._look_after, name="jobs-watch", daemon=True)
        self._watch.start()

        def enqueue(job: str, turn: str) -> None:
            with SetWorkflowID(job), SetEnqueueOptions(queue_partition_key=turn):
                DBOS.enqueue_workflow(QUEUE, run, job)

        return enqueue

    def _look_after(self) -> None:
        """See to it that a job which is not run any more is over: where the disk was full, nobody could write that down, and
        the other jobs of its turn would wait for it until the next start.
        """
        from dbos import DBOS

        while (job := self._returned.get()) is not None:
            while not self._leaving.wait(SETTLE_S):
                try:
                    self._steps.over(job, None)
                    status = DBOS.get_workflow_status(job)
                    if status is not None and status.status == "PENDING":
                        DBOS.resume_workflow(job, queue_name=QUEUE)  # it ends at once, there being nothing left to do
                    break
                except Exception as error:  # noqa: BLE001 whatever it is, the next look may be luckier
                    _log.warning("job %s is not settled yet: %s", job, error)

    def _unwritten(self, error: SQLAlchemyError) -> StoreUnavailable:
        return StoreUnavailable("job.not_written", database=self._database, error=type(error).__name__)

    def _guarded(self, step: Callable[[str], R], job: str) -> R:
        """A step that leaves no trace in DBOS when the process is about to end: it will be repeated."""
        with self._idle:
            if self.leaving:
                raise Leaving
            self._busy += 1
        try:
            result = step(job)
            if self.leaving:
                raise Leaving
            return result
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()
