"""Runs that teach a knowledge base, on the real DBOS: their way from queued to ended, and on after a restart."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest.library import Library, MemoryVectors, Working, counts, page, write_files
from patience import PATIENCE_S, wait_until

from devops_chatbot.i18n import Reason
from devops_chatbot.work import Run
from knowledge.ingest.ingest import STEP


@pytest.fixture
def working(library: Library) -> Iterator[Working]:
    working = Working(library)
    yield working
    working.close()


def test_an_upload_runs_and_clears_up(library: Library, working: Working) -> None:
    base = library.new_base()
    started = working.upload(base, {"a.md": page("a"), "empty.md": b""})
    assert (started.kind, started.subject, started.finished_at) == ("upload", base, None)
    run = working.ended(started)
    assert (run.state, run.progress.done, run.progress.total, run.error) == ("done", 2, 2, None)
    assert counts(run) == {"added": 1, "failed": 1}
    assert [error.what for error in run.progress.errors] == ["empty.md"]
    assert run.finished_at is not None
    assert working.staged() == []
    assert working.runs.list(base) == [run]
    assert working.runs.list("another") == []
    assert library.ingest.check(base) == []


def test_a_folder_is_followed(library: Library, working: Working, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    assert counts(working.ended(working.learning.follow(base, str(folder)))) == {"added": 2}
    (folder / "a.md").unlink()
    (folder / "b.md").write_text(page("c"))
    (source,) = library.catalog.sources(base)
    run = working.ended(working.learning.sync(base, source.id))
    assert (run.kind, counts(run)) == ("sync", {"changed": 1, "removed": 1})
    assert (run.progress.done, run.progress.total) == (1, 1)
    assert (source.kind, source.location) == ("folder", str(folder))
    again = working.ended(working.learning.reindex(base, [library.documents(base)["docs/b.md"].id]))
    assert counts(again) == {"changed": 1}


def test_a_run_is_followed_to_its_end(library: Library, working: Working) -> None:
    base = library.new_base()
    run = working.upload(base, {f"{n}.md": page(f"t{n}", paragraphs=50) for n in range(20)})

    async def follow() -> list[Run]:
        return [each async for each in working.runs.events(run.id)]

    events = asyncio.run(asyncio.wait_for(follow(), PATIENCE_S))
    assert events[-1].state == "done"
    assert [event.progress.done for event in events] == sorted(event.progress.done for event in events)
    assert all(one != other for one, other in itertools.pairwise(events))


def test_cancelling_a_run_keeps_what_it_has(library: Library, working: Working) -> None:
    base = library.new_base()
    library.embedder.before = lambda: time.sleep(0.1)
    run = working.upload(base, {f"{n:03}.md": page(f"t{n}", paragraphs=60) for n in range(200)})
    wait_until(lambda: working.runs.get(run.id).progress.done)
    working.runs.cancel(run.id)
    ended = working.ended(run)
    assert (ended.state, ended.error) == ("cancelled", None)
    assert 0 < ended.progress.done < 200
    assert library.catalog.documents(base).total == ended.progress.counts["added"]
    assert library.ingest.check(base) == []
    assert working.staged() == []
    assert working.runs.cancel(run.id) == ended


def test_a_large_run_is_cancelled_at_once(library: Library, working: Working) -> None:
    base = library.new_base()
    library.embedder.before = lambda: time.sleep(0.1)
    run = working.upload(base, {f"{n:04}.md": page(f"t{n}") for n in range(3 * STEP)})
    wait_until(lambda: working.runs.get(run.id).progress.done)
    working.runs.cancel(run.id)  # more files are left than one step takes
    ended = working.ended(run)
    assert ended.state == "cancelled"
    assert 0 < ended.progress.done < 2 * STEP
    assert library.ingest.check(base) == []


def test_runs_on_one_knowledge_base_wait_for_each_other(library: Library, working: Working) -> None:
    base, other = library.new_base(), library.new_base("Other")
    gate = threading.Event()
    library.embedder.before = lambda: gate.wait(PATIENCE_S) and None
    runs = working.runs
    first, second = working.upload(base, {"a.md": page("one")}), working.upload(base, {"a.md": page("two")})
    third = working.upload(other, {"b.md": page("b")})
    wait_until(lambda: "queued" not in (runs.get(first.id).state, runs.get(third.id).state))
    assert [runs.get(each.id).state for each in (first, second, third)] == ["running", "queued", "running"]
    assert runs.cancel(working.upload(base, {"a.md": page("three")}).id).state == "cancelled"
    gate.set()
    assert counts(working.ended(first)) == {"added": 1}
    assert counts(working.ended(second)) == {"changed": 1}
    assert library.texts(base)["a.md"] == page("two")
    assert working.ended(third).state == "done"
    assert library.ingest.check(base) == library.ingest.check(other) == []


def test_a_deleted_knowledge_base_cancels_its_runs(library: Library, working: Working) -> None:
    base = library.new_base()
    library.embedder.before = lambda: _drop_once(library, base)
    running, waiting = working.upload(base, {"a.md": page("a")}), working.upload(base, {"b.md": page("b")})
    for run in (running, waiting):
        ended = working.ended(run)
        assert (ended.state, ended.error and ended.error.code) == ("cancelled", "knowledge_base.deleted")
    assert working.staged() == []


def _drop_once(library: Library, base: str) -> None:
    if library.catalog.exists(base):
        library.ingest.drop_knowledge_base(base)


def test_a_store_that_comes_back_is_waited_for(library: Library, working: Working) -> None:
    base = library.new_base()
    assert isinstance(library.stores.vectors, MemoryVectors)
    library.stores.vectors.writes_left = 0
    run = working.upload(base, {"a.md": page("a")})
    wait_until(lambda: library.documents(base).get("a.md"))
    library.stores.vectors.writes_left = None
    assert working.ended(run).state == "done"


def test_a_store_that_stays_away_fails_the_run_with_its_message(library: Library, working: Working) -> None:
    base = library.new_base()
    assert isinstance(library.stores.vectors, MemoryVectors)
    library.stores.vectors.writes_left = 0
    run = working.ended(working.upload(base, {"a.md": page("a")}))
    assert (run.state, run.error) == ("failed", Reason("disk.full"))
    library.stores.vectors.writes_left = None
    assert working.ended(working.upload(base, {"a.md": page("a")})).state == "done"
    assert library.documents(base)["a.md"].state == "ready"
    assert library.ingest.check(base) == []


def test_a_closed_server_goes_on_at_its_next_start(library: Library, working: Working) -> None:
    base = library.new_base()
    library.embedder.before = lambda: time.sleep(0.2)
    running = working.upload(base, {f"{n:03}.md": page(f"t{n}", paragraphs=30) for n in range(150)})
    waiting = working.upload(base, {"last.md": page("last")})
    working.uploads.put([("abandoned/a.md", b"its run was never written down")])
    wait_until(lambda: working.runs.get(running.id).progress.done)
    working.runs.close()
    before = working.runs.get(running.id)
    assert before.state == "running"
    assert 0 < before.progress.done < 150
    library.embedder.before = lambda: None
    restarted = Working(library)
    try:
        restarted.learning.resume()
        assert counts(restarted.ended(running)) == {"added": 150}
        assert counts(restarted.ended(waiting)) == {"added": 1}
    finally:
        restarted.close()
    assert working.staged() == []
    assert library.ingest.check(base) == []


def test_vectors_whose_files_were_cut_off_come_back(tmp_path: Path) -> None:
    """As a disk that fills, or a machine that goes down, leaves them while Chroma writes."""
    before = Library(tmp_path, real=True)
    base = before.new_base()
    before.upload(base, {f"{number}.md": page(f"topic{number}", paragraphs=40) for number in range(40)})
    count = len(before.stores.vectors.ids(base))
    before.close()
    (torn,) = tmp_path.glob("vectors/*/index_metadata.pickle")
    torn.write_bytes(torn.read_bytes()[:4096])

    library = Library(tmp_path, real=True)
    working = Working(library)
    working.learning.resume()
    (run,) = working.runs.list(base)
    ended = working.ended(run)
    assert (ended.kind, ended.state, counts(ended)) == ("reindex", "done", {"changed": 40})
    assert library.ingest.check(base) == []
    assert len(library.stores.vectors.ids(base)) == count
    working.close()
    library.close()
