"""The host's end of a container's connections: each is a pair of sockets, one for the tunnel and one for the proxy."""

import contextlib
import logging
import queue
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from devops_chatbot.i18n import Reason
from sandbox.docker.frames import Header
from sandbox.docker.supervisor_client import Gone
from sandbox.egress.authority import Authority
from sandbox.egress.proxy import Tally, serve
from sandbox.egress.rules import Network, Rule, host_name
from sandbox.model import Reached

if TYPE_CHECKING:
    from sandbox.docker.container import Container

WINDOW = 256 << 10
MAX_CONNECTIONS = 64
log = logging.getLogger(__name__)


class Egress:
    """The network of one session: its rules, its connections, and the record of what was reached."""

    def __init__(self, rules: Iterable[Rule], network: Network) -> None:
        self._rules = tuple(rules)
        self._network = network
        has_credentials = any(
            rule.covers(host_name(each.host) or "", rule.ports[0])
            for each in network.credentials
            for rule in self._rules
        )
        self._authority = Authority() if has_credentials else None
        self._container: Container | None = None
        self._tally = Tally()
        self._connections: dict[int, _Connection] = {}
        self._lock = threading.Lock()
        self._closed = False

    @property
    def authorities(self) -> bytes:
        """What code inside has to trust so that headers can be added to what it encrypts."""
        return self._authority.pem if self._authority is not None else b""

    def join(self, container: "Container", *, before: "Egress | None") -> None:
        """Serve this container, going on with the record of the one before it."""
        self._container = container
        if before is not None:
            self._tally = before._tally

    def reached(self) -> tuple[Reached, ...]:
        """What was reached, or tried, so far."""
        return self._tally.all()

    def from_container(self, header: Header, body: bytes) -> None:
        """An event of one connection. Never blocks, never raises: the other side is not trusted."""
        number, event = header.get("tunnel"), header.get("event")
        if not isinstance(number, int):
            return
        with self._lock:
            connection = self._connections.get(number)
            if event == "open" and connection is None and not self._closed and len(self._connections) < MAX_CONNECTIONS:
                self._connections[number] = _Connection(self, number)
                return
        if connection is None:
            return
        if event == "data":
            connection.from_container(body)
        elif event == "ack" and isinstance(count := header.get("bytes"), int):
            connection.acknowledged(count)
        elif event == "close":
            connection.from_container(b"")

    def close(self) -> None:
        """End every connection."""
        with self._lock:
            self._closed = True
            connections = list(self._connections.values())
        for connection in connections:
            connection.close()

    def send(self, header: Header, body: bytes = b"") -> None:
        """To the container. Raises `Gone`."""
        if self._container is None:
            raise Gone(Reason("gone.never"))
        self._container.send_tunnel(header, body)

    def forget(self, number: int) -> None:
        """A connection has ended."""
        with self._lock:
            self._connections.pop(number, None)

    def serve(self, client: socket.socket) -> None:
        """One connection's requests."""
        serve(client, rules=self._rules, network=self._network, authority=self._authority, tally=self._tally)


class _Connection:
    """Carries bytes between the tunnel and the proxy's socket, holding each side to its window."""

    def __init__(self, egress: Egress, number: int) -> None:
        self._egress = egress
        self._number = number
        self._ours, self._proxys = socket.socketpair()
        self._arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._held = 0
        self._counting = threading.Lock()
        self._credit = WINDOW
        self._may_send = threading.Condition()
        self._closed = False
        for work in (self._to_proxy, self._to_container, self._proxy):
            threading.Thread(target=work, name=f"sandbox-tunnel-{number}", daemon=True).start()

    def from_container(self, data: bytes) -> None:
        """Data for the proxy; nothing means the end."""
        with self._counting:
            self._held += len(data)
            too_much = self._held > 4 * WINDOW
        if too_much:  # it ignores its window
            self.close()
            return
        self._arrived.put(data)

    def acknowledged(self, count: int) -> None:
        """The container has taken so many bytes."""
        with self._may_send:
            self._credit = min(WINDOW, self._credit + max(0, count))
            self._may_send.notify_all()

    def close(self) -> None:
        """End both directions."""
        with self._may_send:
            if self._closed:
                return
            self._closed = True
            self._may_send.notify_all()
        self._arrived.put(b"")
        for end in (self._ours, self._proxys):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _to_proxy(self) -> None:
        with contextlib.suppress(OSError, Gone):
            while data := self._arrived.get():
                self._ours.sendall(data)
                with self._counting:
                    self._held -= len(data)
                self._egress.send({"tunnel": self._number, "event": "ack", "bytes": len(data)})
        with contextlib.suppress(OSError):
            self._ours.shutdown(socket.SHUT_WR)

    def _to_container(self) -> None:
        with contextlib.suppress(OSError, Gone):
            while data := self._ours.recv(64 << 10):
                with self._may_send:
                    while self._credit <= 0 and not self._closed:
                        self._may_send.wait()
                    self._credit -= len(data)
                if self._closed:
                    break
                self._egress.send({"tunnel": self._number, "event": "data"}, data)
            self._egress.send({"tunnel": self._number, "event": "close"})
        self._egress.forget(self._number)
        self.close()
        self._ours.close()

    def _proxy(self) -> None:
        try:
            self._egress.serve(self._proxys)
        except OSError as error:
            log.debug("a sandbox's connection broke off: %s", error)
        finally:
            with contextlib.suppress(OSError):
                self._proxys.shutdown(socket.SHUT_RDWR)
            self._proxys.close()
