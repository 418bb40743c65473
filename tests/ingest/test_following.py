"""Following a folder: what is read again, and what is taken for deleted."""

import os
import shutil
from pathlib import Path

import pytest
from ingest.library import OLD, Library, page, settle, write_files
from powerless import without_root_powers

from devops_chatbot.errors import NotFound


def test_unchanged_files_of_a_folder_are_not_even_read(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    settle(folder)
    library.sync(base, folder)
    embedded = library.embedder.texts
    read: list[str] = []
    monkeypatch.setattr(Path, "open", lambda path, *_: read.append(path.name))
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 2}
    assert library.embedder.texts == embedded
    assert read == []


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


def release(folder: Path, name: str, files: dict[str, str]) -> None:
    """What git-sync and Capistrano do: the new release beside the old one, then the link is turned."""
    write_files(folder / ".worktrees" / name, dict(files))
    turned = folder / "turned"
    turned.symlink_to(Path(".worktrees") / name)
    turned.replace(folder / "current")


def test_a_link_that_is_turned_is_the_same_folder_with_other_content(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "repo"
    release(folder, "aaa", {"docs/port.md": page("a"), "docs/old.md": page("o")})
    library.sync(base, folder / "current" / "docs")
    release(folder, "bbb", {"docs/port.md": page("b")})
    shutil.rmtree(folder / ".worktrees" / "aaa")
    assert library.outcomes(library.sync(base, folder / "current" / "docs")) == {"changed": 1, "removed": 1}
    assert library.texts(base) == {"docs/port.md": page("b")}


def test_a_folder_with_the_link_in_it_follows_it_too(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "repo"
    for name in ("aaa", "bbb"):
        release(folder, name, {"docs/port.md": page(name[0])})
        library.sync(base, folder)
        assert library.texts(base) == {"repo/current/docs/port.md": page(name[0])}


@pytest.mark.parametrize("how", ["write", "replace", "turn"])
def test_other_content_of_the_same_size_and_time_is_read(library: Library, tmp_path: Path, how: str) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(tmp_path, {"docs/a.md": page("a"), "other/a.md": page("z")})
    for path in (folder / "a.md", tmp_path / "other" / "a.md"):
        os.utime(path, (OLD, OLD))
    link = tmp_path / "current"
    link.symlink_to(folder)
    settle(tmp_path)
    library.sync(base, link)
    if how == "write":
        (folder / "a.md").write_text(page("z"))
        os.utime(folder / "a.md", (OLD, OLD))
    elif how == "replace":
        (tmp_path / "other" / "a.md").replace(folder / "a.md")
    else:
        link.unlink()
        link.symlink_to(tmp_path / "other")
    assert library.outcomes(library.sync(base, link)) == {"changed": 1}
    assert library.texts(base) == {"current/a.md": page("z")}


@pytest.mark.parametrize("nothing", ["", " \n\n", "\ufeff"])
def test_an_emptied_file_answers_nothing_any_more(library: Library, tmp_path: Path, nothing: str) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    library.sync(base, folder)
    (folder / "a.md").write_text(nothing)
    library.sync(base, folder)
    document = library.documents(base)["docs/a.md"]
    assert (document.state, document.chunks, document.version) == ("failed", 0, "")
    assert library.ingest.check(base) == []
    (folder / "a.md").write_text(page("c"))
    library.sync(base, folder)
    assert library.texts(base) == {"docs/a.md": page("c"), "docs/b.md": page("b")}


def test_links_that_are_not_followed_are_named(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(tmp_path, {"docs/a.md": page("a"), "outside.md": page("o")})
    (folder / "out.md").symlink_to(tmp_path / "outside.md")
    run = library.sync(base, folder)
    assert [(error.what, error.reason.code) for error in library.ingest.progress(run).errors] == [
        ("docs/out.md", "document.link_out")
    ]
