"""Which files a folder source holds, and which folders may be one."""

import os
import subprocess
from pathlib import Path

import pytest

from devops_chatbot.errors import BadRequest, NotAllowed, NotFound
from knowledge.sources.folder import allowed_folder, files_below


def uris(root: Path, prefix: str = "") -> list[str]:
    return [file.uri for file in files_below(root, uri_prefix=prefix)]


def test_files_in_a_stable_order_with_what_hides_left_out(tmp_path: Path) -> None:
    for name in (
        "b.md",
        "a.md",
        "sub/z.md",
        "sub/a b.md",
        ".hidden.md",
        ".git/config",
        "node_modules/x.js",
        "运维/磁盘.md",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert uris(tmp_path) == ["a.md", "b.md", "sub/a b.md", "sub/z.md", "运维/磁盘.md"]
    assert uris(tmp_path, "docs/")[0] == "docs/a.md"
    first = next(files_below(tmp_path))
    stat = (tmp_path / "a.md").stat()
    assert (first.path, first.size) == (tmp_path / "a.md", 1)
    assert 0 <= first.mtime_ns - stat.st_ctime_ns < 1_000_000


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "real.md").write_text("x")
    (root / ".secret").write_text("x")
    (tmp_path / "outside.md").write_text("x")
    (root / "in.md").symlink_to(root / "real.md")
    (root / "hidden.md").symlink_to(root / ".secret")
    (root / "out.md").symlink_to(tmp_path / "outside.md")
    (root / "broken.md").symlink_to(root / "nothing")
    (root / "loop.md").symlink_to(root / "loop.md")
    (root / "sub" / "up").symlink_to(root)
    os.mkfifo(root / "pipe")
    assert uris(root) == ["in.md", "real.md"]
    told: dict[str, str] = {}
    assert list(files_below(root, left_out=lambda uri, reason: told.setdefault(uri, reason.code)))
    assert told == {"hidden.md": "document.link_hidden", "out.md": "document.link_out"}


def test_links_into_hidden_folders_are_how_a_mounted_configmap_shows_its_files(tmp_path: Path) -> None:
    root = tmp_path / "config"
    (root / "..2026_01_01" / "sub" / "deep").mkdir(parents=True)
    (root / ".git" / "objects").mkdir(parents=True)
    for name in ("cm.md", "sub/part.md", "sub/deep/most.md"):
        (root / "..2026_01_01" / name).write_text("x")
    (root / ".git" / "objects" / "x.md").write_text("x")
    (root / "..data").symlink_to("..2026_01_01")
    (root / "cm.md").symlink_to("..data/cm.md")
    (root / "sub").symlink_to("..data/sub")
    (root / "again").symlink_to("..data/sub")
    (root / "objects").symlink_to(".git/objects")
    (root / "..2026_01_01" / "sub" / "loop").symlink_to("..")
    assert [uri for uri in uris(root) if "loop" not in uri] == ["again/deep/most.md", "again/part.md", "cm.md"]


def test_a_link_out_of_the_folder_to_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "root" / "docs").symlink_to(tmp_path / "other")
    told: list[str] = []
    assert list(files_below(tmp_path / "root", left_out=lambda uri, _: told.append(uri))) == []
    assert told == ["docs/"]


def test_a_file_that_vanishes_while_listing_is_left_out(tmp_path: Path) -> None:
    for name in ("a.md", "b/c.md", "d.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = files_below(tmp_path)
    assert next(found).uri == "a.md"
    (tmp_path / "b" / "c.md").unlink()
    (tmp_path / "b").rmdir()
    (tmp_path / "d.md").unlink()
    assert list(found) == []


def test_a_very_deep_folder(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("x.md", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    try:
        assert [uri.count("/") for uri in uris(tmp_path)] == [1200]
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)  # deeper than Python's own removal reaches


def test_names_that_are_no_text_get_one_uri_each(tmp_path: Path) -> None:
    for raw in (b"\xff.md", b"\xfe.md"):
        (tmp_path / os.fsdecode(raw)).write_text("x")
    assert len(set(uris(tmp_path))) == 2
    assert all(uri.encode() for uri in uris(tmp_path))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        uris(tmp_path / "nothing")


def test_only_allowed_folders(tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    (allowed / "sub").mkdir(parents=True)
    other.mkdir()
    (allowed / "escape").symlink_to(other)
    assert allowed_folder(str(allowed), [allowed]) == allowed
    assert allowed_folder(f"{allowed}/sub/../sub", [other, allowed]) == allowed / "sub"
    for location in (other, allowed / "escape", allowed / ".." / "other", "/", f"{allowed}x"):
        with pytest.raises(NotAllowed, match=r"knowledge\.folders"):
            allowed_folder(str(location), [allowed])
    with pytest.raises(NotAllowed, match="none yet"):
        allowed_folder(str(allowed), [])
    with pytest.raises(NotFound):
        allowed_folder(str(allowed / "missing"), [allowed])
    (allowed / "current").symlink_to(allowed / "sub")
    assert allowed_folder(f"{allowed}/current", [allowed]) == allowed / "current"


@pytest.mark.parametrize("location", ["", "  ", "relative/path", "~nobody-of-this-name/x", "/a\0b", "/" + "x" * 5000])
def test_locations_that_are_none(tmp_path: Path, location: str) -> None:
    with pytest.raises((BadRequest, NotAllowed)):
        allowed_folder(location, [tmp_path])
