"""The server is killed between a person's decision and the end of the call: the call ran once, or the person is asked again."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Literal

import pytest
from monitoring import Monitoring
from patience import wait_until
from scripted_model import Reply, ScriptedModel
from tool_product import asked

from devops_chatbot.calls import ApprovalNeeded
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import running_server
from devops_chatbot.errors import ChatbotError
from devops_chatbot.schemas.tools import NewDecision

pytestmark = pytest.mark.service

Moment = Literal["before", "after"]


class KillingProxy:
    """Stands before Alertmanager, and kills a process when a silence is set: before it gets there, or after."""

    def __init__(self, behind: str, moment: Moment) -> None:
        self.victim: subprocess.Popen[bytes] | None = None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with urllib.request.urlopen(behind + self.path, timeout=30) as answer:  # noqa: S310 loopback
                    self._answer(answer.read())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if proxy.victim and moment == "before":
                    proxy.kill()
                    return
                headers = {"Content-Type": "application/json"}
                request = urllib.request.Request(behind + self.path, body, headers)  # noqa: S310 loopback
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 loopback
                    said = answer.read()
                if proxy.victim:
                    proxy.kill()
                    return
                self._answer(said)

            def _answer(self, data: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def kill(self) -> None:
        assert self.victim is not None
        self.victim.send_signal(signal.SIGKILL)
        self.victim.wait()
        self.victim = None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def served(data: Path, model: ScriptedModel, alertmanager: str) -> Iterator[tuple[Client, subprocess.Popen[bytes]]]:
    """The product as a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHATBOT_")} | {
        "CHATBOT_DATA_DIR": str(data),
        "CHATBOT_SERVER__PORT": "0",
        "CHATBOT_MODELS": json.dumps({"scripted": model.settings()}),
        "CHATBOT_ROLES__ANSWER": '["scripted"]',
        "CHATBOT_TOOLS": json.dumps({"alertmanager": {"url": alertmanager}}),
    }
    log = (data.parent / "serve.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "devops_chatbot.cli", "serve", "--no-ui"], env=environment, stdout=log, stderr=log
    )
    try:
        address = wait_until(lambda: process.poll() is None and _alive(data))
        with Client(address) as client:
            yield client, process
    finally:
        process.terminate()
        process.wait()
        log.close()


def _alive(data: Path) -> str:
    address = running_server(data)
    if address is None:
        return ""
    with Client(address.api) as client:
        return address.api if client.alive() else ""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_call_is_never_made_twice(
    tmp_path: Path, embedding_cache: Path, monitoring: Monitoring, moment: Moment
) -> None:
    alert = f"Killed{moment}"
    arguments = {"matchers": [{"name": "alertname", "value": alert}], "duration": "1h", "comment": "A test"}
    script = [
        Reply(calls=(("alertmanager_create_silence", arguments),)),
        Reply(text="It is set."),
        Reply(text="The silence is set [1]."),
    ]
    data = tmp_path / "data"
    data.mkdir()
    (data / "embeddings").symlink_to(embedding_cache)
    proxy = KillingProxy(monitoring.alertmanager, moment)

    def made() -> int:
        return sum(each["matchers"][0]["value"] == alert for each in monitoring.silences())

    try:
        with ScriptedModel(script) as model:
            with served(data, model, proxy.url) as (client, process):
                events = asked(client, f"Silence {alert}")
                approval = next(event.approval for event in events if isinstance(event, ApprovalNeeded))
                proxy.victim = process
                try:
                    client.decide(approval.id, NewDecision(approve=True))
                except ChatbotError:
                    assert process.poll() is not None, "the answer may die with the server"
                wait_until(lambda: process.poll() is not None)
            assert made() == (1 if moment == "after" else 0)
            with served(data, model, proxy.url) as (client, _):
                if moment == "before":
                    again = client.approval(approval.id)
                    assert (again.state, again.unclear) == ("open", False)
                    client.decide(approval.id, NewDecision(approve=True))
                message = wait_until(
                    lambda: next(
                        (m for m in client.thread(approval.thread).messages[-1:] if m.state == "complete"), None
                    )
                )
                assert message.id == approval.message
                assert message.text == "The silence is set [1]."
                assert client.approval(approval.id).state == "done"
            assert made() == 1
    finally:
        proxy.close()
