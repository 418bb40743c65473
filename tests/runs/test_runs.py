"""A kind of run in one file: planned, stepped, followed, cancelled, killed and gone on with, on the real DBOS."""

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S, wait_until

from devops_chatbot.db.engine import open_database
from devops_chatbot.db.reserve import Reserve
from devops_chatbot.errors import NotFound, StoreUnavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.runs import ActiveRun, Cancelled, Runs
from devops_chatbot.work import Progress, Run, RunState


class Counting:
    """Counts to `payload["to"]`, a number a step, and writes down in a file whatever is asked of it."""

    def __init__(self, diary: Path) -> None:
        self._diary = diary
        self.before_step: Callable[[int], None] = lambda _: None

    def plan(self, run: ActiveRun) -> None:
        self._note(run, "plan")
        run.report(Progress(total=run.payload["to"]))

    def step(self, run: ActiveRun) -> bool:
        number = self.said(run.id).count("step") + 1
        self.before_step(number)
        if run.stopping():
            return False
        self._note(run, "step")
        run.report(Progress(done=number, total=run.payload["to"], counts={"counted": number}))
        return number < int(run.payload["to"])

    def finish(self, run: ActiveRun) -> None:
        self._note(run, "finish")

    def close(self, run: ActiveRun, state: RunState, reason: str | None) -> None:
        self._note(run, f"close {state}")

    def said(self, run: str) -> list[str]:
        lines = self._diary.read_text().splitlines() if self._diary.exists() else []
        return [line.removeprefix(f"{run} ") for line in lines if line.startswith(run)]

    def _note(self, run: ActiveRun, what: str) -> None:
        with self._diary.open("a") as diary:
            diary.write(f"{run.id} {what}\n")


def opened(folder: Path, handler: Counting) -> Runs:
    engine = open_database(folder / "records.sqlite")
    runs = Runs(engine, database=folder / "dbos.sqlite", reserve=Reserve(folder / "reserve"), patience_s=(0.1, 0.1))
    runs.register("count", handler)
    return runs


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "diary")


@pytest.fixture
def runs(tmp_path: Path, counting: Counting) -> Iterator[Runs]:
    runs = opened(tmp_path, counting)
    yield runs
    runs.close(timeout_s=5)


def ended(runs: Runs, run: Run) -> Run:
    return wait_until(lambda: found if (found := runs.get(run.id)).ended else None)


def test_a_run_is_planned_stepped_and_finished(runs: Runs, counting: Counting) -> None:
    started = runs.start("count", "sheep", {"to": 3}, owner="me")
    run = ended(runs, started)
    assert (run.kind, run.subject, run.state, run.error) == ("count", "sheep", "done", None)
    assert run.progress == Progress(done=3, total=3, counts={"counted": 3})
    assert counting.said(run.id) == ["plan", "step", "step", "step", "finish", "close done"]
    assert runs.list("sheep") == [run]
    assert runs.list("goats") == []


def test_runs_of_one_subject_wait_for_each_other_and_a_waiting_one_is_cancelled(runs: Runs, counting: Counting) -> None:
    gate = threading.Event()
    counting.before_step = lambda _: gate.wait(PATIENCE_S) and None
    first, second, third = (runs.start("count", "sheep", {"to": 1}, owner="me") for _ in range(3))
    other = runs.start("count", "goats", {"to": 1}, owner="me")
    wait_until(lambda: counting.said(first.id) and counting.said(other.id))
    assert [runs.get(each.id).state for each in (second, third)] == ["queued", "queued"]
    assert runs.cancel(second.id).state == "cancelled"
    gate.set()
    assert [ended(runs, each).state for each in (first, second, third, other)] == ["done", "cancelled", "done", "done"]
    assert counting.said(second.id) == ["close cancelled"]


def test_an_urgent_run_does_not_wait_for_long_ones_of_other_subjects(
    runs: Runs, counting: Counting, tmp_path: Path
) -> None:
    gate, long = threading.Event(), Counting(tmp_path / "diary of long ones")
    long.before_step = lambda _: gate.wait(PATIENCE_S) and None
    runs.register("long", long)
    started = [runs.start("long", f"herd {number}", {"to": 1}, owner="me") for number in range(3)]
    wait_until(lambda: sum(bool(long.said(each.id)) for each in started) == 2)
    assert ended(runs, runs.start("count", "question", {"to": 1}, owner="me", urgent=True)).state == "done"
    assert not any(runs.get(each.id).ended for each in started)
    gate.set()
    assert {ended(runs, each).state for each in started} == {"done"}


def test_a_running_run_is_cancelled_between_steps(runs: Runs, counting: Counting) -> None:
    counting.before_step = lambda _: time.sleep(0.1)
    run = runs.start("count", "sheep", {"to": 1000}, owner="me")
    wait_until(lambda: runs.get(run.id).progress.done)
    runs.cancel(run.id)
    stopped = ended(runs, run)
    assert (stopped.state, stopped.error) == ("cancelled", None)
    assert counting.said(run.id)[-1] == "close cancelled"
    assert "finish" not in counting.said(run.id)
    assert runs.cancel(run.id) == stopped
    assert ended(runs, runs.start("count", "sheep", {"to": 1}, owner="me")).state == "done"


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (Cancelled(Reason("knowledge_base.deleted")), "cancelled", Reason("knowledge_base.deleted")),
        (NotFound("run.no_answer"), "failed", Reason("run.no_answer")),
        (StoreUnavailable("disk.full"), "failed", Reason("disk.full")),
        (ZeroDivisionError("by zero"), "failed", Reason("work.failed", error="ZeroDivisionError: by zero")),
    ],
)
def test_what_a_step_raises_ends_the_run(
    runs: Runs, counting: Counting, error: Exception, state: str, reason: Reason
) -> None:
    def fail(_: int) -> None:
        raise error

    counting.before_step = fail
    run = ended(runs, runs.start("count", "sheep", {"to": 1}, owner="me"))
    assert (run.state, run.error) == (state, reason)
    assert counting.said(run.id) == ["plan", f"close {state}"]


