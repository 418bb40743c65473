"""One owner at a time, one format, and an address that is never stale."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from powerless import without_root_powers

from devops_chatbot.config.data_directory import FORMAT, Address, open_data_directory, running_server
from devops_chatbot.errors import ConfigError, StoreUnavailable

HOLD = """
import sys, time
from pathlib import Path
from devops_chatbot.config.data_directory import Address, open_data_directory
data = open_data_directory(Path(sys.argv[1]))
data.publish(Address(api="http://127.0.0.1:1", ui=None, pid=0))
print("owned", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def owner(tmp_path: Path):
    """Another process that owns the directory."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "data")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"owned\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_new_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    data = open_data_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert data.folder("files").is_dir()
    data.close()
    data.close()


def test_a_second_owner_is_refused_by_pid(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    with pytest.raises(StoreUnavailable, match=rf"pid {owner.pid}\b.*CHATBOT_DATA_DIR"):
        open_data_directory(tmp_path / "data")


def test_the_address_of_a_living_owner_is_found(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    assert running_server(tmp_path / "data") == Address(api="http://127.0.0.1:1", ui=None, pid=0)


def test_a_killed_owner_leaves_neither_lock_nor_address(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert running_server(tmp_path / "data") is None
    data = open_data_directory(tmp_path / "data")
    assert not (tmp_path / "data" / "server.json").exists()
    data.close()


@pytest.mark.parametrize("content", ["", "[]", '{"api": 1}', "{"])
def test_a_damaged_address_is_no_address(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.json").write_text(content)
    assert running_server(tmp_path) is None
    assert running_server(tmp_path / "missing") is None


def test_a_directory_of_a_newer_version_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "format").write_text(f"{FORMAT + 1}\n")
    with pytest.raises(ConfigError, match="newer version"):
        open_data_directory(tmp_path)
    assert (tmp_path / "format").read_text() == f"{FORMAT + 1}\n"
    (tmp_path / "format").write_text(f"{FORMAT}\n")
    open_data_directory(tmp_path).close()


def test_a_damaged_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("x")
    with pytest.raises(ConfigError, match="damaged"):
        open_data_directory(tmp_path)


def test_a_file_in_the_place_of_the_directory_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match=r"data_dir is .*expected a directory"):
        open_data_directory(tmp_path / "data")


def test_a_directory_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o500)
    for path in (tmp_path / "data", tmp_path / "data" / "below"):
        with without_root_powers(), pytest.raises(ConfigError, match="can write"):
            open_data_directory(path)


def test_publishing_is_atomic(tmp_path: Path) -> None:
    data = open_data_directory(tmp_path)
    data.publish(Address(api="http://127.0.0.1:8600", ui="http://127.0.0.1:8601", pid=1))
    assert json.loads((tmp_path / "server.json").read_text())["ui"] == "http://127.0.0.1:8601"
    data.close()
    assert not (tmp_path / "server.json").exists()
