"""Following a folder: what is read again, and what is taken for deleted."""

import os
from pathlib import Path

import pytest
from ingest.library import OLD, Library, page, settle, write_files
from powerless import without_root_powers

from devops_chatbot.errors import NotFound


def test_unchanged_files_of_a_folder_are_not_even_read(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    settle(folder)
    library.sync(base, folder)
    embedded = library.embedder.texts
    (folder / "a.md").write_text(page("z"))  # same size and, below, same time: nobody looks inside
    settle(folder)
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 2}
    assert library.embedder.texts == embedded
    (folder / "a.md").touch()
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 1, "changed": 1}


def test_a_file_written_just_now_is_compared_by_content_next_time(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a")})
    library.sync(base, folder)
    before = (folder / "a.md").stat()
    (folder / "a.md").write_text(page("z"))
    os.utime(folder / "a.md", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert library.outcomes(library.sync(base, folder)) == {"changed": 1}
    assert library.texts(base)["docs/a.md"] == page("z")


def test_a_touched_file_with_the_same_content_costs_no_embedding(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a")})
    settle(folder)
    library.sync(base, folder)
    embedded = library.embedder.texts
    os.utime(folder / "a.md", (OLD + 5, OLD + 5))
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 1}
    assert library.embedder.texts == embedded


def test_files_gone_from_a_folder_leave_and_uploads_stay(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    library.sync(base, folder)
    library.upload(base, {"mine.md": page("mine")})
    (folder / "a.md").unlink()
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 1, "removed": 1}
    assert set(library.documents(base)) == {"docs/b.md", "mine.md"}
    assert library.ingest.check(base) == []


def test_a_folder_that_is_not_there_removes_nothing(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a")})
    library.sync(base, folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(NotFound, match="Nothing was changed"):
        library.sync(base, folder)
    assert set(library.documents(base)) == {"docs/a.md"}


def test_a_folder_that_is_empty_all_at_once_removes_nothing(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a")})
    library.sync(base, folder)
    (folder / "a.md").unlink()
    with pytest.raises(NotFound, match="perhaps it is not mounted"):
        library.sync(base, folder)
    assert set(library.documents(base)) == {"docs/a.md"}


def test_what_cannot_be_read_for_a_while_is_not_taken_for_deleted(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "team/b.md": page("b"), "team/deep/c.md": page("c"), "teams.md": page("d")})
    library.sync(base, folder)
    (folder / "a.md").unlink()
    (folder / "team").chmod(0)
    try:
        with without_root_powers():
            run = library.sync(base, folder)
    finally:
        (folder / "team").chmod(0o755)
    assert library.outcomes(run) == {"unchanged": 1, "removed": 1, "failed": 1}
    (error,) = library.ingest.progress(run).errors
    assert (error.what, "Permission denied" in str(error.reason)) == ("docs/team/", True)
    assert set(library.documents(base)) - {"docs/team/"} == {"docs/team/b.md", "docs/team/deep/c.md", "docs/teams.md"}
    library.sync(base, folder)
    assert set(library.documents(base)) == {"docs/team/b.md", "docs/team/deep/c.md", "docs/teams.md"}
    assert library.ingest.check(base) == []


def test_two_folders_of_one_name_do_not_mix(library: Library, tmp_path: Path) -> None:
    base = library.new_base()
    for parent in ("one", "two"):
        write_files(tmp_path / parent / "docs", {"a.md": page(parent)})
        library.sync(base, tmp_path / parent / "docs")
    assert library.texts(base) == {"docs/a.md": page("one"), "docs-2/a.md": page("two")}


def test_a_file_deleted_between_listing_and_reading_fails_alone(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    library.ingest.plan("run", base, kind="sync", argument=library.ingest.follow(base, "folder", str(folder)).id)
    (folder / "a.md").unlink()
    assert not library.ingest.step("run", base)
    assert library.outcomes("run") == {"added": 1, "failed": 1}
    assert "deleted before" in str(library.ingest.progress("run").errors[0].reason)
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 1, "removed": 1}
