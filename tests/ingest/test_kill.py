"""A process killed at any moment of a sync: the next one goes on, and the end is that of an undisturbed run."""

import json
import multiprocessing
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from ingest.killed import step, sync
from ingest.library import page, write_files
from patience import PATIENCE_S

KILLS = 20
SEED = 20261120


@pytest.fixture(scope="module")
def processes() -> Any:
    """Forked from a process that has imported everything, so that a start costs milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ingest.killed", "chromadb", "tantivy", "ladybug", "dbos"])
    return context


@pytest.mark.service  # takes a minute
def test_killed_at_any_moment_it_ends_like_an_undisturbed_run(tmp_path: Path, processes: Any) -> None:
    docs, template = tmp_path / "docs", tmp_path / "template"
    write_files(docs, {f"{number:02}.md": page(f"topic{number}", paragraphs=6) for number in range(16)})
    run(processes, template, docs, runs_wanted=1)
    for number in (0, 1, 2):
        (docs / f"{number:02}.md").unlink()
    changed = {f"{number:02}.md": page(f"topic{number}", paragraphs=8) for number in (3, 4, 5, 6, 7)}
    new = {f"new/{number:02}.md": page(f"new{number}", paragraphs=5) for number in range(10)}
    write_files(
        docs, {**changed, **new, "08.md": b"", "bad.md": b"\0\1" * 500, "long.md": page("long", paragraphs=300)}
    )

    expected, seconds = finish(processes, shutil.copytree(template, tmp_path / "undisturbed"), docs)
    assert expected["run"] == ["done", {"added": 11, "changed": 5, "unchanged": 7, "removed": 3, "failed": 2}]
    assert expected["check"] == []

    chance = random.Random(SEED)  # noqa: S311
    for number in range(KILLS):
        data = shutil.copytree(template, tmp_path / f"killed{number}")
        moment = seconds * (number + chance.random()) / KILLS
        run(processes, data, docs, kill_after_s=moment)
        if number % 2:
            run(processes, data, docs, kill_after_s=seconds * chance.random() / 2)
        assert finish(processes, data, docs)[0] == expected, f"killed after {moment:.2f} of {seconds:.2f} s"
        shutil.rmtree(data)


def run(
    processes: Any,
    data: Path,
    docs: Path,
    *,
    runs_wanted: int = 2,
    kill_after_s: float | None = None,
    result: Path | None = None,
) -> float:
    """Gives the seconds that it ran."""
    started = processes.Event()
    process = processes.Process(
        target=sync, args=(data, docs, started), kwargs={"runs_wanted": runs_wanted, "result": result}
    )
    process.start()
    assert started.wait(PATIENCE_S)
    began = time.monotonic()
    if kill_after_s is not None:
        process.join(kill_after_s)
        process.kill()
    process.join(PATIENCE_S)
    assert kill_after_s is not None or process.exitcode == 0
    return time.monotonic() - began


def finish(processes: Any, data: Path, docs: Path) -> tuple[Any, float]:
    result = data / "result.json"
    seconds = run(processes, data, docs, result=result)
    return json.loads(result.read_text()), seconds


@pytest.mark.service  # half a minute
def test_killed_between_any_two_stores_it_ends_like_an_undisturbed_run(tmp_path: Path, processes: Any) -> None:
    docs, template = tmp_path / "docs", tmp_path / "template"
    write_files(docs, {name: page(name) for name in ("a.md", "b.md", "c.md")})
    run(processes, template, docs, runs_wanted=1)
    staged = tmp_path / "staged"
    write_files(staged, {"docs/a.md": page("changed"), "docs/b.md": page("other"), "d.md": page("d")})

    def outcome(point: str, data: Path) -> Any:
        for each in (point, "") if point else ("",):
            process = processes.Process(target=step, args=(data, staged, each, data / "result.json"))
            process.start()
            process.join(PATIENCE_S)
            assert process.exitcode == (-9 if each else 0), f"{point}: {process.exitcode}"
        return json.loads((data / "result.json").read_text())

    expected = outcome("", shutil.copytree(template, tmp_path / "undisturbed"))
    assert expected[:2] == [{"added": 1, "changed": 2}, []]
    for store in ("vectors", "lexical", "graph"):
        for method in ("replace" if store == "graph" else "add", "delete"):
            for when in ("before", "after"):
                point = f"{store}.{method} {when}"
                data = shutil.copytree(template, tmp_path / point.replace(" ", "-"))
                assert outcome(point, data) == expected, point
