"""A server on loopback that speaks the providers' chat protocols and does as it was told: well, slowly, badly, or not at
all. Which protocol is told by the path: OpenAI's (also below an Azure deployment), Anthropic's or Ollama's.
"""

import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import scripted_protocols
from patience import PATIENCE_S, wait_until


@dataclass(frozen=True, kw_only=True)
class Reply:
    """How one request is answered.

    `text` comes in pieces of `piece` characters with `pause_s` between them; `first_s` is the silence before the first.
    `calls` are calls of tools, each a name and its arguments (a text stands as it is, for broken JSON).
    `status` other than 200 is an error body. `breaks_after` closes the connection after so many pieces. `refusal` comes
    instead of content. `finish` is the finish reason. `garbage` sends what is no protocol. `ends_after` ends the body after so
    many pieces as if that were all. `thought` comes before the text, where the protocol has a place for it.
    """

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any] | str], ...] = ()
    piece: int = 8
    pause_s: float = 0.0
    first_s: float = 0.0
    status: int = 200
    breaks_after: int | None = None
    refusal: str = ""
    finish: str = "stop"
    garbage: bool = False
    ends_after: int | None = None
    thought: str = ""
    usage: tuple[int, int] | None = (100, 20)


_PORTS: set[int] = set()
"""Taken before. LangChain keeps one client an address, and that of an event loop which has ended would be used again."""


@dataclass
class ScriptedModel:
    """`with ScriptedModel([Reply(text="Hello")]) as model:` listens at `model.base_url`.

    Replies are used up in their order; the last one stays. A function is asked for each request's reply. `requests`
    holds the bodies that came, `paths` and `headers` (names in lower case) what came with them; `left` counts readers
    who went away before the end.
    """

    script: Sequence[Reply] | Callable[[dict[str, Any]], Reply] = (Reply(text="Hello from the scripted model."),)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    left: int = 0
    tls: ssl.SSLContext | None = None
    """Speaks TLS with this."""

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """Where Anthropic's, Azure's and Ollama's clients begin."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def settings(self, **changes: object) -> dict[str, object]:
        """What goes below `[models.NAME]`."""
        settings = {
            "provider": "openai-compatible",
            "model": "scripted",
            "base_url": self.base_url,
            "timeout_s": PATIENCE_S,
        }
        return {**settings, **changes}

    def until_left(self, before: int = 0) -> None:
        """Waits for a reader to go away, one more than the number `before`."""
        wait_until(lambda: self.left > before)

    def prompt(self, index: int = -1) -> str:
        """All that one request said to the model."""
        return "\n".join(str(message["content"]) for message in self.requests[index]["messages"])

    def __enter__(self) -> Self:
        scripted, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    scripted.requests.append(body)
                    scripted.keys.append(self.headers.get("Authorization", ""))
                    scripted.paths.append(self.path)
                    scripted.headers.append({name.lower(): value for name, value in self.headers.items()})
                    reply = scripted._reply(body, len(scripted.requests) - 1)
                try:
                    _answer(self, reply, stream=bool(body.get("stream")))
                except (BrokenPipeError, ConnectionResetError):
                    scripted.left += 1
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        while (server := Server(("127.0.0.1", 0), Handler)).server_port in _PORTS:
            server.server_close()
        _PORTS.add(server.server_port)
        if self.tls:
            server.socket = self.tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._server = server
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)

    def _reply(self, body: dict[str, Any], position: int) -> Reply:
        if callable(self.script):
            return self.script(body)
        return self.script[min(position, len(self.script) - 1)]


def nobody_there() -> str:
    """The base URL of a server that does not exist."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def _answer(handler: BaseHTTPRequestHandler, reply: Reply, *, stream: bool) -> None:
    time.sleep(reply.first_s)
    foreign = scripted_protocols.pieces(handler.path, reply)
    if reply.status != 200:
        error = {"error": {"message": f"scripted status {reply.status}", "type": "scripted"}}
        _send(handler, json.dumps(error).encode(), status=reply.status)
    elif reply.garbage:
        _send(handler, b"data: {this is no json\n\n", kind="text/event-stream")
    elif foreign is not None:
        _stream_foreign(handler, reply, *foreign)
    elif stream:
        _stream(handler, reply)
    else:
        message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal or None}
        if reply.calls:
            message["tool_calls"] = _calls(reply)
        finish = "tool_calls" if reply.calls else reply.finish
        whole = {**_envelope("chat.completion"), "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
        _send(handler, json.dumps(whole | ({"usage": _usage(*reply.usage)} if reply.usage else {})).encode())


def _stream_foreign(handler: BaseHTTPRequestHandler, reply: Reply, kind: str, pieces: Iterator[bytes]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    said = 0
    for piece in pieces:
        if said == reply.breaks_after:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if said == reply.ends_after:
            break
        _write(handler, piece)
        if scripted_protocols.WORDS in piece:
            said += 1
            time.sleep(reply.pause_s)
    handler.wfile.write(b"0\r\n\r\n")


def _stream(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for position, delta in enumerate(_deltas(reply)):
        if position == reply.breaks_after:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if position == reply.ends_after:
            handler.wfile.write(b"0\r\n\r\n")
            return
        _chunk(handler, {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        time.sleep(reply.pause_s)
    _chunk(handler, {"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish}]})
    if reply.usage:
        _chunk(handler, {"choices": [], "usage": _usage(*reply.usage)})
    _write(handler, b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def _deltas(reply: Reply) -> Iterator[dict[str, str]]:
    if reply.refusal:
        yield {"role": "assistant", "refusal": reply.refusal}
    if reply.thought:
        yield {"role": "assistant", "reasoning_content": reply.thought}
    for start in range(0, len(reply.text), reply.piece):
        yield {"role": "assistant", "content": reply.text[start : start + reply.piece]}


def _calls(reply: Reply) -> list[dict[str, Any]]:
    """With ids that no other reply has."""
    return [
        {
            "id": f"call_{uuid.uuid4().hex[:8]}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for name, given in reply.calls
    ]


def _usage(given: int, made: int) -> dict[str, int]:
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _envelope(kind: str) -> dict[str, object]:
    return {"id": "scripted-1", "object": kind, "created": 1, "model": "scripted"}


def _chunk(handler: BaseHTTPRequestHandler, content: dict[str, object]) -> None:
    data = json.dumps({**_envelope("chat.completion.chunk"), **content}, ensure_ascii=False)
    _write(handler, f"data: {data}\n\n".encode())


def _write(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.flush()


def _send(handler: BaseHTTPRequestHandler, data: bytes, *, status: int = 200, kind: str = "application/json") -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
