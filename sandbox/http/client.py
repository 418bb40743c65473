"""One sandbox server over HTTP: its routes, and the translation of its errors into ours."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from devops_chatbot.errors import ChatbotError, SandboxUnavailable, error_of
from devops_chatbot.i18n import Reason
from devops_chatbot.values import from_json, from_page
from sandbox.http import CALLER_HEADER

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Also between two pieces of a stream, in which a server that lives says something every 15 seconds."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a sandbox server is, and the token that it knows us by."""

    url: str
    token: str = field(default="", repr=False)

    def connect(self) -> httpx.Client:
        """A client of this server."""
        return httpx.Client(
            base_url=self.url.rstrip("/"),
            headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
            timeout=TIMEOUT,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        )


class ServerGone(SandboxUnavailable):
    """It does not answer at all."""


class Server:
    """One server, and the translation of its errors into ours."""

    def __init__(self, http: httpx.Client) -> None:
        self.url = str(http.base_url).rstrip("/")
        self.http = http

    def one(self, kind: type[T], method: str, path: str, *, caller: str | None, **options: Any) -> T:
        """The one thing that a route gives."""
        response = self.call(method, path, caller=caller, **options)
        with self.understood():
            return from_json(kind, response.content)

    def many(self, kind: type[T], path: str, *, caller: str | None) -> list[T]:
        """The rows of a list."""
        response = self.call("GET", path, caller=caller)
        with self.understood():
            return from_page(kind, response.content)

    def call(self, method: str, path: str, *, caller: str | None, **options: Any) -> httpx.Response:
        """One request. Raises `ServerGone`, and the error that the server answers with."""
        headers = {**options.pop("headers", {}), **_caller(caller)}
        with self._translated():
            response = self.http.request(method, path, headers=headers, **options)
            _check(response)
            return response

    def stream(self, path: str, *, caller: str | None) -> Iterator[bytes]:
        """The bytes that a route gives."""
        with self._translated(), self.http.stream("GET", path, headers=_caller(caller)) as response:
            if not response.is_success:
                response.read()
            _check(response)
            yield from response.iter_bytes()

    def events(self, path: str, *, caller: str | None, json_body: object) -> Iterator[tuple[str, str]]:
        """The events of a route, each with its name and its data."""
        from httpx_sse import EventSource

        headers = {"Accept": "text/event-stream", **_caller(caller)}
        with self._translated(), self.http.stream("POST", path, headers=headers, json=json_body) as response:
            if not response.is_success:
                response.read()
            _check(response)
            for event in EventSource(response).iter_sse():
                yield event.event, event.data

    @contextlib.contextmanager
    def understood(self) -> Iterator[None]:
        """Around the reading of what it said. Raises `SandboxUnavailable` when that makes no sense."""
        try:
            yield
        except (ValueError, KeyError, TypeError) as error:
            raise SandboxUnavailable("sandbox.not_a_server", server=self.url) from error

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ServerGone("sandbox.server_gone", server=self.url, error=reason) from error


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        said = response.json()
        name, reason = str(said["error"]), Reason.parse({**said, "text": said["detail"]})
    except (ValueError, KeyError, TypeError):
        raise SandboxUnavailable("sandbox.strange_answer", server=response.url, status=response.status_code) from None
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise SandboxUnavailable("sandbox.wrong_token", server=response.url.host)
    raise error_of(name, reason, otherwise=SandboxUnavailable)


def failure(data: str) -> ChatbotError:
    """The error that the event `failure` stands for."""
    said = json.loads(data)
    return error_of(str(said["error"]), Reason.parse(said["reason"]), otherwise=SandboxUnavailable)


def _caller(caller: str | None) -> dict[str, str]:
    return {} if caller is None else {CALLER_HEADER: quote(caller, safe="")}
