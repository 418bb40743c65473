"""Answers on their way: against a real server that streams, pauses, breaks off and notices who has left."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from patience import PATIENCE_S

from devops_chatbot.client.client import Client
from devops_chatbot.schemas.threads import NewMessage
from webui.chat.by_thread import ByThread
from webui.chat.live import Asked, LiveAnswer

ROUTE = ("route", {"scenario": "docs", "why": "because", "confidence": 0.9})
ANSWER = ("answer", {"text": "Hello world", "citations": [], "route": ROUTE[1], "model": "scripted"})


class StreamingApi:
    """The two routes that an answer needs; `script` is what the next question gets, a number is a pause."""

    def __init__(self) -> None:
        self.script: list[tuple[str, dict[str, object]] | float] = [ROUTE]
        self.left = threading.Event()
        self.stops = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                if self.path.endswith("/stop"):
                    api.stops.set()
                    self.send_header("Content-Type", "application/json")
                    self.end_headers()
                    self.wfile.write(b'{"stopped": true}')
                    return
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                try:
                    self._say()
                except OSError:
                    api.left.set()

            def _say(self) -> None:
                for step in api.script:
                    if isinstance(step, float):
                        if api.stops.wait(step):
                            step = (
                                "failure",
                                {"error": "Stopped", "reason": {"code": "stream.stopped"}, "status": 499},
                            )
                        else:
                            continue
                    name, data = step
                    self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
                    self.wfile.flush()
                    if name == "failure":
                        return

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def client(self) -> Client:
        return Client(self.url)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[StreamingApi]:
    api = StreamingApi()
    yield api
    api.close()


def asked(thread: str = "t1") -> Asked:
    return Asked(thread_id=thread, message=NewMessage(text="Why?"), before=0, text="Why?")


def until_ended(live: LiveAnswer) -> list[str]:
    """Every text that somebody who looks sees."""
    seen, version = [], -1
    while True:
        view = live.wait(version, 0.1)
        version = view.version
        seen.append(view.text)
        if view.ended:
            return seen


def test_what_is_said_is_seen_while_it_is_said(api: StreamingApi) -> None:
    api.script = [ROUTE, ("token", {"text": "Hello"}), 0.3, ("token", {"text": " world"}), 0.3, ANSWER]
    live = LiveAnswer(api.client, asked())
    seen = until_ended(live)
    assert "Hello" in seen
    assert seen[-1] == "Hello world"
    view = live.wait(-1, 0)
    assert view.answer is not None
    assert view.route is not None
    assert view.route.scenario == "docs"


def test_thoughts_grow_beside_the_answer_and_what_was_no_answer_becomes_one(api: StreamingApi) -> None:
    thoughts = [("thought", {"text": "Hm."}), ("token", {"text": "And so"}), 0.1, ("thought", {"recant": True}), 0.1]
    api.script = [ROUTE, *thoughts, ("token", {"text": "Hello"}), 0.3]
    live = LiveAnswer(api.client, asked())
    seen = until_ended(live)
    assert "And so" in seen
    assert seen[-1] == "Hello"
    assert live.wait(-1, 0).thought == "Hm.And so"


def test_stop_ends_the_work_on_the_server_at_once(api: StreamingApi) -> None:
    api.script = [ROUTE, ("token", {"text": "Hello"}), 3600.0, ANSWER]
    live = LiveAnswer(api.client, asked())
    while not live.wait(-1, 0.1).text:
        pass
    live.stop()
    view = live.wait(-1, 0)
    assert api.stops.is_set()
    assert view.stopped
    assert view.text == "Hello"


def test_nobody_looking_stops_the_work(api: StreamingApi) -> None:
    api.script = [ROUTE, 3600.0, ANSWER]
    live = LiveAnswer(api.client, asked(), unwatched_s=0.4)
    live.wait(-1, 0.1)
    assert api.stops.wait(PATIENCE_S)


def test_somebody_looking_keeps_the_work_going(api: StreamingApi) -> None:
    api.script = [ROUTE, 1.2, ANSWER]
    live = LiveAnswer(api.client, asked(), unwatched_s=0.4)
    assert until_ended(live)[-1] == "Hello world"
    assert not api.stops.is_set()


def test_a_stream_that_breaks_off_is_a_failure_and_keeps_what_was_said(api: StreamingApi) -> None:
    api.script = [ROUTE, ("token", {"text": "Hel"})]
    live = LiveAnswer(api.client, asked())
    assert until_ended(live)[-1] == "Hel"
    view = live.wait(-1, 0)
    assert view.failure is not None
    assert view.failure.error == "Unavailable"
    assert not view.stopped


def test_a_server_that_is_gone_is_a_failure_that_says_so() -> None:
    live = LiveAnswer(lambda: Client("http://127.0.0.1:9"), asked())
    until_ended(live)
    failure = live.wait(-1, 0).failure
    assert failure is not None
    assert "Nothing answers" in str(failure.reason)


def test_a_page_loaded_again_finds_the_answer_on_its_way(api: StreamingApi) -> None:
    api.script = [ROUTE, 1.0, ANSWER]
    answers: ByThread[LiveAnswer] = ByThread()
    first = answers.start("t1", lambda: LiveAnswer(api.client, asked()))
    assert answers.start("t1", lambda: LiveAnswer(api.client, asked())) is first
    assert answers.of("t1") is first
    answers.forget("t1")
    assert answers.of("t1") is first
    until_ended(first)
    answers.forget("t1")
    assert answers.of("t1") is None