def test_what_was_unavailable_is_tried_again(runs: Runs, counting: Counting) -> None:
    tries = iter([StoreUnavailable("disk.full"), StoreUnavailable("records.locked")])

    def fail_twice(_: int) -> None:
        if (error := next(tries, None)) is not None:
            raise error

    counting.before_step = fail_twice
    assert ended(runs, runs.start("count", "sheep", {"to": 2}, owner="me")).state == "done"


def test_unknown_runs_and_kinds(tmp_path: Path, runs: Runs) -> None:
    with pytest.raises(NotFound):
        runs.get("nothing")
    with pytest.raises(NotFound):
        runs.cancel("nothing")
    run = ended(runs, runs.start("knit", "sheep", {}, owner="me"))
    assert (run.state, run.error) == ("failed", Reason("work.unknown_kind", kind="knit"))


def test_a_closed_process_goes_on_at_its_next_start(tmp_path: Path, counting: Counting) -> None:
    counting.before_step = lambda _: time.sleep(0.1)
    runs = opened(tmp_path, counting)
    run, waiting = (
        runs.start("count", "sheep", {"to": 20}, owner="me"),
        runs.start("count", "sheep", {"to": 1}, owner="me"),
    )
    wait_until(lambda: runs.get(run.id).progress.done)
    runs.close()
    done = runs.get(run.id).progress.done
    assert 0 < done < 20
    counting.before_step = lambda _: None
    again = opened(tmp_path, counting)
    again.resume()
    assert ended(again, run).progress.done == 20
    assert ended(again, waiting).state == "done"
    again.close()
    assert counting.said(run.id) == ["plan", *["step"] * 20, "finish", "close done"]


@pytest.mark.service  # processes
@pytest.mark.parametrize("point", ["plan", "step", "finish", "close done"])
def test_a_killed_process_goes_on_at_its_last_step(tmp_path: Path, counting: Counting, point: str) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["runs.test_runs", "dbos"])
    process = processes.Process(target=count_and_die, args=(tmp_path, point))
    process.start()
    process.join(PATIENCE_S)
    assert process.exitcode == -signal.SIGKILL
    runs = opened(tmp_path, counting)
    runs.resume()
    (run,) = runs.list()
    assert ended(runs, run).state == "done"
    runs.close()
    said = counting.said(run.id)
    assert said.count("plan") == (2 if point == "plan" else 1)
    assert said.count("step") == 3
    assert said[-1] == "close done"


def count_and_die(folder: Path, point: str) -> None:
    class Dying(Counting):
        def _note(self, run: ActiveRun, what: str) -> None:
            super()._note(run, what)
            if what == point:
                os.kill(os.getpid(), signal.SIGKILL)

    runs = opened(folder, Dying(folder / "diary"))
    ended(runs, runs.start("count", "sheep", {"to": 3}, owner="me"))


@pytest.mark.service  # a process
def test_a_run_that_was_cancelled_and_killed_before_it_could_clear_up_is_cleared_up(
    tmp_path: Path, counting: Counting
) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["runs.test_runs", "dbos"])
    process = processes.Process(target=cancel_and_die, args=(tmp_path,))
    process.start()
    process.join(PATIENCE_S)
    runs = opened(tmp_path, counting)
    runs.resume()
    (run,) = runs.list()
    assert ended(runs, run).state == "cancelled"
    assert counting.said(run.id)[-1] == "close cancelled"
    runs.close()


def cancel_and_die(folder: Path) -> None:
    counting = Counting(folder / "diary")
    runs = opened(folder, counting)
    counting.before_step = lambda _: time.sleep(PATIENCE_S)
    run = runs.start("count", "sheep", {"to": 3}, owner="me")
    wait_until(lambda: counting.said(run.id))
    runs.cancel(run.id)
    os.kill(os.getpid(), signal.SIGKILL)


def test_without_unfinished_runs_dbos_is_not_started(tmp_path: Path, runs: Runs) -> None:
    runs.resume()
    assert runs.list() == []
    assert not (tmp_path / "dbos.sqlite").exists()


def test_old_runs_are_forgotten(tmp_path: Path, runs: Runs) -> None:
    run = ended(runs, runs.start("count", "sheep", {"to": 1}, owner="me"))
    with sqlite3.connect(tmp_path / "records.sqlite") as records:
        row: list[Any] = list(records.execute("select * from runs").fetchone())
        marks = ", ".join("?" * len(row))
        for number in range(250):
            records.execute(f"insert into runs values ({marks})", [f"copy{number}", *row[1:]])  # noqa: S608
        records.execute("update runs set created_at = 1 where id = ?", [run.id])
    ended(runs, runs.start("count", "sheep", {"to": 1}, owner="me"))
    with pytest.raises(NotFound):
        runs.get(run.id)
