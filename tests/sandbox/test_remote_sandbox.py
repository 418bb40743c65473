"""The contract on a sandbox server over real HTTP, and what several servers do together."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from contracts.sandbox_contract import SandboxContract
from patience import PATIENCE_S, wait_until

from devops_chatbot.api.middleware import entry
from devops_chatbot.api.sandbox_server import create_sandbox_app
from devops_chatbot.errors import LimitReached, NotFound, SandboxUnavailable
from sandbox.docker.engine import Engine
from sandbox.docker.image_build import Image
from sandbox.docker.local import LocalSandbox, SessionPolicy
from sandbox.http.client import ServerAddress
from sandbox.http.remote import RemoteSandbox
from sandbox.model import Limits, Sandbox

pytestmark = pytest.mark.service
TOKEN = "a-token"


@contextmanager
def server(
    engine: Engine, *, name: str, capacity: int = 32, per_caller: int = 16
) -> Iterator[tuple[ServerAddress, uvicorn.Server]]:
    """A sandbox server on a free port of loopback."""
    local = LocalSandbox(
        engine,
        owner=f"tests-{name}-{os.getpid()}",
        policy=SessionPolicy(warm_least=1, warm_most=2, capacity=capacity, per_caller=per_caller),
    )
    app = create_sandbox_app(
        local, usual=Limits(), entry=entry(host="127.0.0.1", allowed_hosts=(), key=TOKEN), version="test"
    )
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: running.started)
    try:
        yield ServerAddress(url=f"http://127.0.0.1:{listening.getsockname()[1]}", token=TOKEN), running
    finally:
        running.should_exit = True
        thread.join(PATIENCE_S)
        local.close()
        assert engine.containers(f"tests-{name}-{os.getpid()}") == []


def answers(server: ServerAddress) -> bool:
    try:
        return httpx.get(f"{server.url}/healthz").is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def address(engine: Engine, image: Image) -> Iterator[ServerAddress]:
    with server(engine, name="remote") as (address, _):
        yield address


class TestRemoteSandbox(SandboxContract):
    """`RemoteSandbox` keeps the contract."""

    @pytest.fixture
    def sandbox(self, address: ServerAddress) -> Iterator[Sandbox]:
        remote = RemoteSandbox([address])
        yield remote
        remote.close()


def test_the_token_is_asked_for(address: ServerAddress) -> None:
    stranger = RemoteSandbox([ServerAddress(url=address.url, token="wrong")])
    with pytest.raises(SandboxUnavailable, match="does not know our token"):
        stranger.open()
    assert httpx.get(f"{address.url}/api/v1/sandboxes").status_code == 401
    assert httpx.get(f"{address.url}/healthz").json() == {"status": "ok"}


def test_a_reader_who_leaves_stops_the_run(address: ServerAddress) -> None:
    remote = RemoteSandbox([address])
    session = remote.open(Limits(seconds=600))
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"}
    code = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    body = {"code": code, "timeout_s": 600}  # nobody waits here for as long as that
    path = f"{address.url}/api/v1/sandboxes/{session.info().id}/runs"
    with httpx.stream("POST", path, headers=headers, json=body) as response:
        assert "begun" in next(response.iter_text())
    wait_until(lambda: session.info().state == "idle")
    assert session.run("print('next')").stdout == "next\n"
    remote.close()


def test_a_run_as_one_answer(address: ServerAddress) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=address.url, headers=headers) as client:
        opened = client.post("/api/v1/sandboxes", json={"language": "python", "limits": {"seconds": 5}})
        assert opened.status_code == 201
        run = client.post(
            f"/api/v1/sandboxes/{opened.json()['id']}/runs", json={"code": "import sys; print(1); sys.exit(2)"}
        )
        assert (run.status_code, run.json()["exit_code"], run.json()["stdout"]) == (200, 2, "1\n")
        assert client.post("/api/v1/sandboxes", json={"language": "python", "limit": {}}).status_code == 422
        assert client.delete(f"/api/v1/sandboxes/{opened.json()['id']}").status_code == 204
        gone = client.get(f"/api/v1/sandboxes/{opened.json()['id']}")
        assert (gone.status_code, gone.json()["error"]) == (404, "NotFound")


def test_servers_share_the_load_and_one_that_dies_loses_only_its_own(engine: Engine, image: Image) -> None:
    with server(engine, name="one") as (one, _), server(engine, name="two") as (two, second):
        both = RemoteSandbox([one, two])
        sessions = [both.open(), both.open(), both.open(), both.open()]
        homes = [session.info().engine for session in sessions]
        assert sorted(homes) == sorted([one.url, one.url, two.url, two.url])
        second.should_exit = True
        wait_until(lambda: not answers(two))
        for session, home in zip(sessions, homes, strict=True):
            if home == one.url:
                assert session.run("print('lives')").stdout == "lives\n"
            else:
                with pytest.raises(NotFound, match="on a server that is gone"):
                    session.run("print(1)")
        assert both.open().info().engine == one.url
        (missing,) = both.ready().missing
        assert f"The sandbox server {two.url} does not answer" in str(missing)
        both.close()


def test_a_caller_with_too_many_on_one_server_gets_one_on_another(engine: Engine, image: Image) -> None:
    with (
        server(engine, name="roomy", capacity=30, per_caller=1) as (roomy, _),
        server(engine, name="small", capacity=4, per_caller=1) as (small, _),
    ):
        both = RemoteSandbox([roomy, small])
        assert [both.open(caller="ann").info().engine for _ in range(2)] == [roomy.url, small.url]
        with pytest.raises(LimitReached):
            both.open(caller="ann")
        both.close()


def test_a_server_that_hangs_is_passed_over(address: ServerAddress) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        hangs = ServerAddress(url=f"http://127.0.0.1:{hanging.getsockname()[1]}")
        both = RemoteSandbox([hangs, address])
        assert both.open().info().engine == address.url
        both.close()


def test_no_server_at_all_is_said() -> None:
    nobody = RemoteSandbox([ServerAddress(url="http://127.0.0.1:9")])
    for call in (nobody.ready, nobody.open):
        with pytest.raises(SandboxUnavailable, match="does not answer"):
            call()


def test_each_caller_has_its_own_quota(engine: Engine, image: Image) -> None:
    with server(engine, name="quota", per_caller=1) as (address, _):
        remote = RemoteSandbox([address])
        remote.open(caller="ann")
        with pytest.raises(LimitReached):
            remote.open(caller="ann")
        remote.open(caller="安")
        assert [info.caller for info in remote.list(caller="安")] == ["安"]
        remote.close()
