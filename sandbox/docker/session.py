"""A session: what one person sees of a container, and of the fresh one that takes its place when it has gone."""

import contextlib
import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from devops_chatbot.errors import BadRequest, ChatbotError, Conflict, NotFound, SandboxUnavailable, TooLarge
from devops_chatbot.i18n import Reason
from sandbox.docker.container import Container
from sandbox.docker.supervisor_client import CLOSED, Gone
from sandbox.egress import Egress
from sandbox.model import Execution, FileEntry, Limits, SessionInfo, Watch

MAX_CODE_BYTES = 4 << 20


class LocalSession:
    """Implements `Session`. The container may end at any time; the next call that needs one gets a fresh one."""

    def __init__(
        self,
        take: Callable[[], Container],
        *,
        egress: Callable[[], Egress] | None,
        limits: Limits,
        language: str,
        caller: str,
        idle_s: float,
        longest_s: float,
        engine: str,
        on_close: Callable[[str], None],
    ) -> None:
        """Take a container and make it this session's. Raises what taking raises, and `BadRequest` for the language."""
        self.id = secrets.token_hex(12)
        self.caller = caller
        self._take = take
        self._make_egress = egress
        self._egress: Egress | None = None
        self._limits = limits
        self._language = language
        self._idle_s = idle_s
        self._engine = engine
        self._on_close = on_close
        self._created_at = self._used_at = time.time()
        self._last_at = self._created_at + longest_s
        self._runs = 0
        self._busy = threading.Lock()
        self._changing = threading.RLock()
        self._closed_because: Reason | None = None
        self._untold: Reason | None = None
        self._container = self._fresh()

    @property
    def container(self) -> str:
        """The id of the container that the session has at this moment."""
        return self._container.id

    @property
    def files(self) -> "LocalFiles":
        """See `Session`."""
        return LocalFiles(self)

    @property
    def expires_at(self) -> float:
        """When it is closed unless somebody uses it; never in the middle of a run."""
        if self._busy.locked():
            return time.time() + self._idle_s
        return min(self._used_at + self._idle_s, self._last_at)

    def info(self) -> SessionInfo:
        """See `Session`."""
        return SessionInfo(
            id=self.id,
            language=self._language,
            languages=self._container.languages,
            caller=self.caller,
            state="closed" if self._closed_because else "running" if self._busy.locked() else "idle",
            limits=self._limits,
            created_at=self._created_at,
            used_at=self._used_at,
            expires_at=self.expires_at,
            runs=self._runs,
            engine=self._engine,
            reached=self._egress.reached() if self._egress is not None else (),
        )

    def run(
        self, code: str, *, language: str | None = None, timeout_s: float | None = None, watch: Watch | None = None
    ) -> Execution:
        """See `Session`."""
        text = _encoded(code)
        seconds = self._limits.seconds if timeout_s is None else timeout_s
        if not 0 < seconds <= self._limits.seconds:
            raise BadRequest("sandbox.bad_timeout", most=self._limits.seconds)
        if not self._busy.acquire(blocking=False):
            raise Conflict("sandbox.busy")
        try:
            container, replaced = self._living()
            replaced, self._untold = replaced or self._untold, None
            execution = container.run(
                text,
                language=language or self._language,
                seconds=seconds,
                output_bytes=self._limits.output_bytes,
                artifact_bytes=self._limits.artifact_bytes,
                watch=watch,
            )
        finally:
            self._used_at = time.time()
            self._busy.release()
        self._runs += 1
        if not replaced:
            return execution
        return execution.with_news(Reason("run.fresh_container", reason=replaced))

    def interrupt(self) -> None:
        """See `Session`."""
        self._check_open()
        if self._busy.locked():
            with contextlib.suppress(Gone):
                self._container.interrupt()

    def reset(self) -> None:
        """See `Session`."""
        with self._changing:
            self._check_open()
            self._container.close(Reason("gone.reset"))
            self._container = self._fresh()
            self._used_at = time.time()

    def close(self) -> None:
        """See `Session`."""
        self._end(CLOSED)

    def expire(self) -> None:
        """Close it because nobody used it; nothing when somebody began to use it in the meantime."""
        with self._changing:
            if time.time() >= self.expires_at:
                self._end(Reason("gone.expired", seconds=self._idle_s))

    def living_container(self) -> Container:
        """The container, for its files; the next run says so when it is a fresh one. Raises `NotFound` after `close`."""
        self._used_at = time.time()
        container, gone = self._living()
        self._untold = gone or self._untold
        return container

    def _end(self, because: Reason) -> None:
        with self._changing:
            if self._closed_because:
                return
            self._closed_because = because
            self._container.close(because)
        self._on_close(self.id)

    def _check_open(self) -> None:
        if self._closed_because:
            raise NotFound("sandbox.session_gone", id=self.id, why=self._closed_because)

    def _living(self) -> tuple[Container, Reason | None]:
        """A container that lives, and why the one before it ended when this one is new."""
        with self._changing:
            self._check_open()
            gone = self._container.gone
            if gone is None:
                return self._container, None
            self._container.close()
            self._container = self._fresh()
            return self._container, gone

    def _fresh(self) -> Container:
        container = self._take()
        egress = self._make_egress() if self._make_egress is not None else None
        try:
            if egress is not None:
                egress.join(container, before=self._egress)
            container.open(self._language, egress=egress, authorities=egress.authorities if egress is not None else b"")
        except Gone as error:
            container.close()
            raise SandboxUnavailable("sandbox.container_gone", error=error) from error
        except ChatbotError:
            container.close()
            raise
        self._egress = egress
        return container


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Implements `Files` for a local session."""

    session: LocalSession

    def put(self, path: str, data: Iterable[bytes]) -> FileEntry:
        """See `Files`."""
        with _translated():
            return self.session.living_container().put(_path(path), data)

    def get(self, path: str) -> Iterator[bytes]:
        """See `Files`. Errors come before the first piece."""
        pieces = self._read(path)
        return itertools.chain((next(pieces),), pieces)

    def list(self) -> list[FileEntry]:
        """See `Files`."""
        with _translated():
            return self.session.living_container().list()

    def delete(self, path: str) -> None:
        """See `Files`."""
        with _translated():
            self.session.living_container().delete(_path(path))

    def _read(self, path: str) -> Iterator[bytes]:
        with _translated():
            yield from self.session.living_container().get(_path(path))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Gone as error:
        raise SandboxUnavailable("sandbox.container_gone", error=error) from error


def _path(path: str) -> str:
    """A path that may be sent to a container; the container checks it again, link by link."""
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names) or len(names) > 32:
        raise BadRequest("sandbox.path_leads_out")
    try:
        encoded = path.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("sandbox.path_not_text") from error
    if len(encoded) > 1024 or any(byte < 32 or byte == 127 for byte in encoded):
        raise BadRequest("sandbox.path_too_long")
    return path


def _encoded(code: str) -> bytes:
    try:
        text = code.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("sandbox.code_not_text") from error
    if len(text) > MAX_CODE_BYTES:
        raise TooLarge("sandbox.code_too_large", most_mb=MAX_CODE_BYTES >> 20)
    if b"\0" in text:
        raise BadRequest("sandbox.code_with_nul")
    return text
