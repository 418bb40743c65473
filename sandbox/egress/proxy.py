"""A forward proxy for one connection: CONNECT for what is encrypted, absolute addresses for what is not."""

import contextlib
import re
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from devops_chatbot.i18n import Reason
from sandbox.egress.authority import Authority
from sandbox.egress.rules import Credential, Network, Rule, addresses, host_name
from sandbox.model import Reached

MAX_HEAD = 64 << 10
MAX_ROWS = 1000
CONNECT_TIMEOUT_S = 15.0
IDLE_TIMEOUT_S = 120.0
_HOP_BY_HOP = (b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"upgrade")
# Strict, because many servers take a bare line feed for the end of a line: a header could end the head before the credential,
# which would then be part of the body, and come back from whatever stores or repeats a body.
_REQUEST_LINE = re.compile(rb"([A-Za-z]{1,32}) ([!-~]+) HTTP/1\.[01]")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_ECHOING = ("TRACE", "TRACK")
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


_Key = tuple[str, int, bool, Reason | None, bool]
"""Host, port, whether it was let through, why not, whether a credential was added."""


class Tally:
    """Counts what was reached and what was refused. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[_Key, list[int]] = {}

    def add(
        self,
        host: str,
        port: int,
        *,
        why: Reason | None = None,
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
                key = ("(others)", 0, not why, Reason("egress.too_many") if why else None, credentials)
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
                for (host, port, allowed, why, credentials), (count, out, into) in sorted(
                    self._rows.items(), key=lambda row: (row[0][:3], str(row[0][3]))
                )
            )


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    rest: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    """What one connection is for, what is added on the way, and the record."""

    host: str
    port: int
    credential: Credential | None
    tally: Tally

    def note(
        self, *, why: Reason | None = None, credentials: bool = False, out: int = 0, into: int = 0, count: int = 1
    ) -> None:
        self.tally.add(self.host, self.port, why=why, credentials=credentials, out=out, into=into, count=count)


class _Refused(Exception):
    def __init__(self, status: str, reason: Reason) -> None:
        super().__init__(str(reason))
        self.status = status
        self.reason = reason


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
        host, port = _address(head)
        if not any(rule.covers(host, port) for rule in rules):
            allowed = [rule.host for rule in rules]
            raise _Refused("403 Forbidden", Reason("egress.not_allowed", allowed=allowed, host=host, port=port))
        place = _Place(host, port, network.credential(host), tally)
        with contextlib.closing(_connected(host, port)) as server:
            if head.method != "CONNECT":
                _pass_on(head, client, server, place)
            elif place.credential is None or authority is None:
                client.sendall(_ESTABLISHED)
                place.note(out=len(head.rest))
                server.sendall(head.rest)
                _relay(client, server, lambda out, into: place.note(count=0, out=out, into=into))
            else:
                client.sendall(_ESTABLISHED)
                _decrypt(client, server, place, trusted_file=network.trusted, authority=authority)
    except _Refused as refusal:
        tally.add(host, port, why=refusal.reason)
        _say_refused(client, refusal)


def _pass_on(head: _Head, client: socket.socket, server: socket.socket, place: _Place) -> None:
    """One request with its answer. It is in the record before it leaves, however it ends."""
    given = place.credential is not None
    sent = _forwarded(head, place) + head.rest
    place.note(credentials=given, out=len(sent))
    server.sendall(sent)
    _relay(client, server, lambda out, into: place.note(credentials=given, count=0, out=out, into=into))


def _decrypt(
    client: socket.socket, server: socket.socket, place: _Place, *, trusted_file: str, authority: Authority
) -> None:
    """Stand between code and an encrypted server, so that the credential can be added."""
    context = ssl.create_default_context()
    if trusted_file:
        context.load_verify_locations(trusted_file)
    try:
        trusted = context.wrap_socket(server, server_hostname=place.host)
    except ssl.SSLError as error:
        place.note(why=Reason("egress.not_trusted", error=error.reason))
        return
    with contextlib.closing(trusted):
        try:
            inside = authority.context(place.host).wrap_socket(client, server_side=True)
        except OSError:
            place.note(why=Reason("egress.broke_off"))
            raise
        with contextlib.closing(inside):
            try:
                head = _read_head(inside)
                if head is not None:
                    _pass_on(head, inside, trusted, place)
            except _Refused as refusal:
                place.note(why=refusal.reason)
                _say_refused(inside, refusal)
            with contextlib.suppress(OSError):
                inside.unwrap()


def _say_refused(client: socket.socket, refusal: _Refused) -> None:
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
    raise _Refused("502 Bad Gateway", Reason("egress.unreachable", host=host, port=port, error=problem)) from problem


def _read_head(client: socket.socket) -> _Head | None:
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        piece = client.recv(16 << 10)
        if not piece:
            return None
        buffer += piece
        if len(buffer) > MAX_HEAD:
            raise _Refused("431 Request Header Fields Too Large", Reason("egress.head_too_large"))
    head, _, rest = buffer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    asked = _REQUEST_LINE.fullmatch(first)
    if asked is None:
        raise _Refused("400 Bad Request", Reason("egress.not_http"))
    method, target = (word.decode("ascii") for word in asked.groups())
    if method.upper() in _ECHOING:
        raise _Refused("405 Method Not Allowed", Reason("egress.echo", method=method))
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise _Refused("400 Bad Request", Reason("egress.bad_header"))
        headers.append((header[1], header[2]))
    return _Head(method, target, tuple(headers), rest)


def _address(head: _Head) -> tuple[str, int]:
    """The host and the port that a request is for."""
    try:
        parts = urlsplit(f"//{head.target}" if head.method == "CONNECT" else head.target)
        named, port = parts.hostname, parts.port
    except ValueError as error:
        raise _Refused("400 Bad Request", Reason("egress.bad_address")) from error
    if not named or (head.method != "CONNECT" and parts.scheme != "http"):
        raise _Refused("400 Bad Request", Reason("egress.no_address"))
    host = host_name(named)
    if host is None:
        raise _Refused("400 Bad Request", Reason("egress.no_host"))
    return host, port or (443 if head.method == "CONNECT" else 80)


def _forwarded(head: _Head, place: _Place) -> bytes:
    """The request as the server gets it. It is the only one of its connection: what follows gets no credentials."""
    extra = {place.credential.header: place.credential.value} if place.credential else {}
    target = head.target
    if not target.startswith("/") and target != "*":
        parts = urlsplit(target)
        if not parts.scheme or not parts.netloc:
            raise _Refused("400 Bad Request", Reason("egress.bad_address"))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    replaced = {name.lower().encode() for name in extra} | {b"host", *_HOP_BY_HOP}
    shown = f"[{place.host}]" if ":" in place.host else place.host
    lines = [
        f"{head.method} {target} HTTP/1.1".encode("latin-1"),
        f"Host: {shown}".encode() + (b"" if place.port in (80, 443) else f":{place.port}".encode()),
        *(name + b": " + value for name, value in head.headers if name.lower() not in replaced),
        *(f"{name}: {value}".encode("latin-1") for name, value in extra.items()),
        b"Connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _relay(client: socket.socket, server: socket.socket, moved: Callable[[int, int], None]) -> None:
    """Carry bytes both ways until the server is done, nobody speaks or a side breaks off.

    `moved` hears how many went out and came in.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, (client, server))
        selector.register(server, selectors.EVENT_READ, (server, client))
        while True:
            ready = [key.data for key, _ in selector.select(IDLE_TIMEOUT_S)]
            if not ready:
                return
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
                            return
                        with contextlib.suppress(OSError):
                            if not isinstance(target, ssl.SSLSocket):
                                target.shutdown(socket.SHUT_WR)
                        continue
                    try:
                        target.sendall(piece)
                    except OSError:
                        return
                    moved(*((len(piece), 0) if source is client else (0, len(piece))))


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
