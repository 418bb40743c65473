"""The one way out of a container without a network: connections to a loopback port travel over the host's stream.

The host's end is a proxy that decides what may be reached. Each connection has a window, so that neither a slow reader
here nor a slow server there lets the other side pile up bytes.
"""

import selectors
import socket
from collections.abc import Callable
from typing import Any

PORT = 3128
WINDOW = 256 << 10
MAX_CONNECTIONS = 64


class _Connection:
    def __init__(self, taken: socket.socket) -> None:
        self.socket = taken
        self.to_write = bytearray()
        self.unacknowledged = 0
        self.host_closed = False


class Tunnel:
    """The loopback listener and its connections."""

    def __init__(self, selector: selectors.BaseSelector, send: Callable[..., None]) -> None:
        self._selector = selector
        self._send = send
        self._listener: socket.socket | None = None
        self._connections: dict[int, _Connection] = {}
        self._last = 0

    def listen(self) -> str:
        """Open the port (once); its address as a proxy URL."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", PORT), backlog=MAX_CONNECTIONS)
            self._listener.setblocking(False)
            self._selector.register(self._listener.fileno(), selectors.EVENT_READ, self._accept)
        return f"http://127.0.0.1:{PORT}"

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            taken, _ = self._listener.accept()
        except OSError:
            return
        if len(self._connections) >= MAX_CONNECTIONS:
            taken.close()
            return
        taken.setblocking(False)
        self._last += 1
        self._connections[self._last] = _Connection(taken)
        self._send({"tunnel": self._last, "event": "open"})
        self._watch(self._last)

    def from_host(self, header: "dict[str, Any]", body: bytes) -> None:
        """Data for a connection, an acknowledgement, or its end."""
        number = header["tunnel"]
        connection = self._connections.get(number)
        if connection is None:
            return
        if header["event"] == "ack":
            connection.unacknowledged -= header["bytes"]
        elif header["event"] == "data":
            connection.to_write += body
        else:
            connection.host_closed = True
        self._pump(number)

    def _pump(self, number: int) -> None:
        connection = self._connections[number]
        written = 0
        try:
            while connection.to_write:
                count = connection.socket.send(connection.to_write[: 64 << 10])
                written += count
                del connection.to_write[:count]
        except BlockingIOError:
            pass
        except OSError:
            self._close(number, tell=not connection.host_closed)
            return
        if written:
            self._send({"tunnel": number, "event": "ack", "bytes": written})
        if connection.host_closed and not connection.to_write:
            self._close(number, tell=False)
            return
        self._watch(number)

    def _readable(self, number: int) -> None:
        connection = self._connections[number]
        try:
            piece = connection.socket.recv(64 << 10)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._close(number, tell=True)
            return
        connection.unacknowledged += len(piece)
        self._send({"tunnel": number, "event": "data"}, piece)
        self._watch(number)

    def _ready(self, number: int) -> None:
        connection = self._connections.get(number)
        if connection is None:
            return
        if connection.to_write:
            self._pump(number)
        connection_still = self._connections.get(number)
        if connection_still is not None and connection_still.unacknowledged < WINDOW:
            self._readable(number)

    def _watch(self, number: int) -> None:
        connection = self._connections[number]
        wanted = 0
        if connection.unacknowledged < WINDOW:
            wanted |= selectors.EVENT_READ
        if connection.to_write:
            wanted |= selectors.EVENT_WRITE
        fd = connection.socket.fileno()
        watched = fd in self._selector.get_map()
        if wanted and watched:
            self._selector.modify(fd, wanted, lambda: self._ready(number))
        elif wanted:
            self._selector.register(fd, wanted, lambda: self._ready(number))
        elif watched:
            self._selector.unregister(fd)

    def _close(self, number: int, *, tell: bool) -> None:
        connection = self._connections.pop(number)
        fd = connection.socket.fileno()
        if fd in self._selector.get_map():
            self._selector.unregister(fd)
        connection.socket.close()
        if tell:
            self._send({"tunnel": number, "event": "close"})
