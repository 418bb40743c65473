"""An HTTP transport that calls an ASGI app in this process, streams included."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

R = TypeVar("R")
_Message = MutableMapping[str, Any]
_BUFFER = 256
STREAMS_END_S = 5


class InProcess(httpx.BaseTransport):
    """Runs the app's life on a loop in a thread of its own, from here to `close`. Safe for use from many threads."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="in-process-api", daemon=True)
        self._life: AbstractAsyncContextManager[Any] = app.router.lifespan_context(app)
        self._thread.start()
        try:
            self._do(self._life.__aenter__())
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """End the streams, then the app. A second call does nothing."""
        if not self._loop.is_closed():
            try:
                self._do(self._end_streams())
                self._do(self._life.__aexit__(None, None, None))
            finally:
                self._end()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Returns when the response has begun; its stream goes on as it is read. Closing it is a disconnect."""
        exchange = _Exchange(request, self._loop)
        running = asyncio.run_coroutine_threadsafe(exchange.run(self._app), self._loop)
        status, headers = exchange.head(running)
        return httpx.Response(status, headers=headers, stream=_Body(exchange, running))

    async def _end_streams(self) -> None:
        streams = self._app.state.context.streams
        streams.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(streams.ended(), STREAMS_END_S)

    def _end(self) -> None:
        self._do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Exchange:
    """One request and its response on their way between this thread and the loop."""

    def __init__(self, request: httpx.Request, loop: asyncio.AbstractEventLoop) -> None:
        self._request = request
        self._body = iter(request.stream)  # type: ignore[arg-type]  # a sync client's request has a sync stream
        self._sent = False
        self._left = asyncio.Event()
        self._loop = loop
        self._messages: queue.Queue[_Message | None] = queue.Queue()
        self._room = asyncio.Semaphore(_BUFFER)  # a slow reader holds the writer back

    async def run(self, app: FastAPI) -> None:
        url = self._request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "client": ("127.0.0.1", 0),
            "server": (url.host, url.port or 80),
        }
        try:
            await app(scope, self._receive, self._send)
        finally:
            self._messages.put(None)

    def head(self, running: "Future[None]") -> tuple[int, list[tuple[bytes, bytes]]]:
        message = self._messages.get()
        if message is None:
            running.result()
            raise httpx.RemoteProtocolError("the app ended without a response", request=self._request)
        return message["status"], list(message["headers"])

    def chunks(self, running: "Future[None]") -> Iterator[bytes]:
        while (message := self._messages.get()) is not None:
            self._tell(self._room.release)
            yield message.get("body", b"")
        if not self._left.is_set():
            running.result()

    def leave(self, running: "Future[None]") -> None:
        self._tell(self._left.set)
        while not running.done():  # what is still said is not read any more, but must not block
            self._tell(self._room.release)
            try:
                self._messages.get(timeout=0.05)
            except queue.Empty:
                continue

    def _tell(self, news: Callable[[], object]) -> None:
        """Nobody needs the news once the loop has ended; what was said before is still read."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(news)

    async def _receive(self) -> _Message:
        if not self._sent:
            data = await asyncio.to_thread(next, self._body, None)
            if data is not None:
                return {"type": "http.request", "body": data, "more_body": True}
            self._sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: _Message) -> None:
        if message["type"] == "http.response.body":
            await self._room.acquire()
        self._messages.put(message)


class _Body(httpx.SyncByteStream):
    def __init__(self, exchange: _Exchange, running: "Future[None]") -> None:
        self._exchange = exchange
        self._running = running

    def __iter__(self) -> Iterator[bytes]:
        return self._exchange.chunks(self._running)

    def close(self) -> None:
        self._exchange.leave(self._running)
