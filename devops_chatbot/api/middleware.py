"""What every request passes first: its id, its language, the Host and Origin check, the key, the size of its body, the count."""

import hmac
import ipaddress
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from devops_chatbot.api.loopback import is_loopback
from devops_chatbot.api.metrics import Metrics
from devops_chatbot.api.problems import problem, unauthorised
from devops_chatbot.errors import NotAllowed, TooLarge
from devops_chatbot.i18n import accepted_language, current_language
from devops_chatbot.schemas import NATIVE

OPEN_PATHS = frozenset({"/", "/healthz", "/docs", "/openapi.json"})
OPEN_PREFIX = "/swagger/"
NAMES_BELOW = f"{NATIVE}/knowledge-bases/"
KEPT_SLASH = "\x1f"
"""Stands in a path for a `%2F` of a name, which is no border of segments."""
MAX_BODY_BYTES = 2 * 1024 * 1024

log = logging.getLogger("devops_chatbot.api")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who may come in: with which key (None: no key is asked for) and under which host names."""

    key: str | None
    hosts: frozenset[str]

    def knows(self, host: str) -> bool:
        """Whether the value of a Host header, with or without port, names this server.

        A foreign name that resolves to this machine is how a web page reaches a server behind a browser's back.
        """
        name = _name(host)
        return name in self.hosts or is_loopback(name)

    def admits(self, headers: Headers) -> bool:
        if self.key is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.key.encode())


def entry(*, host: str, allowed_hosts: Sequence[str], key: str | None) -> Entry:
    """The entry for a server that listens on `host`."""
    names = {_name(name) for name in (host, *allowed_hosts) if not _any_address(name)}
    return Entry(key=key, hosts=frozenset(names))


class Door:
    """ASGI middleware. Refusals are problem details; nothing behind the door sees a refused request."""

    def __init__(self, app: ASGIApp, *, entry: Entry, metrics: Metrics) -> None:
        self._app = app
        self._entry = entry
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope["request_id"] = request_id
        current_language.set(accepted_language(Headers(scope=scope).get("accept-language", "")))
        _keep_slashes(scope)
        begun = time.perf_counter()
        status = 0

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._pass(scope, receive, send_counted)
        except Exception as error:
            if status:  # too late to say anything: the response has begun
                raise
            log.exception("request %s (%s %s) failed", request_id, scope["method"], scope["path"])
            await problem(Request(scope), error)(scope, receive, send_counted)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            self._metrics.request(scope["method"], route, status, time.perf_counter() - begun)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, request, path = Headers(scope=scope), Request(scope), scope["path"]
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._entry.knows(host):
            refusal = problem(request, NotAllowed("request.unknown_host", host=host))
        elif origin is not None and not self._entry.knows(urlsplit(origin).netloc):
            refusal = problem(request, NotAllowed("request.foreign_page", origin=origin))
        elif not (path in OPEN_PATHS or path.startswith(OPEN_PREFIX) or self._entry.admits(headers)):
            refusal = unauthorised(request)
        else:
            await self._app(scope, _bounded(receive, headers), send)
            return
        await refusal(scope, receive, send)


def _keep_slashes(scope: Scope) -> None:
    """Keeps a `%2F` in the name of a knowledge base, such as `CI%2FCD`, from becoming a border of segments."""
    raw = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1")
    if not raw.startswith(NAMES_BELOW):
        return
    name, slash, rest = raw.removeprefix(NAMES_BELOW).partition("/")
    if "%2f" in name.lower():
        scope["path"] = NAMES_BELOW + unquote(name).replace("/", KEPT_SLASH) + slash + unquote(rest)


def _bounded(receive: Receive, headers: Headers) -> Receive:
    """Bounds a body that is held in memory; an upload bounds itself while it is written to disk."""
    if headers.get("content-type", "").startswith(("multipart/form-data", "application/octet-stream")):
        return receive
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise TooLarge("request.body_too_large", most_mb=MAX_BODY_BYTES >> 20)
        return message

    return bounded


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _any_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
