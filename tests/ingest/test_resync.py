"""Followed folders are synced again by themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest.library import Library, page, write_files
from patience import PATIENCE_S, wait_until

from devops_chatbot.resync import Resync
from devops_chatbot.runs import Jobs


@pytest.fixture
def jobs(library: Library) -> Iterator[Jobs]:
    jobs = Jobs(library.engine, library.ingest, folder=library.folder / "jobs", patience_s=(0.1,))
    yield jobs
    jobs.close(timeout_s=5)


@pytest.fixture
def followed(library: Library, jobs: Jobs, tmp_path: Path) -> tuple[str, Path]:
    """A knowledge base that follows a folder of one page."""
    folder = tmp_path / "docs"
    folder.mkdir()
    write_files(folder, {"a.md": page("a")})
    base = library.new_base()
    assert jobs.wait(jobs.ingest_folder(base, folder).id, timeout_s=PATIENCE_S).state == "done"
    return base, folder


def uris(library: Library, base: str) -> list[str]:
    return sorted(each.source_uri for each in library.catalogue.documents(base).items)


def test_a_new_page_comes_in_and_a_deleted_one_goes(library: Library, jobs: Jobs, followed: tuple[str, Path]) -> None:
    base, folder = followed
    write_files(folder, {"b.md": page("b")})
    (folder / "a.md").unlink()
    resync = Resync(library.catalogue, jobs, allowed=[folder.parent], every_s=0.1)
    resync.start()
    try:
        wait_until(lambda: uris(library, base) == ["docs/b.md"])
    finally:
        resync.close()


def test_a_folder_that_is_no_longer_allowed_or_gone_keeps_its_documents(
    library: Library, jobs: Jobs, followed: tuple[str, Path]
) -> None:
    base, folder = followed
    assert Resync(library.catalogue, jobs, allowed=[], every_s=0).sync_all() == 0
    folder.rename(folder.with_name("moved"))
    assert Resync(library.catalogue, jobs, allowed=[folder.parent], every_s=0).sync_all() == 0
    assert uris(library, base) == ["docs/a.md"]


def test_zero_means_never(library: Library, jobs: Jobs) -> None:
    resync = Resync(library.catalogue, jobs, allowed=[], every_s=0)
    resync.start()
    resync.close()
