"""DBOS behind a few functions: it remembers which steps returned, tries again, cancels, and goes on after a crash."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from devops_chatbot.db.transactions import translated
from devops_chatbot.errors import Unavailable
from devops_chatbot.runs.handler import Cancelled

if TYPE_CHECKING:
    from dbos import DBOS, DBOSConfig

R = TypeVar("R")

SIDE_BY_SIDE = 2
"""Runs at a time, on different subjects: a small upload need not wait for a large one."""
POLL_S = 0.1
"""How often a pause asks whether it is over, and how often urgent runs are looked for."""
LOOK_S = 0.5
"""How often the others are looked for."""
VERSION = "2"
"""Fixed: with another application version DBOS would not go on with what an older release of ours began."""
QUEUE, URGENT = "runs", "urgent"
"""Runs that somebody waits for with an open question do not stand behind long ones."""

_log = logging.getLogger(__name__)


class Leaving(BaseException):
    """The process is about to end. No `Exception`, so that DBOS takes the run for unfinished rather than failed."""


class Durable:
    """Calls `work(run)` for every run that was started, again after a crash until it has returned once.

    DBOS is one in a process, so is this; it is launched on first use. Safe for concurrent use. Raises `StoreUnavailable`.
    """

    def __init__(self, database: Path, work: Callable[[str], None]) -> None:
        self.leaving = threading.Event()
        self._database = database
        self._work = work
        self._launching = threading.Lock()
        self._workflow: Callable[[str, str], None] | None = None
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def start(self, run: str, turn: str, *, urgent: bool = False) -> None:
        """Have a run worked on after the others of the same `turn`; an urgent one beside those of other turns, however many
        there are. One that is known already is left as it is.
        """
        with self._launched() as (dbos, work):
            from dbos import SetEnqueueOptions, SetWorkflowID

            with SetWorkflowID(run), SetEnqueueOptions(queue_partition_key=turn):
                dbos.enqueue_workflow(URGENT if urgent else QUEUE, work, run, turn)

    def cancel(self, run: str) -> None:
        """Have its next step refused; the one that it is in sees `is_cancelled`. One that has ended stays as it is."""
        with self._launched() as (dbos, _):
            dbos.cancel_workflow(run)

    def is_cancelled(self, run: str) -> bool:
        """Only inside a step."""
        from dbos import DBOS

        status = DBOS.get_workflow_status(run)
        return status is not None and status.status == "CANCELLED"

    def states(self, runs: Sequence[str] | None) -> dict[str, str]:
        """How DBOS calls the states of these runs, or of all that it takes for being worked on."""
        with self._launched() as (dbos, _):
            found = dbos.list_workflows(
                workflow_ids=None if runs is None else list(runs),
                status="PENDING" if runs is None else None,
                load_input=False,
                load_output=False,
            )
            return {each.workflow_id: each.status for each in found}

    def forget(self, runs: Sequence[str]) -> None:
        """Runs that ended and that nobody will ask for any more."""
        with self._launched() as (dbos, _):
            dbos.delete_workflows(list(runs))

    def step(self, run: str, name: str, action: Callable[[], R], *, patience_s: Sequence[float]) -> R:
        """Inside `work`: do it unless an earlier process did, and again after these pauses while something is unavailable.

        Raises what `action` raises, `Cancelled`, and `Leaving`.
        """
        from dbos import DBOS, error

        pauses = iter(patience_s)

        def attempt() -> R:
            if self.leaving.is_set():
                raise Leaving
            result = action()
            if self.leaving.is_set():
                raise Leaving  # it may have ended early, so it leaves no trace and is repeated
            return result

        def again(failure: BaseException) -> bool:
            pause_s = next(pauses, None)
            if pause_s is None or not isinstance(failure, Unavailable):
                return False
            _log.warning("run %s waits %.0f s: %s", run, pause_s, failure)
            until = time.monotonic() + pause_s
            while time.monotonic() < until and not self.is_cancelled(run):
                if self.leaving.wait(POLL_S):
                    raise Leaving
            return True

        try:
            with translated():
                return DBOS.run_step(
                    {
                        "name": name,
                        "retries_allowed": True,
                        "max_attempts": len(patience_s) + 1,
                        "interval_seconds": 0,
                        "should_retry": again,
                    },
                    attempt,
                )
        except (error.DBOSWorkflowCancelledError, error.DBOSWorkflowConflictIDError):  # before a step, or after it
            raise Cancelled from None

    def close(self, *, timeout_s: float) -> None:
        """Wait for the running steps to come to their end, then stop; the next process goes on."""
        self.leaving.set()
        with self._launching:
            if self._workflow is not None:
                from dbos import DBOS

                working = any(turn.locked() for turn in self._turns.values())
                DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=int(timeout_s) if working else 0)
                self._workflow = None

    @contextmanager
    def _launched(self) -> Iterator["tuple[type[DBOS], Callable[[str, str], None]]"]:
        with translated():
            with self._launching:
                work = self._workflow = self._workflow or self._launch()
            from dbos import DBOS

            yield DBOS, work

    def _launch(self) -> Callable[[str, str], None]:
        logger = logging.getLogger("dbos")
        logger.addHandler(logging.NullHandler())  # else DBOS adds a handler of its own that writes to the console
        from dbos import DBOS

        config: DBOSConfig = {
            "name": "devops-chatbot",
            "system_database_url": f"sqlite:///{self._database}",
            "application_version": VERSION,
            "executor_id": "local",
            "log_level": "ERROR",
            "enable_otlp": False,
        }
        DBOS(config=config)

        @DBOS.workflow(name="run")
        def work(run: str, turn: str) -> None:
            with self._turns[turn]:  # a cancelled one may be in its last step
                self._work(run)

        DBOS.launch()
        for queue, look_s in ((QUEUE, LOOK_S), (URGENT, POLL_S)):
            DBOS.register_queue(
                queue,
                worker_concurrency=SIDE_BY_SIDE,
                partition_concurrency=1,
                polling_interval_sec=look_s,
                on_conflict="always_update",
            )
        return work
