"""The sandbox on servers elsewhere: the same words over HTTP, and several servers that share the load."""

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from devops_chatbot import errors
from devops_chatbot.errors import ChatbotError, NotFound, SandboxUnavailable
from sandbox.model import (
    DEFAULT_LANGUAGE,
    AttackResult,
    Chunk,
    Execution,
    FileEntry,
    Limits,
    Readiness,
    SessionInfo,
    Watch,
)
from sandbox.wire import (
    CALLER_HEADER,
    ArtifactBody,
    ChunkBody,
    ExecutionBody,
    FileBody,
    ReadinessBody,
    ResultBody,
    SessionBody,
)

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
RUN_TIMEOUT = httpx.Timeout(None, connect=5.0)
M = TypeVar("M", bound=BaseModel)
_Rooms: TypeAlias = "tuple[list[tuple[_Server, ReadinessBody]], list[str]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a sandbox server is, and the token that it knows us by."""

    url: str
    token: str = field(default="", repr=False)


class RemoteSandbox:
    """Implements `Sandbox` on one or more sandbox servers.

    A session goes to the server with the most room. A server that does not answer is passed over; the sessions that it
    had are `NotFound` with that reason once they are used, and nothing else is touched.
    """

    def __init__(self, servers: Sequence[ServerAddress] = (), *, http: httpx.Client | None = None) -> None:
        """On these servers, or on the one that `http` is connected to, which stays its owner's to close."""
        self._servers = [_Server(_connected(address)) for address in servers]
        self._own = [server.http for server in self._servers]
        if http is not None:
            self._servers.append(_Server(http))
        self._homes: dict[str, _Server] = {}
        self._turn = itertools.count()
        self._lock = threading.Lock()

    def ready(self) -> Readiness:
        """See `Sandbox`; the numbers are those of all servers together."""
        found, problems = self._rooms()
        if not found:
            raise SandboxUnavailable("; ".join(problems) or "No sandbox server is named in sandbox.servers.")
        first = found[0][1]
        return Readiness(
            engine=", ".join([*(server.url for server, _ in found), *(f"not there: {each}" for each in problems)]),
            image=first.image,
            digest=first.digest,
            version=first.version,
            runtime=first.runtime,
            languages=tuple(sorted(set.intersection(*(set(each.languages) for _, each in found)))),
            sessions=sum(each.sessions for _, each in found),
            warm=sum(each.warm for _, each in found),
            capacity=sum(each.capacity for _, each in found),
        )

    def open(
        self, limits: Limits | None = None, *, language: str = DEFAULT_LANGUAGE, caller: str = "local"
    ) -> "RemoteSession":
        """See `Sandbox`."""
        body: dict[str, Any] = {"language": language}
        if limits is not None:
            values = {name: getattr(limits, name) for name in Limits.__dataclass_fields__ if name != "network"}
            if not all(isinstance(value, int | float) and abs(value) < float("inf") for value in values.values()):
                raise errors.BadRequest("A limit has to be a number.")
            body |= {"limits": values, "network": list(limits.network)}
        order, problems = self._by_room()
        for server in order:
            try:
                session = server.one(SessionBody, "POST", "/v1/sandboxes", caller=caller, json=body)
            except SandboxUnavailable as error:
                problems = [*problems, str(error)]
                continue
            with self._lock:
                self._homes[session.id] = server
            return RemoteSession(server, session.id, caller, self._forget)
        raise SandboxUnavailable("; ".join(problems) or "No sandbox server is named in sandbox.servers.")

    def get(self, session_id: str, *, caller: str | None = None) -> "RemoteSession":
        """See `Sandbox`."""
        missing = NotFound(f"There is no sandbox session {session_id!r}: it was closed, it expired, or it never was.")
        for server in [home] if (home := self._homes.get(session_id)) else self._servers:
            try:
                info = server.one(SessionBody, "GET", f"/v1/sandboxes/{quote(session_id, safe='')}", caller=caller)
            except SandboxUnavailable as error:
                missing = NotFound(f"The sandbox session {session_id!r} was on a server that is gone: {error}")
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
                infos += [
                    row.value(engine=server.url) for row in server.many(SessionBody, "/v1/sandboxes", caller=caller)
                ]
        return sorted(infos, key=lambda info: info.created_at)

    def selftest(self, say: Callable[[AttackResult], None] = lambda _: None) -> Sequence[AttackResult]:
        """See `Sandbox`; on every server, one after the other."""
        results: Sequence[AttackResult] = ()
        for server in self._servers:
            for event, data in server.events("/v1/sandboxes/selftest", caller=None, json_body=None):
                if event == "failure":
                    said = json.loads(data)
                    raise _error(str(said.get("error")), str(said.get("detail")))
                result = AttackResult(**ResultBody.model_validate_json(data).model_dump())
                say(result)
                results = (*results, result)
        return results

    def close(self) -> None:
        """Close the sessions that were opened from here, and the connections."""
        for session_id, server in tuple(self._homes.items()):
            with contextlib.suppress(ChatbotError):
                server.call("DELETE", f"/v1/sandboxes/{session_id}", caller=None)
        for connected in self._own:
            connected.close()

    def _by_room(self) -> "tuple[Sequence[_Server], Sequence[str]]":
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
                found.append((server, server.one(ReadinessBody, "GET", "/v1/sandboxes/readiness", caller=None)))
            except SandboxUnavailable as error:
                problems.append(str(error))
        return found, problems

    def _forget(self, session_id: str) -> None:
        with self._lock:
            self._homes.pop(session_id, None)


