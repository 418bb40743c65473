"""One hardened container with its supervisor, used by at most one session."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from devops_chatbot.errors import SandboxUnavailable, TooLarge
from devops_chatbot.i18n import Reason
from sandbox.docker import frames
from sandbox.docker.engine import Engine, Stream
from sandbox.docker.frames import BrokenFrames, Header
from sandbox.docker.hardening import ContainerOptions
from sandbox.docker.supervisor_client import CLOSED, Gone, SupervisorClient
from sandbox.docker.transcript import Transcript, entries, number
from sandbox.model import Execution, FileEntry, Limits, Watch

if TYPE_CHECKING:
    from sandbox.egress import Egress

START_TIMEOUT_S = 30.0
BEGIN_MARGIN_S = 40.0
END_MARGIN_S = 15.0
"""How long after its deadline a run may take to be reported ended, before the container is."""


class Container:
    """A started container. `Gone` from any method means that it has ended; `close` may be called at any time."""

    def __init__(self, engine: Engine, *, limits: Limits, options: ContainerOptions) -> None:
        """Start it and wait until it speaks. Raises `SandboxUnavailable`."""
        self._limits = limits
        self._engine = engine
        self._egress: Egress | None = None
        self._closing = threading.Lock()
        self._closed = False
        self.id = engine.create(options)
        stream: Stream | None = None
        try:
            stream = engine.attach(self.id)
            engine.start(self.id)
            self._client = SupervisorClient(stream, on_tunnel=self._on_tunnel)
            hello = self._client.hello(START_TIMEOUT_S)
        except (SandboxUnavailable, Gone) as error:
            if stream is not None:
                stream.close()
            engine.remove(self.id)
            if isinstance(error, Gone):
                raise SandboxUnavailable("sandbox.mute", error=error) from error
            raise
        languages = hello.get("languages")
        self.languages = tuple(str(name) for name in languages) if isinstance(languages, list) else ()

    @property
    def gone(self) -> Reason | None:
        """Why the container has ended; None while it lives."""
        return self._client.reason if self._client.gone.is_set() else None

    def open(self, language: str, *, egress: "Egress | None" = None, authorities: bytes = b"") -> None:
        """Make the container somebody's. With an egress its code finds a proxy, and trusts `authorities` (PEM)."""
        self._egress = egress
        self._client.call("open", authorities, language=language, proxy=egress is not None)

    def send_tunnel(self, header: Header, body: bytes = b"") -> None:
        """The egress's answer to a connection."""
        self._client.send(header, body)

    def interrupt(self) -> None:
        """Ask what runs to stop."""
        self._client.call("interrupt")

    def run(
        self,
        code: bytes,
        *,
        language: str,
        seconds: float,
        output_bytes: int,
        artifact_bytes: int,
        watch: Watch | None = None,
    ) -> Execution:
        """Run code to its end or to its deadline. Raises `Gone` with what was said until then lost."""
        said = Transcript(output_bytes, artifact_bytes, watch)
        with self._client.conversation() as conversation:
            request: Header = {
                "op": "run",
                "id": conversation.number,
                "language": language,
                "seconds": seconds,
                "output_bytes": output_bytes,
                "artifact_bytes": artifact_bytes,
            }
            started = time.monotonic()
            try:
                self._client.send(request, code)
                deadline = started + BEGIN_MARGIN_S
                while True:
                    header, body = conversation.next(deadline - time.monotonic())
                    if "began" in header:
                        deadline = time.monotonic() + seconds + END_MARGIN_S
                    elif "done" in header:
                        return said.ended(header["done"])
                    else:
                        said.take(header, body)
            except (TimeoutError, BrokenFrames, Gone) as error:
                late = isinstance(error, TimeoutError)
                if late:
                    self.close(Reason("gone.no_answer"))
                elif isinstance(error, BrokenFrames):
                    self.close(Reason("gone.misused", error=error))
                why = Reason("run.container_gone", reason=self.gone or error)
                return said.cut_off(time.monotonic() - started, timed_out=late, why=why)

    def put(self, path: str, data: Iterable[bytes]) -> FileEntry:
        """Write a file; it appears when it is whole."""
        size, first, whole = 0, True, False
        most = self._limits.disk_mb << 20
        try:
            for piece, last in _cut(data):
                size += len(piece)
                if size > most:
                    raise TooLarge("sandbox.file_too_large", path=path, mb=self._limits.disk_mb)
                self._client.call("put", piece, path=path, first=first, last=last)
                first, whole = False, last
        finally:
            if not (first or whole):
                with contextlib.suppress(Gone):
                    self._client.call("cancel", path=path)
        return FileEntry(path=path, size=size)

    def get(self, path: str) -> Iterator[bytes]:
        """The bytes of a file, piece by piece."""
        offset = 0
        while True:
            header, piece = self._client.call("get", path=path, offset=offset, size=frames.CHUNK)
            yield piece
            offset += len(piece)
            if not piece or offset >= number(header.get("size")):
                return

    def list(self) -> list[FileEntry]:
        """The files of the folder, without hidden ones."""
        header, _ = self._client.call("list")
        return entries(header.get("files"))

    def delete(self, path: str) -> None:
        """Remove a file or a folder."""
        self._client.call("delete", path=path)

    def ping(self) -> None:
        """Nothing, when the supervisor answers."""
        self._client.call("ping")

    def close(self, reason: Reason = CLOSED) -> None:
        """End the container. Never raises: what the engine does not remove now, the next sweep does."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._client.close(reason)
        if self._egress is not None:
            self._egress.close()
        with contextlib.suppress(SandboxUnavailable):
            self._engine.remove(self.id)

    def _on_tunnel(self, header: Header, body: bytes) -> None:
        if self._egress is not None:
            self._egress.from_container(header, body)


def _cut(data: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """In pieces that fit a frame, each with whether it is the last; one empty piece when there is nothing."""
    waiting: bytes | None = None
    for piece in data:
        for start in range(0, len(piece), frames.CHUNK):
            if waiting is not None:
                yield waiting, False
            waiting = piece[start : start + frames.CHUNK]
    yield waiting or b"", True
