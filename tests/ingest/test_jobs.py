"""Durable jobs on the real DBOS: their way from queued to ended, and on after a restart."""

import asyncio
import itertools
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest.library import Library, MemoryVectors, page, write_files
from patience import PATIENCE_S, wait_until

from devops_chatbot.errors import NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.runs import Jobs
from devops_chatbot.work import Job
from knowledge.ingest.ingest import STEP


@pytest.fixture
def jobs(library: Library) -> Iterator[Jobs]:
    jobs = Jobs(library.engine, library.ingest, folder=library.folder / "jobs", patience_s=(0.1, 0.1))
    yield jobs
    jobs.close(timeout_s=5)


def staged(jobs: Jobs, files: dict[str, bytes | str]) -> Path:
    folder = jobs.new_staging()
    write_files(folder, files)
    return folder


def counts(job: Job) -> tuple[int, int, int, int, int]:
    return job.added, job.changed, job.unchanged, job.removed, job.failed


def test_an_upload_runs_and_clears_up(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    folder = staged(jobs, {"a.md": page("a"), "empty.md": b""})
    started = jobs.ingest_upload(base, folder)
    assert (started.kind, started.knowledge_base, started.finished_at) == ("upload", base, None)
    job = jobs.wait(started.id, timeout_s=PATIENCE_S)
    assert (job.state, job.done, job.total, job.error) == ("done", 2, 2, None)
    assert counts(job) == (1, 0, 0, 0, 1)
    assert [error.source_uri for error in job.errors] == ["empty.md"]
    assert job.finished_at is not None
    assert not folder.exists()
    assert jobs.list(base) == [job]
    assert jobs.list("another") == []
    assert library.ingest.check(base) == []


def test_a_folder_is_followed(library: Library, jobs: Jobs, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    assert counts(jobs.wait(jobs.ingest_folder(base, folder).id, timeout_s=PATIENCE_S)) == (2, 0, 0, 0, 0)
    (folder / "a.md").unlink()
    (folder / "b.md").write_text(page("c"))
    job = jobs.wait(jobs.ingest_folder(base, folder).id, timeout_s=PATIENCE_S)
    assert counts(job) == (0, 1, 0, 1, 0)
    assert (job.done, job.total) == (1, 1)
    assert [source.location for source in library.catalogue.sources(base)] == [str(folder)]
    again = jobs.wait(jobs.reindex(base, [library.documents(base)["docs/b.md"].id]).id, timeout_s=PATIENCE_S)
    assert counts(again) == (0, 1, 0, 0, 0)


def test_a_job_is_followed_to_its_end(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    job = jobs.ingest_upload(base, staged(jobs, {f"{n}.md": page(f"t{n}", paragraphs=50) for n in range(20)}))

    async def follow() -> list[Job]:
        return [each async for each in jobs.events(job.id)]

    events = asyncio.run(asyncio.wait_for(follow(), PATIENCE_S))
    assert events[-1].state == "done"
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert all(one != other for one, other in itertools.pairwise(events))


def test_unknown_jobs_are_not_found(jobs: Jobs) -> None:
    with pytest.raises(NotFound):
        jobs.get("nothing")
    with pytest.raises(NotFound):
        jobs.cancel("nothing")


def test_cancelling_a_running_job_keeps_what_it_has(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    library.embedder.before = lambda: time.sleep(0.1)
    folder = staged(jobs, {f"{n:03}.md": page(f"t{n}", paragraphs=60) for n in range(200)})
    job = jobs.ingest_upload(base, folder)
    while not jobs.get(job.id).done:
        time.sleep(0.05)
    jobs.cancel(job.id)
    ended = jobs.wait(job.id, timeout_s=PATIENCE_S)
    assert ended.state == "cancelled"
    assert 0 < ended.done < 200
    assert library.catalogue.documents(base).total == ended.added
    assert library.ingest.check(base) == []
    assert not folder.exists()
    assert jobs.cancel(job.id) == ended


def test_a_large_job_is_cancelled_at_once(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    library.embedder.before = lambda: time.sleep(0.1)
    job = jobs.ingest_upload(base, staged(jobs, {f"{n:04}.md": page(f"t{n}") for n in range(3 * STEP)}))
    while not jobs.get(job.id).done:
        time.sleep(0.05)
    jobs.cancel(job.id)  # more files are left than one step takes
    ended = jobs.wait(job.id, timeout_s=PATIENCE_S)
    assert ended.state == "cancelled"
    assert 0 < ended.done < 2 * STEP
    assert library.ingest.check(base) == []


def test_jobs_on_one_knowledge_base_wait_for_each_other(library: Library, jobs: Jobs) -> None:
    base, other = library.new_base(), library.new_base("Other")
    gate = threading.Event()
    library.embedder.before = lambda: gate.wait(PATIENCE_S) and None
    first = jobs.ingest_upload(base, staged(jobs, {"a.md": page("one")}))
    second = jobs.ingest_upload(base, staged(jobs, {"a.md": page("two")}))
    third = jobs.ingest_upload(other, staged(jobs, {"b.md": page("b")}))
    wait_until(lambda: "queued" not in (jobs.get(first.id).state, jobs.get(third.id).state))
    assert [jobs.get(each.id).state for each in (first, second, third)] == ["running", "queued", "running"]
    cancelled = jobs.ingest_upload(base, staged(jobs, {"a.md": page("three")}))
    assert jobs.cancel(cancelled.id).state == "cancelled"
    gate.set()
    assert counts(jobs.wait(first.id, timeout_s=PATIENCE_S)) == (1, 0, 0, 0, 0)
    assert counts(jobs.wait(second.id, timeout_s=PATIENCE_S)) == (0, 1, 0, 0, 0)
    assert library.texts(base)["a.md"] == page("two")
    assert jobs.wait(third.id, timeout_s=PATIENCE_S).state == "done"
    assert library.ingest.check(base) == library.ingest.check(other) == []


def test_a_deleted_knowledge_base_cancels_its_jobs(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    library.embedder.before = lambda: _drop_once(library, base)
    running = jobs.ingest_upload(base, staged(jobs, {"a.md": page("a")}))
    waiting = jobs.ingest_upload(base, staged(jobs, {"b.md": page("b")}))
    for job in (running, waiting):
        ended = jobs.wait(job.id, timeout_s=PATIENCE_S)
        assert (ended.state, ended.error) == ("cancelled", Reason("knowledge_base.deleted"))
    assert list((library.folder / "jobs" / "staging").iterdir()) == []


def _drop_once(library: Library, base: str) -> None:
    if library.catalogue.exists(base):
        library.ingest.drop_knowledge_base(base)


def test_a_store_that_comes_back_is_waited_for(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    assert isinstance(library.stores.vectors, MemoryVectors)
    library.stores.vectors.writes_left = 0
    job = jobs.ingest_upload(base, staged(jobs, {"a.md": page("a")}))
    while library.documents(base).get("a.md") is None:
        time.sleep(0.01)
    library.stores.vectors.writes_left = None
    assert jobs.wait(job.id, timeout_s=PATIENCE_S).state == "done"


def test_a_store_that_stays_away_fails_the_job_with_its_message(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    assert isinstance(library.stores.vectors, MemoryVectors)
    library.stores.vectors.writes_left = 0
    job = jobs.wait(jobs.ingest_upload(base, staged(jobs, {"a.md": page("a")})).id, timeout_s=PATIENCE_S)
    assert (job.state, job.error) == ("failed", Reason("disk.full"))
    library.stores.vectors.writes_left = None
    job = jobs.wait(jobs.ingest_upload(base, staged(jobs, {"a.md": page("a")})).id, timeout_s=PATIENCE_S)
    assert job.state == "done"
    assert library.documents(base)["a.md"].state == "ready"
    assert library.ingest.check(base) == []


def test_a_closed_server_goes_on_at_its_next_start(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    library.embedder.before = lambda: time.sleep(0.2)
    running = jobs.ingest_upload(base, staged(jobs, {f"{n:03}.md": page(f"t{n}", paragraphs=30) for n in range(150)}))
    waiting = jobs.ingest_upload(base, staged(jobs, {"last.md": page("last")}))
    abandoned = jobs.new_staging()
    while not jobs.get(running.id).done:
        time.sleep(0.02)
    jobs.close()
    before = jobs.get(running.id)
    assert before.state == "running"
    assert 0 < before.done < 150
    library.embedder.before = lambda: None
    restarted = Jobs(library.engine, library.ingest, folder=library.folder / "jobs")
    try:
        restarted.resume()
        assert counts(restarted.wait(running.id, timeout_s=PATIENCE_S)) == (150, 0, 0, 0, 0)
        assert counts(restarted.wait(waiting.id, timeout_s=PATIENCE_S)) == (1, 0, 0, 0, 0)
    finally:
        restarted.close()
    assert not abandoned.exists()
    assert library.ingest.check(base) == []


def test_a_server_without_unfinished_jobs_does_not_start_dbos(library: Library) -> None:
    folder = library.folder / "jobs"
    jobs = Jobs(library.engine, library.ingest, folder=folder)
    jobs.resume()
    assert jobs.list() == []
    jobs.close()
    assert not (folder / "jobs.db").exists()


def test_old_jobs_are_forgotten(library: Library, jobs: Jobs) -> None:
    base = library.new_base()
    job = jobs.wait(jobs.ingest_upload(base, staged(jobs, {"a.md": b""})).id, timeout_s=PATIENCE_S)
    with sqlite3.connect(library.folder / "records.db") as records:
        row = list(records.execute("select * from jobs").fetchone())
        marks = ", ".join("?" * len(row))
        for number in range(250):
            records.execute(f"insert into jobs values ({marks})", [f"copy{number}", *row[1:]])  # noqa: S608
        records.execute("update jobs set created_at = 1 where id = ?", [job.id])
    jobs.wait(jobs.ingest_upload(base, staged(jobs, {"b.md": page("b")})).id, timeout_s=PATIENCE_S)
    with pytest.raises(NotFound):
        jobs.get(job.id)


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
    jobs = Jobs(library.engine, library.ingest, folder=tmp_path / "jobs", patience_s=(0.1, 0.1))
    jobs.resume()
    (job,) = jobs.list(base)
    ended = jobs.wait(job.id, timeout_s=PATIENCE_S)
    assert (ended.kind, ended.state, counts(ended)) == ("reindex", "done", (0, 40, 0, 0, 0))
    assert library.ingest.check(base) == []
    assert len(library.stores.vectors.ids(base)) == count
    jobs.close(timeout_s=5)
    library.close()
