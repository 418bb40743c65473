"""The sandbox on servers elsewhere: the same words over HTTP, and several servers that share the load."""

import contextlib
import itertools
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

from devops_chatbot import errors
from devops_chatbot.errors import ChatbotError, NotFound, SandboxUnavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.values import from_json, from_page
from sandbox.http.client import Server, ServerAddress, ServerGone, failure
from sandbox.model import (
    DEFAULT_LANGUAGE,
    UNNAMED,
    Artifact,
    AttackResult,
    Execution,
    FileEntry,
    Limits,
    OutputChunk,
    SandboxReadiness,
    SessionInfo,
    Watch,
)

READY_TIMEOUT = httpx.Timeout(5.0)
"""A server that hangs holds up whoever opens a session no longer than this."""
_Rooms: TypeAlias = "tuple[list[tuple[Server, SandboxReadiness]], list[Reason]]"


class RemoteSandbox:
    """Implements `Sandbox` on one or more sandbox servers.

    A session goes to the server with the most room. A server that does not answer is passed over; the sessions that it
    had are `NotFound` with that reason once they are used, and nothing else is touched.
    """

    def __init__(self, servers: Sequence[ServerAddress] = (), *, http: httpx.Client | None = None) -> None:
        """On these servers, or on the one that `http` is connected to, which stays its owner's to close."""
        self._own = [address.connect() for address in servers]
        self._servers = [Server(client) for client in (*self._own, *([http] if http is not None else []))]
        self._homes: dict[str, Server] = {}
        self._turn = itertools.count()
        self._lock = threading.Lock()

    def ready(self) -> SandboxReadiness:
        """See `Sandbox`; the numbers are those of all servers together."""
        found, problems = self._rooms()
        if not found:
            raise _none_answers(problems)
        return replace(
            found[0][1],
            engine=", ".join(server.url for server, _ in found),
            missing=tuple(problems),
            languages=tuple(sorted(set.intersection(*(set(each.languages) for _, each in found)))),
            sessions=sum(each.sessions for _, each in found),
            warm=sum(each.warm for _, each in found),
            capacity=sum(each.capacity for _, each in found),
        )

    def open(
        self, limits: Limits | None = None, *, language: str = DEFAULT_LANGUAGE, caller: str = UNNAMED
    ) -> "RemoteSession":
        """See `Sandbox`."""
        body: dict[str, Any] = {"language": language}
        if limits is not None:
            values = asdict(limits)
            body |= {"network": values.pop("network"), "limits": values}
            if not all(isinstance(value, int | float) and math.isfinite(value) for value in values.values()):
                raise errors.BadRequest("sandbox.limit_not_number")
        order, problems = self._by_room()
        full: errors.LimitReached | None = None
        for server in order:
            try:
                session = server.one(SessionInfo, "POST", "/api/v1/sandboxes", caller=caller, json=body)
            except SandboxUnavailable as error:
                problems = [*problems, error.reason]
                continue
            except errors.LimitReached as error:  # there; another server counts this caller's sessions anew
                full = error
                continue
            with self._lock:
                self._homes[session.id] = server
            return RemoteSession(server, session.id, caller, self._forget)
        if full is not None:
            raise full
        raise _none_answers(problems)

    def get(self, session_id: str, *, caller: str | None = None) -> "RemoteSession":
        """See `Sandbox`."""
        missing = NotFound("sandbox.no_session", id=session_id)
        for server in [home] if (home := self._homes.get(session_id)) else self._servers:
            try:
                info = server.one(SessionInfo, "GET", f"/api/v1/sandboxes/{quote(session_id, safe='')}", caller=caller)
            except SandboxUnavailable as error:
                missing = NotFound("sandbox.on_lost_server", id=session_id, error=error)
                continue
            except NotFound:
                continue
            with self._lock:
                self._homes[session_id] = server
            return RemoteSession(server, info.id, info.caller, self._forget)
        self._forget(session_id)
        raise missing

    def list(self, *, caller: str | None = None) -> list[SessionInfo]:
        """See `Sandbox`; a server that does not answer has no sessions."""
        infos: list[SessionInfo] = []
        for server in self._servers:
            with contextlib.suppress(SandboxUnavailable):
                rows = server.many(SessionInfo, "/api/v1/sandboxes", caller=caller)
                infos += [replace(info, engine=server.url) for info in rows]
        return sorted(infos, key=lambda info: info.created_at)

    def selftest(self, say: Callable[[AttackResult], None] = lambda _: None) -> Sequence[AttackResult]:
        """See `Sandbox`; on every server, one after the other."""
        results: Sequence[AttackResult] = ()
        for server in self._servers:
            for event, data in server.events("/api/v1/sandboxes/selftest", caller=None, json_body=None):
                with server.understood():
                    if event == "failure":
                        raise failure(data)
                    result = from_json(AttackResult, data)
                say(result)
                results = (*results, result)
        return results

    def close(self) -> None:
        """Close the sessions that were opened from here, and the connections."""
        for session_id, server in tuple(self._homes.items()):
            with contextlib.suppress(ChatbotError):
                server.call("DELETE", f"/api/v1/sandboxes/{session_id}", caller=None)
        for client in self._own:
            client.close()

    def _by_room(self) -> "tuple[Sequence[Server], Sequence[Reason]]":
        """The servers, the one with the most room first; equals take turns."""
        if len(self._servers) == 1:
            return self._servers, []
        found, problems = self._rooms()
        turn = next(self._turn)
        rank = {
            id(server): (each.sessions - each.capacity, (at - turn) % len(found))
            for at, (server, each) in enumerate(found)
        }
        return sorted((server for server, _ in found), key=lambda server: rank[id(server)]), problems

    def _rooms(self) -> "_Rooms":
        found, problems = [], []
        for server in self._servers:
            try:
                ready = server.one(
                    SandboxReadiness, "GET", "/api/v1/sandboxes/readiness", caller=None, timeout=READY_TIMEOUT
                )
                found.append((server, ready))
            except SandboxUnavailable as error:
                problems.append(error.reason)
        return found, problems

    def _forget(self, session_id: str) -> None:
        with self._lock:
            self._homes.pop(session_id, None)


