"""The process that reads files: same results as without it, and nothing that a file does harms its owner."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from patience import PATIENCE_S, wait_until
from written_pdf import pdf

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders import load
from knowledge.loaders.process import ParserProcess

PAGE = "# Title\n\nText with 中文 and [a link](b.md).\n\n## Next\n\n```sh\nls\n```\n".encode()


@pytest.fixture
def process() -> Iterator[ParserProcess]:
    owned = ParserProcess(timeout_s=PATIENCE_S, memory_mb=512)
    yield owned
    owned.close()


@pytest.mark.parametrize(
    ("data", "name"),
    [(PAGE, "a.md"), (pdf([[("Words", "F1", 10)]]), "a.pdf"), (b"def a(): ...\n", "a.py"), (b"<p>x</p>" * 9, "a.html")],
)
def test_a_file_is_read_as_without_the_process(process: ParserProcess, data: bytes, name: str) -> None:
    assert process.load(data, name) == load(data, name)


def test_what_is_wrong_with_a_file_comes_through(process: ParserProcess) -> None:
    with pytest.raises(UnsupportedFile, match="The file is empty"):
        process.load(b"", "a.md")
    assert process.load(PAGE, "a.md").title == "Title"


def test_a_file_that_takes_too_long_fails_alone() -> None:
    process = ParserProcess(timeout_s=2.0, memory_mb=1024)
    try:
        process.load(PAGE, "a.md")
        with pytest.raises(UnsupportedFile, match=r"longer than 2 s \(knowledge\.parse_timeout_s\)"):
            process.load(b"<div>" * 400_000, "deep.html")
    finally:
        process.close()


def test_a_file_that_needs_too_much_memory_fails_alone() -> None:
    process = ParserProcess(timeout_s=PATIENCE_S, memory_mb=128)
    try:
        with pytest.raises(UnsupportedFile, match="memory"):
            process.load("中".encode() * 30_000_000, "huge.txt")
        assert process.load(PAGE, "a.md").title == "Title"
    finally:
        process.close()


def test_a_reader_that_dies_fails_one_file(process: ParserProcess) -> None:
    process.load(PAGE, "a.md")
    child = _children()[0]
    child.kill()
    child.wait(PATIENCE_S)
    assert process.load(PAGE, "a.md").title == "Title"  # it is started anew


def test_a_reader_that_dies_while_it_reads(process: ParserProcess) -> None:
    process.load(PAGE, "a.md")
    child = _children()[0]
    child.suspend()
    failed: list[str] = []

    def read() -> None:
        try:
            process.load(PAGE, "a.md")
        except UnsupportedFile as error:
            failed.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.2)
    child.kill()
    thread.join(PATIENCE_S)
    assert failed == ["The file breaks its reader. Export it again or convert it to text."]
    assert process.load(PAGE, "a.md").title == "Title"


def test_several_threads_share_it(process: ParserProcess) -> None:
    titles: list[str] = []

    def read(number: int) -> None:
        titles.extend(process.load(f"# Page {number}\n".encode(), "a.md").title for _ in range(20))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(titles) == sorted(f"Page {number}" for number in range(4) for _ in range(20))


def test_closing_leaves_no_process(process: ParserProcess) -> None:
    process.load(PAGE, "a.md")
    child = _children()[0]
    process.close()
    assert not child.is_running()
    process.close()


def test_it_ends_with_its_owner(tmp_path: Path) -> None:
    program = (
        "import os, psutil\nfrom knowledge.loaders.process import ParserProcess\np = ParserProcess(timeout_s=99, memory_mb=512)\n"
        "p.load(b'x', 'a.md')\nprint(psutil.Process().children()[0].pid, flush=True)\nos._exit(9)"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=root, timeout=PATIENCE_S)
    pid = int(ended.stdout)
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_it_does_not_import_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('foreign code ran')")
    monkeypatch.chdir(tmp_path)
    process = ParserProcess(timeout_s=PATIENCE_S, memory_mb=512)
    try:
        assert process.load(PAGE, "a.md").title == "Title"
    finally:
        process.close()


def _children() -> list[psutil.Process]:
    return [one for one in psutil.Process(os.getpid()).children() if "knowledge.loaders.process" in one.cmdline()]
