"""Followed folders are synced again by themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest.library import Library, Working, page, write_files
from patience import wait_until

from devops_chatbot.resync import Resync
from knowledge.sources.folder import allowed_folder


@pytest.fixture
def allowed(tmp_path: Path) -> list[Path]:
    """The folders that may be read; a test may forbid them."""
    return [tmp_path]


@pytest.fixture
def working(library: Library, allowed: list[Path]) -> Iterator[Working]:
    working = Working(library, permitted={"folder": lambda location: str(allowed_folder(location, allowed))})
    yield working
    working.close()


@pytest.fixture
def followed(library: Library, working: Working, tmp_path: Path) -> tuple[str, Path]:
    """A knowledge base that follows a folder of one page."""
    folder = tmp_path / "docs"
    folder.mkdir()
    write_files(folder, {"a.md": page("a")})
    base = library.new_base()
    assert working.ended(working.learning.follow(base, str(folder))).state == "done"
    return base, folder


def uris(library: Library, base: str) -> list[str]:
    return sorted(each.source_uri for each in library.catalog.documents(base).items)


def test_a_new_page_comes_in_and_a_deleted_one_goes(
    library: Library, working: Working, followed: tuple[str, Path]
) -> None:
    base, folder = followed
    write_files(folder, {"b.md": page("b")})
    (folder / "a.md").unlink()
    resync = Resync(library.catalog, working.runs, working.learning, every_s=0.1)
    resync.start()
    try:
        wait_until(lambda: uris(library, base) == ["docs/b.md"])
    finally:
        resync.close()


def test_a_folder_that_is_no_longer_allowed_or_gone_keeps_its_documents(
    library: Library, working: Working, followed: tuple[str, Path], allowed: list[Path]
) -> None:
    base, folder = followed
    resync = Resync(library.catalog, working.runs, working.learning, every_s=0)
    permitted = allowed.pop()
    assert resync.sync_all() == 0
    allowed.append(permitted)
    folder.rename(folder.with_name("moved"))
    assert resync.sync_all() == 0
    assert uris(library, base) == ["docs/a.md"]


def test_zero_means_never(library: Library, working: Working) -> None:
    resync = Resync(library.catalog, working.runs, working.learning, every_s=0)
    resync.start()
    resync.close()