class RemoteSession:
    """Implements `Session` for a session on a server."""

    def __init__(self, server: "Server", session_id: str, caller: str, forget: Callable[[str], None]) -> None:
        self.server = server
        self._id = session_id
        self._caller = caller
        self._forget = forget

    @property
    def files(self) -> "RemoteFiles":
        """See `Session`."""
        return RemoteFiles(self)

    def info(self) -> SessionInfo:
        """See `Session`."""
        with self._known():
            info = self.server.one(SessionInfo, "GET", self._path(), caller=self._caller)
            return replace(info, engine=self.server.url)

    def run(
        self, code: str, *, language: str | None = None, timeout_s: float | None = None, watch: Watch | None = None
    ) -> Execution:
        """See `Session`."""
        try:
            code.encode()
        except UnicodeEncodeError as error:
            raise errors.BadRequest("sandbox.code_not_text") from error
        body = {"code": code, "language": language, "timeout_s": timeout_s}
        with self._known():
            for event, data in self.server.events(self._path("runs"), caller=self._caller, json_body=body):
                with self.server.understood():
                    match event:
                        case "execution":
                            return from_json(Execution, data)
                        case "failure":
                            raise failure(data)
                        case "chunk" | "artifact":
                            piece: OutputChunk | Artifact = (
                                from_json(OutputChunk, data) if event == "chunk" else from_json(Artifact, data)
                            )
                        case _:
                            continue
                if watch is not None:
                    watch(piece)
            raise SandboxUnavailable("sandbox.server_broke_off", server=self.server.url)

    def interrupt(self) -> None:
        """See `Session`."""
        self.call("POST", "interrupt")

    def reset(self) -> None:
        """See `Session`."""
        self.call("POST", "reset")

    def close(self) -> None:
        """See `Session`."""
        self._forget(self._id)
        with contextlib.suppress(NotFound, SandboxUnavailable):
            self.call("DELETE", "")

    def call(self, method: str, below: str, **options: Any) -> httpx.Response:
        """One request below this session."""
        with self._known():
            return self.server.call(method, self._path(below), caller=self._caller, **options)

    def stream(self, below: str) -> Iterator[bytes]:
        """The bytes of something below this session."""
        with self._known():
            yield from self.server.stream(self._path(below), caller=self._caller)

    def _path(self, below: str = "") -> str:
        return f"/api/v1/sandboxes/{self._id}" + (f"/{below}" if below else "")

    @contextlib.contextmanager
    def _known(self) -> Iterator[None]:
        try:
            yield
        except ServerGone as error:
            self._forget(self._id)
            raise NotFound("sandbox.on_lost_server", id=self._id, error=error) from error


@dataclass(frozen=True, slots=True)
class RemoteFiles:
    """Implements `Files` for a session on a server."""

    session: RemoteSession

    def put(self, path: str, data: Iterable[bytes]) -> FileEntry:
        """See `Files`."""
        headers = {"Content-Type": "application/octet-stream"}
        response = self.session.call("PUT", _file(path), content=iter(data), headers=headers)
        with self.session.server.understood():
            return from_json(FileEntry, response.content)

    def get(self, path: str) -> Iterator[bytes]:
        """See `Files`. Errors come before the first piece."""
        pieces = self.session.stream(_file(path))
        first = next(pieces, b"")
        return itertools.chain((first,), pieces)

    def list(self) -> list[FileEntry]:
        """See `Files`."""
        response = self.session.call("GET", "files")
        with self.session.server.understood():
            return from_page(FileEntry, response.content)

    def delete(self, path: str) -> None:
        """See `Files`."""
        self.session.call("DELETE", _file(path))


def _none_answers(problems: Sequence[Reason]) -> SandboxUnavailable:
    if not problems:
        return SandboxUnavailable("sandbox.no_server")
    return SandboxUnavailable("sandbox.none_answers", problems=problems)


def _file(path: str) -> str:
    """A file's route; what cannot be in one is refused as the server would."""
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names):
        raise errors.BadRequest("sandbox.path_leads_out")
    try:
        return "files/" + quote(path, safe="/")
    except UnicodeEncodeError as error:
        raise errors.BadRequest("sandbox.path_not_text") from error
