"""Event streams over a real socket: leaving stops the work, an error is the last event, the end is always said."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import httpx
import httpx_sse
from fastapi import FastAPI
from patience import PATIENCE_S, wait_until

from devops_chatbot.api.sse import EventStream, Streams, encode
from devops_chatbot.chat import Token
from devops_chatbot.errors import ModelUnavailable


@dataclass
class Work:
    """A scripted answer that remembers whether it was closed, and that its clean-up could still wait for something."""

    pieces: int = 1_000_000
    pause_s: float = 0.01
    error: Exception | None = None
    said: int = 0
    deaf: bool = False
    closed: threading.Event = field(default_factory=threading.Event)

    async def events(self) -> AsyncGenerator[bytes]:
        try:
            for number in range(self.pieces):
                yield encode(Token(text=f"{number} "))
                self.said += 1
                try:
                    await asyncio.sleep(self.pause_s)
                except asyncio.CancelledError:
                    if not self.deaf:
                        raise
            if self.error:
                raise self.error
        finally:
            await asyncio.sleep(0.01)  # such as saving what was said
            self.closed.set()


def app_of(work: Work) -> tuple[FastAPI, Streams]:
    app, streams = FastAPI(), Streams()

    @app.post("/ask")
    async def ask() -> EventStream:
        return EventStream(work.events(), streams=streams, name="thread")

    @app.post("/stop")
    async def stop() -> bool:
        return streams.stop("thread")

    return app, streams


def test_a_stream_ends_after_its_last_event(serve) -> None:
    work = Work(pieces=3, pause_s=0)
    app, streams = app_of(work)
    with serve(app) as url, httpx.Client() as client, httpx_sse.connect_sse(client, "POST", f"{url}/ask") as source:
        assert [event.json()["text"] for event in source.iter_sse()] == ["0 ", "1 ", "2 "]
        assert work.closed.is_set()
        wait_until(lambda: len(streams) == 0)


def test_leaving_stops_the_work_and_lets_it_clean_up(serve) -> None:
    work = Work()
    app, streams = app_of(work)
    with serve(app) as url, httpx.Client() as client:
        with httpx_sse.connect_sse(client, "POST", f"{url}/ask") as source:
            next(source.iter_sse())
        assert work.closed.wait(PATIENCE_S)
        said = work.said
        time.sleep(0.1)
        assert work.said == said
        wait_until(lambda: len(streams) == 0)


def test_work_that_loses_its_cancellation_is_stopped_at_its_next_event(serve) -> None:
    for leave in (True, False):
        work = Work(deaf=True)
        app, streams = app_of(work)
        with serve(app) as url, httpx.Client() as client:
            with httpx_sse.connect_sse(client, "POST", f"{url}/ask") as source:
                events = source.iter_sse()
                next(events)
                if not leave:
                    assert httpx.post(f"{url}/stop").json() is True
                    assert list(events)[-1].json()["error"] == "Stopped"
            assert work.closed.wait(PATIENCE_S)
            wait_until(lambda streams=streams: len(streams) == 0)


def test_leaving_a_silent_stream_stops_the_work_too(serve) -> None:
    work = Work(pause_s=3600)
    app, _ = app_of(work)
    with serve(app) as url, httpx.Client() as client:
        with httpx_sse.connect_sse(client, "POST", f"{url}/ask") as source:
            next(source.iter_sse())
        assert work.closed.wait(PATIENCE_S)


def test_stopping_from_elsewhere_ends_the_stream_with_a_failure(serve) -> None:
    work = Work(pause_s=3600)
    app, _ = app_of(work)
    with serve(app) as url, httpx.Client() as client, httpx_sse.connect_sse(client, "POST", f"{url}/ask") as source:
        events = source.iter_sse()
        next(events)
        assert httpx.post(f"{url}/stop").json() is True
        last = list(events)[-1]
        assert last.event == "failure"
        assert last.json()["error"] == "Stopped"
        assert work.closed.is_set()
        wait_until(lambda: httpx.post(f"{url}/stop").json() is False)


def test_an_error_is_the_last_event(serve) -> None:
    work = Work(pieces=1, pause_s=0, error=ModelUnavailable("model.over_limit", name="m", said="", through=""))
    app, _ = app_of(work)
    with serve(app) as url, httpx.Client() as client, httpx_sse.connect_sse(client, "POST", f"{url}/ask") as source:
        last = list(source.iter_sse())[-1]
    assert last.event == "failure"
    assert last.json() == {
        "error": "ModelUnavailable",
        "reason": {
            "code": "model.over_limit",
            "params": {"name": "m", "said": "", "through": ""},
            "text": "The model 'm' is over its rate limit or quota (status 429). Try again in a moment.",
        },
        "status": 503,
        "message_id": None,
    }


def test_an_unforeseen_error_does_not_show_its_inside(serve) -> None:
    work = Work(pieces=1, pause_s=0, error=ValueError("secret-of-the-inside"))
    app, _ = app_of(work)
    with serve(app) as url:
        body = httpx.post(f"{url}/ask").text
    assert "event: failure" in body
    assert "secret-of-the-inside" not in body


def test_closing_the_server_ends_its_streams() -> None:
    async def scenario() -> list[bytes]:
        work, streams = Work(pause_s=3600), Streams()
        stream = EventStream(work.events(), streams=streams, name="thread")
        sent: list[bytes] = []

        async def send(message) -> None:
            sent.append(message.get("body", b""))

        async def receive():
            await asyncio.Event().wait()

        running = asyncio.create_task(stream({"type": "http"}, receive, send))
        await asyncio.sleep(0.05)
        streams.close()
        await asyncio.wait_for(running, PATIENCE_S)
        assert work.closed.is_set()
        return sent

    sent = asyncio.run(scenario())
    assert b'"error":"Unavailable"' in sent[-2]
    assert sent[-1] == b""


def test_text_of_any_kind_stays_one_event() -> None:
    text = "line one\nline two\r\n\ndata: [1] 中文 \u2028"
    encoded = encode(Token(text=text))
    assert encoded.count(b"\n\n") == 1
    assert encoded.endswith(b"\n\n")
    assert [line.split(b":")[0] for line in encoded.strip().splitlines()] == [b"event", b"data"]
