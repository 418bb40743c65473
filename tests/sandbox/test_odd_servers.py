"""What stands where a sandbox server should: one that falls silent, one that is something else."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from patience import PATIENCE_S

from devops_chatbot.errors import NotFound, SandboxUnavailable
from sandbox.http.remote import RemoteSandbox

SESSION = (
    b'{"id": "s", "language": "python", "languages": ["python"], "caller": "me", "state": "idle", "limits": {"seconds": 30,'
    b' "memory_mb": 512, "cpus": 1, "processes": 64, "disk_mb": 128, "open_files": 1024, "output_bytes": 1000,'
    b' "artifact_bytes": 1000}, "created_at": 1, "used_at": 1, "expires_at": 2, "runs": 0, "engine": "e"}'
)


class Odd(BaseHTTPRequestHandler):
    """Opens a session; `run` decides what it says to a run, and `rows` to who asks for a list."""

    run = b""
    rows = b"<html>welcome</html>"
    silent: threading.Event | None = None

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/runs"):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(self.run)
            self.wfile.flush()
            if self.silent is not None:
                self.silent.wait(PATIENCE_S)
        else:
            self._say(201, SESSION)

    def do_GET(self) -> None:
        self._say(200, self.rows)

    def do_PUT(self) -> None:
        self._say(200, self.rows)

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def sandbox() -> Iterator[Callable[[type[Odd]], RemoteSandbox]]:
    servers: list[ThreadingHTTPServer] = []
    clients: list[httpx.Client] = []

    def build(kind: type[Odd]) -> RemoteSandbox:
        server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        clients.append(httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", timeout=3, trust_env=False))
        return RemoteSandbox(http=clients[-1])

    yield build
    for client in clients:
        client.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_falls_silent_in_a_run_is_gone(sandbox: Callable[[type[Odd]], RemoteSandbox]) -> None:
    """As a machine that loses its power does: the connection stays, and nothing comes any more."""
    silent = threading.Event()
    kind = type(
        "Silent", (Odd,), {"silent": silent, "run": b'event: chunk\ndata: {"stream": "stdout", "text": "1"}\n\n'}
    )
    session = sandbox(kind).open()
    ends: list[BaseException] = []

    def run() -> None:
        try:
            session.run("print(1)")
        except NotFound as error:
            ends.append(error)

    running = threading.Thread(target=run, daemon=True)
    running.start()
    running.join(PATIENCE_S)
    silent.set()
    assert not running.is_alive()
    assert "on a server that is gone" in str(ends)


@pytest.mark.parametrize("run", [b"event: execution\ndata: {}\n\n", b"event: failure\ndata: no\n\n"])
def test_what_makes_no_sense_is_no_sandbox_server(sandbox: Callable[[type[Odd]], RemoteSandbox], run: bytes) -> None:
    session = sandbox(type("Nonsense", (Odd,), {"run": run})).open()
    with pytest.raises(SandboxUnavailable, match="does not speak as a sandbox server does"):
        session.run("print(1)")
    with pytest.raises(SandboxUnavailable, match="does not speak as a sandbox server does"):
        session.files.list()
    with pytest.raises(SandboxUnavailable, match="does not speak as a sandbox server does"):
        session.files.put("a.txt", [b"a"])