class RemoteSession:
    """Implements `Session` for a session on a server."""

    def __init__(self, server: "_Server", session_id: str, caller: str, forget: Callable[[str], None]) -> None:
        self._server = server
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
            return self._server.one(SessionBody, "GET", self._path(), caller=self._caller).value(
                engine=self._server.url
            )

    def run(
        self, code: str, *, language: str | None = None, timeout_s: float | None = None, watch: Watch | None = None
    ) -> Execution:
        """See `Session`."""
        try:
            code.encode()
        except UnicodeEncodeError as error:
            raise errors.BadRequest("The code holds half a character (a lone surrogate).") from error
        body = {"code": code, "language": language, "timeout_s": timeout_s}
        with self._known():
            for event, data in self._server.events(self._path("runs"), caller=self._caller, json_body=body):
                if event == "execution":
                    return ExecutionBody.model_validate_json(data).value()
                if event == "failure":
                    said = json.loads(data)
                    raise _error(str(said.get("error")), str(said.get("detail")))
                if watch is not None and event == "chunk":
                    chunk = ChunkBody.model_validate_json(data)
                    watch(Chunk(stream=chunk.stream, text=chunk.text))
                elif watch is not None and event == "artifact":
                    watch(ArtifactBody.model_validate_json(data).value())
            raise SandboxUnavailable(f"The sandbox server {self._server.url} broke off in the middle of a run.")

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
            return self._server.call(method, self._path(below), caller=self._caller, **options)

    def stream(self, below: str) -> Iterator[bytes]:
        """The bytes of something below this session."""
        with self._known():
            yield from self._server.stream(self._path(below), caller=self._caller)

    def rows(self, below: str) -> list[FileBody]:
        """The files below this session."""
        with self._known():
            return self._server.many(FileBody, self._path(below), caller=self._caller)

    def _path(self, below: str = "") -> str:
        return f"/v1/sandboxes/{self._id}" + (f"/{below}" if below else "")

    @contextlib.contextmanager
    def _known(self) -> Iterator[None]:
        try:
            yield
        except _ServerGone as error:
            self._forget(self._id)
            raise NotFound(f"The sandbox session {self._id!r} was on a server that is gone: {error}") from error


