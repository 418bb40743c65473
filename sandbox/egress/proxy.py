"""A forward proxy for one connection: CONNECT for what is encrypted, absolute addresses for what is not."""

import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox.egress.authority import Authority
from sandbox.egress.rules import Network, Rule, addresses
from sandbox.model import Reached

MAX_HEAD = 64 << 10
MAX_ROWS = 1000
CONNECT_TIMEOUT_S = 15.0
IDLE_TIMEOUT_S = 120.0
_HOP_BY_HOP = (b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"upgrade")


class Tally:
    """Counts what was reached and what was refused. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, int, bool, str, bool], list[int]] = {}

    def add(
        self,
        host: str,
        port: int,
        *,
        why: str = "",
        credentials: bool = False,
        out: int = 0,
        into: int = 0,
        count: int = 1,
    ) -> None:
        """One more attempt; `why` says what was in the way."""
        key = (host, port, not why, why, credentials)
        with self._lock:
            if key not in self._rows and len(self._rows) >= MAX_ROWS:
                # Code that tries every name there is gets no memory for it.
                key = ("(others)", 0, not why, why and "there are too many to name", credentials)
            row = self._rows.setdefault(key, [0, 0, 0])
            for place, value in enumerate((count, out, into)):
                row[place] += value

    def all(self) -> tuple[Reached, ...]:
        """The record, by host."""
        with self._lock:
            return tuple(
                Reached(
                    host=host,
                    port=port,
                    allowed=allowed,
                    why=why,
                    credentials=credentials,
                    count=count,
                    bytes_out=out,
                    bytes_in=into,
                )
                for (host, port, allowed, why, credentials), (count, out, into) in sorted(self._rows.items())
            )


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    rest: bytes


class _Refused(Exception):
    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


def serve(
    client: socket.socket, *, rules: Sequence[Rule], network: Network, authority: Authority | None, tally: Tally
) -> None:
    """Serve one connection to its end. Raises OSError when a side breaks off."""
    client.settimeout(IDLE_TIMEOUT_S)
    host, port = "?", 0
    try:
        head = _read_head(client)
        if head is None:
            return
        encrypted = head.method == "CONNECT"
        host, port = _place(head)
        if not any(rule.covers(host, port) for rule in rules):
            allowed = ", ".join(rule.host for rule in rules)
            raise _Refused("403 Forbidden", f"this session may reach {allowed}; {host}:{port} is not among them")
        credential = network.credential(host)
        with contextlib.closing(_connected(host, port)) as server:
            if not encrypted:
                extra = {credential.header: credential.value} if credential else {}
                sent = _forwarded(head, host=host, port=port, extra=extra)
                given = credential is not None
                tally.add(host, port, credentials=given, out=len(sent) + len(head.rest))
                server.sendall(sent + head.rest)
                out, into = _relay(client, server)
                tally.add(host, port, credentials=given, out=out, into=into, count=0)
            elif credential is None or authority is None:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                tally.add(host, port, out=len(head.rest))
                server.sendall(head.rest)
                out, into = _relay(client, server)
                tally.add(host, port, out=out, into=into, count=0)
            else:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                context = ssl.create_default_context()
                if network.trusted:
                    context.load_verify_locations(network.trusted)
                try:
                    trusted = context.wrap_socket(server, server_hostname=host)
                except ssl.SSLError as error:
                    tally.add(host, port, why=f"its certificate is not trusted: {error.reason}")
                    return
                with contextlib.closing(trusted):
                    inside = authority.context(host).wrap_socket(client, server_side=True)
                    inner = _read_head(inside)
                    if inner is None:
                        return
                    sent = _forwarded(inner, host=host, port=port, extra={credential.header: credential.value})
                    tally.add(host, port, credentials=True, out=len(sent) + len(inner.rest))
                    trusted.sendall(sent + inner.rest)
                    out, into = _relay(inside, trusted)
                    tally.add(host, port, credentials=True, out=out, into=into, count=0)
                    with contextlib.suppress(OSError):
                        inside.unwrap()
    except _Refused as refusal:
        tally.add(host, port, why=str(refusal))
        text = f"The sandbox's proxy refused: {refusal}\n".encode()
        size = f"Content-Length: {len(text)}"
        lines = (f"HTTP/1.1 {refusal.status}", "Content-Type: text/plain", size, "Connection: close", "\r\n")
        client.sendall("\r\n".join(lines).encode() + text)


def _connected(host: str, port: int) -> socket.socket:
    problem: OSError | None = None
    try:
        for place in addresses(host, port):
            try:
                server = socket.create_connection(place, timeout=CONNECT_TIMEOUT_S)
            except OSError as error:
                problem = error
                continue
            server.settimeout(IDLE_TIMEOUT_S)
            return server
    except OSError as error:
        problem = error
    raise _Refused("502 Bad Gateway", f"{host}:{port} cannot be reached: {problem}") from problem


def _read_head(client: socket.socket) -> _Head | None:
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        piece = client.recv(16 << 10)
        if not piece:
            return None
        buffer += piece
        if len(buffer) > MAX_HEAD:
            raise _Refused("431 Request Header Fields Too Large", "the request's head is too large")
    head, _, rest = buffer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    words = first.decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[0].isalpha():
        raise _Refused("400 Bad Request", "this is not HTTP")
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name.strip() or name != name.strip():
            raise _Refused("400 Bad Request", "a header is malformed")
        headers.append((name, value.strip()))
    return _Head(words[0], words[1], tuple(headers), rest)


def _place(head: _Head) -> tuple[str, int]:
    """The host and the port that a request is for."""
    try:
        parts = urlsplit(f"//{head.target}" if head.method == "CONNECT" else head.target)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise _Refused("400 Bad Request", "the address is malformed") from error
    if not host or (head.method != "CONNECT" and parts.scheme != "http"):
        raise _Refused("400 Bad Request", "this is a proxy: ask with a whole address")
    return host, port or (443 if head.method == "CONNECT" else 80)


def _forwarded(head: _Head, *, host: str, port: int, extra: dict[str, str]) -> bytes:
    """The request as the server gets it. It is the only one of its connection: what follows gets no credentials."""
    target = head.target
    if target.startswith("http://"):
        parts = urlsplit(target)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    replaced = {name.lower().encode() for name in extra} | {b"host", *_HOP_BY_HOP}
    shown = f"[{host}]" if ":" in host else host
    lines = [
        f"{head.method} {target} HTTP/1.1".encode("latin-1"),
        f"Host: {shown}".encode() + (b"" if port in (80, 443) else f":{port}".encode()),
        *(name + b": " + value for name, value in head.headers if name.lower() not in replaced),
        *(f"{name}: {value}".encode("latin-1") for name, value in extra.items()),
        b"Connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _relay(client: socket.socket, server: socket.socket) -> tuple[int, int]:
    """Carry bytes both ways until the server is done, nobody speaks or a side breaks off; how many went out and came in."""
    moved = {client: 0, server: 0}
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, (client, server))
        selector.register(server, selectors.EVENT_READ, (server, client))
        while True:
            ready = [key.data for key, _ in selector.select(IDLE_TIMEOUT_S)]
            if not ready:
                return moved[client], moved[server]
            for source, target in ready:
                more = True
                while more:
                    piece = _received(source)
                    if piece is None:
                        break
                    # What TLS holds decrypted is not seen by the selector.
                    more = bool(piece) and isinstance(source, ssl.SSLSocket) and source.pending() > 0
                    if not piece:
                        selector.unregister(source)
                        if source is server:
                            return moved[client], moved[server]
                        with contextlib.suppress(OSError):
                            if not isinstance(target, ssl.SSLSocket):
                                target.shutdown(socket.SHUT_WR)
                        continue
                    try:
                        target.sendall(piece)
                    except OSError:
                        return moved[client], moved[server]
                    moved[source] += len(piece)


def _received(source: socket.socket) -> bytes | None:
    """What has come: nothing at the end, and None when it was no data, as when TLS hands out its tickets."""
    source.settimeout(0)  # else the other direction would wait for this one
    try:
        return source.recv(64 << 10)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    except OSError:
        return b""
    finally:
        source.settimeout(IDLE_TIMEOUT_S)
