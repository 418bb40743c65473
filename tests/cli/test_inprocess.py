"""The transport that calls the app in this process behaves as a socket does."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx
import httpx_sse
import pytest
from fastapi import FastAPI, Request
from patience import PATIENCE_S

from devops_chatbot.api.sse import EventStream, Streams, encode
from devops_chatbot.chat import Token
from devops_chatbot.cli.inprocess import InProcess


class Server:
    """An app that remembers its life and whether its stream was closed."""

    def __init__(self) -> None:
        self.life: list[str] = []
        self.closed = threading.Event()
        self.app = FastAPI(lifespan=self._lifespan)
        self.streams = Streams()
        self.app.state.context = SimpleNamespace(streams=self.streams)
        self.app.add_api_route("/echo", self.echo, methods=["POST"])
        self.app.add_api_route("/endless", self.endless)
        self.app.add_api_route("/broken", self.broken)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self.life.append("start")
        yield
        self.life.append("end")

    async def echo(self, request: Request) -> dict[str, object]:
        body = await request.body()
        return {"size": len(body), "query": str(request.query_params), "path": request.url.path}

    async def endless(self) -> EventStream:
        return EventStream(self._endless(), streams=self.streams, name="endless")

    async def _endless(self) -> AsyncGenerator[bytes]:
        try:
            number = 0
            while True:
                yield encode(Token(text=str(number)))
                number += 1
                await asyncio.sleep(0)
        finally:
            self.closed.set()

    async def broken(self) -> None:
        raise ValueError("inside")


@pytest.fixture
def server() -> Server:
    return Server()


def test_a_request_and_its_response_pass(server: Server) -> None:
    with InProcess(server.app) as transport, httpx.Client(base_url="http://localhost", transport=transport) as client:
        files = [("files", (f"{number}.md", b"x" * 100_000)) for number in range(5)]
        answer = client.post("/echo?q=%E4%B8%AD", files=files).json()
        assert answer["size"] > 500_000
        assert answer["query"] == "q=%E4%B8%AD"
        assert server.life == ["start"]
    assert server.life == ["start", "end"]


def test_a_stream_is_read_while_it_is_written_and_closing_it_is_leaving(server: Server) -> None:
    with InProcess(server.app) as transport, httpx.Client(base_url="http://localhost", transport=transport) as client:
        with httpx_sse.connect_sse(client, "GET", "/endless") as source:
            events = source.iter_sse()
            assert [next(events).json()["text"] for _ in range(1000)] == [str(number) for number in range(1000)]
        assert server.closed.wait(PATIENCE_S)


def test_a_slow_reader_holds_the_writer_back(server: Server) -> None:
    with InProcess(server.app) as transport, httpx.Client(base_url="http://localhost", transport=transport) as client:
        with client.stream("GET", "/endless") as response:
            chunks = response.iter_raw()
            next(chunks)
            time.sleep(0.3)
            assert len(server.streams) == 1
        assert server.closed.wait(PATIENCE_S)


def test_the_end_of_the_process_ends_open_streams(server: Server) -> None:
    transport = InProcess(server.app)
    client = httpx.Client(base_url="http://localhost", transport=transport)
    response = client.send(client.build_request("GET", "/endless"), stream=True)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.extend(response.iter_raw()))
    reader.start()
    while not received:
        time.sleep(0.01)
    transport.close()
    reader.join(PATIENCE_S)
    assert not reader.is_alive()
    assert server.closed.is_set()
    assert b"server was stopped" in b"".join(received[-3:])
    assert server.life == ["start", "end"]


def test_an_error_of_the_app_is_raised(server: Server) -> None:
    with InProcess(server.app) as transport, httpx.Client(base_url="http://localhost", transport=transport) as client:
        with pytest.raises(ValueError, match="inside"):
            client.get("/broken")
        assert client.get("/missing").status_code == 404
