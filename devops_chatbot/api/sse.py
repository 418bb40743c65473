"""Event streams (SSE): the work behind one ends when the reader leaves, when somebody stops it, or with the server."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from devops_chatbot.api.problems import named, status_of
from devops_chatbot.chat import EVENTS, STOPPED, Event, Failure
from devops_chatbot.errors import ChatbotError, Unavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.values import to_json

KEEP_ALIVE_S = 15
MOST_WAITING = 64 * 1024
"""Bytes of events that may wait for a slow reader before the work behind them waits too."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
CLIENT_CLOSED = 499
UNAVAILABLE = 503
_ENDING = Failure(error=Unavailable.__name__, reason=Reason("server.stopped"), status=UNAVAILABLE)
_NAMES = {kind: name for name, kind in EVENTS.items()}

log = logging.getLogger("devops_chatbot.api")


class Streams:
    """The open streams of one server, by what they work on."""

    def __init__(self) -> None:
        self._open: defaultdict[str, set[EventStream]] = defaultdict(set)
        self._closing = False
        self._none_open = asyncio.Event()
        self._none_open.set()

    def __len__(self) -> int:
        return sum(len(streams) for streams in self._open.values())

    def stop(self, name: str) -> bool:
        """Stop the work under this name; its readers get a last event. False when there was none."""
        streams = tuple(self._open.get(name, ()))
        for stream in streams:
            stream.stop(Failure(error=STOPPED, reason=Reason("stream.stopped"), status=CLIENT_CLOSED))
        return bool(streams)

    def close(self) -> None:
        """Stop everything, now and from now on: the server ends."""
        self._closing = True
        for streams in tuple(self._open.values()):
            for stream in tuple(streams):
                stream.stop(_ENDING)

    async def ended(self) -> None:
        """Returns once no stream is open."""
        await self._none_open.wait()

    def add(self, stream: "EventStream") -> None:
        self._none_open.clear()
        self._open[stream.name].add(stream)
        if self._closing:
            stream.stop(_ENDING)

    def discard(self, stream: "EventStream") -> None:
        self._open[stream.name].discard(stream)
        if not self._open[stream.name]:
            del self._open[stream.name]
        if not self._open:
            self._none_open.set()


class EventStream(StreamingResponse):
    """Sends encoded events as they come; whatever ends it, the iterator is closed before the response ends.

    An error is the last event, a `failure`, and never a broken connection.
    """

    def __init__(self, events: AsyncIterator[bytes], *, streams: Streams, name: str, status_code: int = 200) -> None:
        super().__init__(events, status_code, media_type="text/event-stream", headers=HEADERS)
        self.name = name
        self._events = events
        self._streams = streams
        self._work: asyncio.Task[None] | None = None
        self._last_word: Failure | None = None
        self._over = False

    def stop(self, last_word: Failure) -> None:
        """End the work; `last_word` is the last event."""
        self._last_word = last_word
        if self._work is not None:
            self._work.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 ASGI's own signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        work = self._work = asyncio.create_task(self._send_all(send))
        beside = (asyncio.create_task(_left(receive)), asyncio.create_task(_keep_alive(send)))
        self._streams.add(self)
        try:
            await asyncio.wait({work, *beside}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._over = True
            for task in (work, *beside):
                task.cancel()
            await asyncio.shield(asyncio.gather(work, *beside, return_exceptions=True))
            self._streams.discard(self)

    async def _send_all(self, send: Send) -> None:
        try:
            whole = await self._send_events(send)
        except asyncio.CancelledError:
            if self._last_word is None:
                raise
            whole = False
        if self._last_word is not None and not whole:
            await send(_chunk(encode(self._last_word)))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> bool:
        """True when all was sent. What comes while the last piece is still being sent goes with the next one, so that a busy
        server writes seldom.

        A cancellation may get lost inside a library (`asyncio.wait_for` of Python 3.11 drops one that comes together
        with the result), so the way on is closed to events that come after it as well.
        """
        waiting: list[bytes] = []
        sending: asyncio.Task[None] | None = None

        async def send_waiting() -> None:
            while waiting:
                data = b"".join(waiting)
                waiting.clear()
                await send(_chunk(data))

        try:
            async with aclosing(_generator(self._events)) as events:
                async for event in events:
                    if self._over or self._last_word is not None:
                        return False
                    waiting.append(event)
                    if sending is None or sending.done():
                        sending = asyncio.create_task(send_waiting())
                    elif sum(map(len, waiting)) > MOST_WAITING:
                        await sending
        except Exception as error:
            if not isinstance(error, ChatbotError):
                log.exception("the stream of %s broke off", self.name)
            waiting.append(encode(failure(error)))
        finally:
            if sending is not None:
                if self._over:
                    sending.cancel()
                else:
                    await sending
        await send_waiting()
        return True


def failure(error: Exception) -> Failure:
    """An error as the last event of a stream."""
    ours = named(error)
    return Failure(error=type(ours).__name__, reason=ours.reason, status=status_of(error))


def encode(event: Event) -> bytes:
    """An event of a question as it goes over the wire."""
    return frame(_NAMES[type(event)], to_json(event))


def frame(name: str, data: bytes) -> bytes:
    """One server-sent event; `data` is JSON and so has no line break."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


async def _generator(events: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Closing this closes `events` too, when it can be closed."""
    try:
        async for event in events:
            yield event
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


async def _left(receive: Receive) -> None:
    """Returns when the reader has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _keep_alive(send: Send) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_S)
        await send(_chunk(b": still here\n\n"))


def _chunk(data: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": True}
