"""Files of a multipart body, written while they arrive."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from devops_chatbot.api.uploads import receive_files, relative_path
from devops_chatbot.client.client import Client
from devops_chatbot.errors import BadRequest, NotFound, TooLarge, UnsupportedFile


def receive(
    folder: Path, files: list[tuple[str, tuple[str, bytes]]], *, step: int = 7, max_mb: int = 1, cut: int = 0
) -> int:
    request = httpx.Request("POST", "http://localhost/", files=files)
    body = request.read()
    body = body[: len(body) - cut]

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    folder.mkdir(exist_ok=True)
    return asyncio.run(receive_files(pieces(), request.headers["content-type"], folder, max_mb=max_mb))


def below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_arrive_whole_in_whatever_pieces_the_body_comes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40 + b"\r\n--not-the-boundary\r\n"
    files = [("files", ("a.md", b"# A")), ("files", ("sub/dir/b.bin", content)), ("files", ("empty.txt", b""))]
    for step in (1, 7, 4096, 1_000_000):
        folder = tmp_path / f"in{step}"
        assert receive(folder, files, step=step) == 3
        assert below(folder) == {"a.md": b"# A", "sub/dir/b.bin": content, "empty.txt": b""}


def test_names_in_any_language_are_kept(tmp_path: Path) -> None:
    receive(tmp_path / "in", [("files", ("手册/磁盘 已满.md", b"x")), ("files", ('quo"te;.md', b"y"))])
    assert "手册/磁盘 已满.md" in below(tmp_path / "in")
    assert len(below(tmp_path / "in")) == 2


def test_nothing_is_left_beside_the_files(tmp_path: Path) -> None:
    receive(tmp_path / "in", [("files", ("a.md", b"x"))])
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("name", ["../a.md", "a/../../b", "..\\..\\a.md", "..", "x/..", "a\0b", ".", "/"])
def test_a_name_that_leaves_the_upload_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="leads out"):
        relative_path(name)


@pytest.mark.parametrize(
    ("name", "path"), [("/etc/passwd", "etc/passwd"), ("C:\\docs\\a.md", "C:/docs/a.md"), ("./a//b.md", "a/b.md")]
)
def test_an_absolute_name_becomes_relative(name: str, path: str) -> None:
    assert relative_path(name) == Path(path)


def test_the_same_file_twice_is_one_file(tmp_path: Path) -> None:
    receive(tmp_path / "in", [("files", ("a.md", b"x")), ("files", ("a.md", b"x"))])
    assert below(tmp_path / "in") == {"a.md": b"x"}


def test_two_different_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"Two different files are called 'a\.md'"):
        receive(tmp_path / "in", [("files", ("a.md", b"x")), ("files", ("a.md", b"y"))])


def test_a_file_and_a_folder_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="Rename"):
        receive(tmp_path / "one", [("files", ("a", b"x")), ("files", ("a/b", b"y"))])
    with pytest.raises(BadRequest, match="Rename"):
        receive(tmp_path / "two", [("files", ("a/b", b"x")), ("files", ("a", b"y"))])


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be kept"):
        receive(tmp_path / "in", [("files", ("x" * 300 + ".md", b"x"))])


def test_an_upload_over_the_limit_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match=r"knowledge\.max_upload_mb"):
        receive(tmp_path / "in", [("files", ("a", b"x" * 1_100_000))], step=65536)


def test_an_upload_that_ends_in_the_middle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="middle"):
        receive(tmp_path / "in", [("files", ("a.md", b"x" * 1000))], cut=50)


def test_a_body_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no file"):
        receive(tmp_path / "in", [("other", ("a.md", b"x"))])


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data"])
def test_another_type_of_body_is_refused(tmp_path: Path, content_type: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    with pytest.raises(BadRequest, match="multipart"):
        asyncio.run(receive_files(pieces(), content_type, tmp_path, max_mb=1))


def test_an_upload_without_a_boundary_is_told_so(tmp_path: Path) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b"x"

    with pytest.raises(BadRequest, match="without a boundary"):
        asyncio.run(receive_files(nothing(), "multipart/form-data", tmp_path, max_mb=1))


def test_an_upload_of_nothing_and_to_nowhere(client: Client) -> None:
    client.create_knowledge_base("Runbooks")
    with pytest.raises(BadRequest, match="no file"):
        client.upload("Runbooks", [])
    with pytest.raises(NotFound):
        client.upload("Nowhere", [("a.md", b"x")])
    with pytest.raises((BadRequest, UnsupportedFile)):
        client.upload("Runbooks", [("../a.md", b"x")])


def test_a_file_of_this_machine_is_sent_from_disk(client: Client, tmp_path: Path) -> None:
    client.create_knowledge_base("Runbooks")
    path = tmp_path / "clock.md"
    path.write_text("# ClockSkew\n\nRestart chronyd.\n")
    run = list(client.run_events(client.upload("Runbooks", [path, ("sub/again.md", path)]).id))[-1]
    assert run.progress.counts == {"added": 2}
