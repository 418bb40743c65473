"""`devops-chatbot serve` as a process: both addresses, clean ends, and what it says when it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE_S, wait_until

from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import running_server
from devops_chatbot.errors import Unavailable

pytestmark = pytest.mark.service

COMMAND = [sys.executable, "-m", "devops_chatbot.cli"]


@dataclass
class Running:
    """A server process that is ready."""

    process: subprocess.Popen[str]
    api: str
    ui: str | None
    said: str

    def end(self, number: signal.Signals) -> int:
        """The exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def children(self) -> list[int]:
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in task.read_text().split()]


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {"CHATBOT_DATA_DIR": str(tmp_path / "data"), "CHATBOT_SERVER__PORT": "0", "CHATBOT_SERVER__UI_PORT": "0"}


@contextmanager
def serving(settings: dict[str, str], *options: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [*COMMAND, "serve", *options],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("Ready"):
                break
        assert process.poll() is None, "".join(said)
        address = running_server(Path(settings["CHATBOT_DATA_DIR"]))
        assert address is not None
        yield Running(process=process, api=address.api, ui=address.ui, said="".join(said))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def refused(settings: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, "serve"], env=os.environ | settings, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.returncode, done.stderr


def alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_api_and_pages_start_together_and_end_together(settings: dict[str, str], number: signal.Signals) -> None:
    with serving(settings) as server:
        assert server.api in server.said
        assert server.ui is not None
        assert server.ui in server.said
        assert httpx.get(f"{server.api}/readyz").json()["ready"] is True
        assert httpx.get(f"{server.ui}/_stcore/health").text == "ok"
        pages = server.children()
        assert pages
        assert server.end(number) == 0
        wait_until(lambda: not any(map(alive, pages)))
    assert running_server(Path(settings["CHATBOT_DATA_DIR"])) is None


def test_a_killed_server_takes_its_pages_along_and_can_be_started_again(settings: dict[str, str]) -> None:
    with serving(settings) as server:
        pages = server.children()
        server.end(signal.SIGKILL)
        wait_until(lambda: not any(map(alive, pages)))
    with serving(settings, "--no-ui") as server:
        assert server.ui is None
        assert server.end(signal.SIGTERM) == 0


def test_pages_that_do_not_stay_up_end_the_server_with_their_last_words(settings: dict[str, str]) -> None:
    logs = Path(settings["CHATBOT_DATA_DIR"]) / "logs"
    logs.mkdir(parents=True)
    (logs / "webui.log").write_text("said by an earlier start\n")
    with serving(settings) as server:
        os.kill(server.children()[0], signal.SIGKILL)
        assert server.process.wait(PATIENCE_S) == 3
        assert server.process.stdout is not None
        said = server.process.stdout.read()
        assert "web pages ended" in said
        assert "Streamlit" in said
        assert "an earlier start" not in said


def test_a_second_server_on_the_directory_is_refused_by_pid(settings: dict[str, str]) -> None:
    with serving(settings, "--no-ui") as server:
        code, said = refused(settings)
        assert code == 3
        assert f"pid {server.process.pid}" in said
        listed = subprocess.run([*COMMAND, "kb", "list"], env=os.environ | settings, capture_output=True, check=False)
        assert listed.returncode == 0, "the command line talks to the server instead"


def test_an_open_stream_does_not_hold_the_server_up(settings: dict[str, str]) -> None:
    with serving(settings, "--no-ui") as server, Client(server.api) as client:
        job = client.build_samples()
        ends: list[str] = []

        def watch() -> None:
            try:
                ends.extend(event.state for event in client.run_events(job.id))
            except Unavailable as ended:
                ends.append(str(ended))

        watcher = threading.Thread(target=watch)
        watcher.start()
        time.sleep(0.5)
        assert server.end(signal.SIGTERM) == 0
        watcher.join(PATIENCE_S)
        assert not watcher.is_alive()
        assert "The server was stopped" in ends[-1]
    with serving(settings, "--no-ui") as server, Client(server.api) as client:
        assert list(client.run_events(job.id))[-1].state == "done", "the job goes on after the restart"


@pytest.mark.parametrize("setting", ["server.port", "server.ui_port"])
def test_a_taken_port_names_its_setting(settings: dict[str, str], setting: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        variable = "CHATBOT_" + setting.upper().replace(".", "__")
        code, said = refused(settings | {variable: str(port)})
    assert code == 2
    assert f"{setting} is {port}" in said
    assert variable in said


def test_beyond_loopback_a_key_is_needed(settings: dict[str, str]) -> None:
    code, said = refused(settings | {"CHATBOT_SERVER__HOST": "0.0.0.0"})
    assert code == 2
    assert "server.key" in said
    code, said = refused(settings | {"CHATBOT_SERVER__HOST": "0.0.0.0", "CHATBOT_SERVER__KEY": " "})
    assert code == 2
    with serving(settings | {"CHATBOT_SERVER__HOST": "0.0.0.0", "CHATBOT_SERVER__KEY": "k"}, "--no-ui") as server:
        assert httpx.get(f"{server.api}/api/v1/threads").status_code == 401
        assert httpx.get(f"{server.api}/api/v1/threads", headers={"Authorization": "Bearer k"}).status_code == 200


def test_wrong_settings_are_named(settings: dict[str, str]) -> None:
    code, said = refused(settings | {"CHATBOT_SERVER__PORT": "http"})
    assert code == 2
    assert "server.port" in said
    code, said = refused(settings | {"CHATBOT_DATA_DIR": "/proc/nothing"})
    assert code == 2
    assert "data_dir" in said


def test_damaged_records_are_said_plainly(settings: dict[str, str]) -> None:
    data = Path(settings["CHATBOT_DATA_DIR"])
    data.mkdir()
    (data / "records.sqlite").write_bytes(b"no database at all " * 500)
    code, said = refused(settings)
    assert code == 3
    assert "cannot be opened" in said
    assert "Traceback" not in said
    listed = subprocess.run(
        [*COMMAND, "kb", "list"], env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert listed.returncode == 3
    assert "Traceback" not in listed.stderr
