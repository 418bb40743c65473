"""The way to a server of ours and back: requests, uploads, streams of events, and its errors as they were there."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar, cast
from urllib.parse import quote, unquote

import httpx
from pydantic import BaseModel, ValidationError

from devops_chatbot.chat import Failure
from devops_chatbot.client.outgoing import FileOnDemand
from devops_chatbot.errors import BadRequest, ChatbotError, Problem, Unavailable, error_of
from devops_chatbot.i18n import Language, Reason
from devops_chatbot.schemas import NATIVE
from devops_chatbot.values import from_json, from_page

UPLOAD_TIMEOUT_S = 600

Upload = Path | tuple[str, Path | bytes | BinaryIO]
"""A file of this machine, or a name (a relative path) with the content."""

T = TypeVar("T")
Query = str | int | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file as the server keeps it."""

    name: str
    media_type: str
    data: bytes

    @classmethod
    def of(cls, response: httpx.Response, *, otherwise: str) -> "Download":
        """The file in a response; `otherwise` is its name when the response has none (RFC 6266)."""
        disposition = response.headers.get("content-disposition", "")
        encoded = disposition.partition("filename*=utf-8''")[2]
        name = unquote(encoded) or disposition.partition('filename="')[2].rpartition('"')[0] or otherwise
        kind = response.headers.get("content-type", "application/octet-stream")
        return cls(name=name, media_type=kind, data=response.content)


class Connection:
    """To one server. `http` is the connection itself, for clients of single routes that are written elsewhere.

    Everything raises the error of the server as the class that it was there, and `Unavailable` where none can be reached.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        language: Language = "en",
        timeout_s: float = 60,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises `BadRequest` for a URL that is none."""
        headers = {"Accept-Language": language} | ({"Authorization": f"Bearer {key}"} if key else {})
        self.url = url.rstrip("/")
        try:
            self.http = httpx.Client(
                base_url=self.url, headers=headers, timeout=timeout_s, transport=transport, trust_env=False
            )
        except httpx.InvalidURL as wrong:
            raise BadRequest("client.bad_address", url=self.url, error=wrong) from None

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        query: Mapping[str, Query] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        content = body.model_dump_json(exclude_unset=True) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else None
        with self.translated():
            response = self.http.request(method, NATIVE + path, content=content, headers=headers, params=given or None)
        return self.check(response)

    def send_files(self, path: str, files: Sequence[Upload]) -> httpx.Response:
        """A multipart upload. Raises `BadRequest` when there is nothing to send."""
        if not files:
            raise BadRequest("client.no_files")
        named = ((file.name, file) if isinstance(file, Path) else file for file in files)
        parts = [
            ("files", (name, cast(BinaryIO, FileOnDemand(content)) if isinstance(content, Path) else content))
            for name, content in named
        ]
        with self.translated():
            response = self.http.post(NATIVE + path, files=parts, timeout=UPLOAD_TIMEOUT_S)
        return self.check(response)

    def get(self, kind: type[T], path: str, **query: Query) -> T:
        return self.got(kind, self.send("GET", path, query=query))

    def rows(self, kind: type[T], path: str, **query: Query) -> list[T]:
        return from_page(kind, self.send("GET", path, query=query).content)

    @staticmethod
    def got(kind: type[T], response: httpx.Response) -> T:
        return from_json(kind, response.content)

    def events(
        self, method: str, path: str, kinds: Mapping[str, type[T]], *, body: BaseModel | None = None
    ) -> Generator[T]:
        """Every event of these kinds as its value, by their names. A `failure` that is none of them is raised, and what a newer
        server says beside is passed over.
        """
        with self._stream(method, path, body) as events:
            for name, data in events:
                if name in kinds:
                    yield from_json(kinds[name], data)
                elif name == "failure":
                    failure = from_json(Failure, data)
                    raise error_of(failure.error, failure.reason)

    @contextmanager
    def _stream(self, method: str, path: str, body: BaseModel | None) -> Iterator[Iterator[tuple[str, str]]]:
        import httpx_sse

        content = body.model_dump_json(exclude_unset=True) if body is not None else None
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        timeout = httpx.Timeout(self.http.timeout.connect, read=None)  # the server says when nothing more will come
        with (
            self.translated(),
            self.http.stream(method, NATIVE + path, content=content, headers=headers, timeout=timeout) as response,
        ):
            if not response.is_success:
                response.read()
                self.check(response)
            yield ((event.event, event.data) for event in httpx_sse.EventSource(response).iter_sse())

    @contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.UnsupportedProtocol:
            raise BadRequest("client.not_http", url=self.url) from None
        except httpx.ConnectError:
            raise Unavailable("client.no_server", url=self.url) from None
        except httpx.TimeoutException:
            raise Unavailable("client.too_slow", url=self.url) from None
        except httpx.TransportError as error:
            raise Unavailable("client.broke_off", url=self.url, error=error) from None

    @staticmethod
    def check(response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        try:
            problem = from_json(Problem, response.content)
        except ValidationError:  # not a server of ours
            status = f"{response.status_code} {response.reason_phrase}".strip()
            raise ChatbotError("client.strange_answer", url=response.request.url, status=status) from None
        said = {"code": problem.code, "params": problem.params, "text": problem.detail}
        raise error_of(problem.error, Reason.parse(said))


def quoted(part: str) -> str:
    return quote(part, safe="", errors="replace")