@dataclass(frozen=True, slots=True)
class RemoteFiles:
    """Implements `Files` for a session on a server."""

    session: RemoteSession

    def put(self, path: str, data: Iterable[bytes]) -> FileEntry:
        """See `Files`."""
        response = self.session.call(
            "PUT", _file(path), content=iter(data), headers={"Content-Type": "application/octet-stream"}
        )
        return FileBody.model_validate_json(response.content).value()

    def get(self, path: str) -> Iterator[bytes]:
        """See `Files`. Errors come before the first piece."""
        pieces = self.session.stream(_file(path))
        first = next(pieces, b"")
        return itertools.chain((first,), pieces)

    def list(self) -> list[FileEntry]:
        """See `Files`."""
        return [row.value() for row in self.session.rows("files")]

    def delete(self, path: str) -> None:
        """See `Files`."""
        self.session.call("DELETE", _file(path))


class _ServerGone(SandboxUnavailable):
    """It does not answer at all."""


class _Server:
    """One server, and the translation of its errors into ours."""

    def __init__(self, http: httpx.Client) -> None:
        self.url = str(http.base_url).rstrip("/")
        self.http = http

    def one(self, kind: type[M], method: str, path: str, *, caller: str | None, **options: Any) -> M:
        return self._parsed(kind, self.call(method, path, caller=caller, **options).content)

    def many(self, kind: type[M], path: str, *, caller: str | None) -> list[M]:
        items = self.call("GET", path, caller=caller).json()["items"]
        return [kind.model_validate(item) for item in items]

    def call(self, method: str, path: str, *, caller: str | None, **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {}), **_caller(caller)}
        with self._translated():
            response = self.http.request(method, path, headers=headers, **options)
            _check(response)
            return response

    def stream(self, path: str, *, caller: str | None) -> Iterator[bytes]:
        with self._translated(), self.http.stream("GET", path, headers=_caller(caller)) as response:
            if not response.is_success:
                response.read()
            _check(response)
            yield from response.iter_bytes()

    def events(self, path: str, *, caller: str | None, json_body: object) -> Iterator[tuple[str, str]]:
        from httpx_sse import EventSource

        headers = {"Accept": "text/event-stream", **_caller(caller)}
        with (
            self._translated(),
            self.http.stream("POST", path, headers=headers, json=json_body, timeout=RUN_TIMEOUT) as response,
        ):
            if not response.is_success:
                response.read()
            _check(response)
            for event in EventSource(response).iter_sse():
                yield event.event, event.data

    def _parsed(self, kind: type[M], data: bytes) -> M:
        try:
            return kind.model_validate_json(data)
        except ValidationError as error:
            raise SandboxUnavailable(f"{self.url} does not speak as a sandbox server does.") from error

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise _ServerGone(f"The sandbox server {self.url} does not answer ({reason}).") from error


def _connected(address: ServerAddress) -> httpx.Client:
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx.Client(
        base_url=address.url.rstrip("/"), headers=headers, timeout=TIMEOUT, trust_env=False, limits=limits
    )


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        said = response.json()
        name, detail = str(said["error"]), str(said["detail"])
    except (ValueError, KeyError, TypeError):
        raise SandboxUnavailable(f"{response.url} answered {response.status_code}.") from None
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise SandboxUnavailable(
            f"The sandbox server at {response.url.host} does not know our token (sandbox.servers)."
        )
    raise _error(name, detail)


def _error(name: str, detail: str) -> ChatbotError:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, ChatbotError):
        return kind(detail)
    return SandboxUnavailable(detail)


def _caller(caller: str | None) -> dict[str, str]:
    return {} if caller is None else {CALLER_HEADER: quote(caller, safe="")}


def _file(path: str) -> str:
    """A file's route; what cannot be in one is refused as the server would."""
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names):
        raise errors.BadRequest("A path is relative to the session's folder, without empty parts, '.' and '..'.")
    try:
        return "files/" + quote(path, safe="/")
    except UnicodeEncodeError as error:
        raise errors.BadRequest("A path has to be text.") from error
