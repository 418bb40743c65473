"""Time to the first event of a question, and 100 questions at once, on the running product with a scripted model.

The scripted model speaks the OpenAI protocol over loopback and says 60 words, one every 10 ms. References, measured in
the same minute: a bare round trip to the same server, its search alone, the model's stream asked without us, and the
least that can stand between: a FastAPI route that passes the model's bytes on.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx
import httpx_sse

from benchmarks.startup import COMMAND, free_port, wait_for
from benchmarks.table import Cell, percentile, report
from devops_chatbot.client.client import Client

AT_ONCE = 100
ONE_BY_ONE = 60
WORDS = 60
PAUSE_S = 0.01
QUESTION = "A pod is in CrashLoopBackOff. What should I check?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Milliseconds from the request to each moment of one stream; `end` names its last event."""

    first_event: float
    first_token: float
    whole: float
    end: str
    gaps: tuple[float, ...] = ()
    """Between one event with words and the next."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="ignored: this benchmark brings its own documents")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--model-server", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--proxy", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.model_server:
        _serve_model(arguments.model_server)
        return
    if arguments.proxy:
        _serve_proxy(*arguments.proxy)
        return
    with tempfile.TemporaryDirectory(prefix="streams-") as folder, _running(Path(folder)) as (url, model, proxy):
        asyncio.run(_measure(url, model, proxy, arguments.at_once))


async def _measure(url: str, model: str, proxy: str, at_once: int) -> None:
    limits = httpx.Limits(max_connections=at_once + 10)
    async with httpx.AsyncClient(timeout=300, limits=limits, trust_env=False) as http:
        threads = [
            (await http.post(f"{url}/api/v1/threads", json={})).json()["id"] for _ in range(ONE_BY_ONE + at_once)
        ]
        await _ask(http, url, threads[0])  # loads what the first question loads
        alone = [await _ask(http, url, thread) for thread in threads[1:ONE_BY_ONE]]
        trips = [await _timed(http.get(f"{url}/healthz")) for _ in range(ONE_BY_ONE)]
        body = {"query": QUESTION, "limit": 8}
        searches = [await _timed(http.post(f"{url}/api/v1/search", json=body)) for _ in range(ONE_BY_ONE)]
        models = [await _ask_model(http, model) for _ in range(ONE_BY_ONE)]
        begun = time.perf_counter()
        together = await asyncio.gather(*(_ask(http, url, thread) for thread in threads[ONE_BY_ONE:]))
        seconds = time.perf_counter() - begun
        direct = await asyncio.gather(*(_ask_model(http, model) for _ in range(at_once)))
        passed = await asyncio.gather(*(_ask_model(http, proxy) for _ in range(at_once)))
    beyond = statistics.median(one.first_token for one in alone)
    beyond -= statistics.median(searches) + statistics.median(one.first_token for one in models)
    rows: list[dict[str, Cell]] = [
        _row("question to first event", [one.first_event for one in alone], trips, "a bare round trip"),
        _row("question to first token", [one.first_token for one in alone], searches, "the search alone"),
        _row("question to the whole answer", [one.whole for one in alone], [one.whole for one in models], "the model"),
        _row(f"{at_once} at once: first event", [one.first_event for one in together], trips, "a bare round trip"),
        _row(
            f"{at_once} at once: whole answer",
            [one.whole for one in together],
            [one.whole for one in direct],
            f"the model, {at_once} at once",
        ),
        _row(
            f"{at_once} at once: a bare FastAPI proxy",
            [one.whole for one in passed],
            [one.whole for one in direct],
            f"the model, {at_once} at once",
        ),
        _row(
            f"{at_once} at once: between tokens",
            [gap for one in together for gap in one.gaps],
            [gap for one in passed for gap in one.gaps],
            "a bare FastAPI proxy",
        ),
    ]
    report("streams", "Streams over HTTP, milliseconds", rows, command="python -m benchmarks.streams")
    errors = sum(one.end != "answer" for one in (*alone, *together))
    print(f"first token beyond search and model: {beyond:.0f} ms (goal ≤ 30)")
    print(f"{at_once} streams at once: {errors} errors (goal 0), {at_once / seconds:.0f} answers a second")
    if errors:
        raise SystemExit(1)


def _row(what: str, ours: list[float], reference: list[float], name: str) -> dict[str, Cell]:
    return {
        "what": what,
        "p50": percentile(ours, 0.5),
        "p99": percentile(ours, 0.99),
        "reference": name,
        "its p50": percentile(reference, 0.5),
        "its p99": percentile(reference, 0.99),
    }


async def _ask(http: httpx.AsyncClient, url: str, thread: str) -> Asked:
    begun = time.perf_counter()
    first_event = 0.0
    tokens: list[float] = []
    end = "nothing"
    async with httpx_sse.aconnect_sse(
        http, "POST", f"{url}/api/v1/threads/{thread}/messages", json={"text": QUESTION}
    ) as it:
        async for event in it.aiter_sse():
            now = (time.perf_counter() - begun) * 1000
            first_event = first_event or now
            if event.event == "token":
                tokens.append(now)
            end = event.event
    return Asked(
        first_event=first_event,
        first_token=tokens[0] if tokens else 0.0,
        whole=(time.perf_counter() - begun) * 1000,
        end=end,
        gaps=_gaps(tokens),
    )


async def _ask_model(http: httpx.AsyncClient, model: str) -> Asked:
    begun = time.perf_counter()
    tokens: list[float] = []
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    async with httpx_sse.aconnect_sse(http, "POST", f"{model}/chat/completions", json=body) as it:
        async for event in it.aiter_sse():
            if "content" not in event.data:
                continue
            tokens.append((time.perf_counter() - begun) * 1000)
    whole = (time.perf_counter() - begun) * 1000
    return Asked(first_event=tokens[0], first_token=tokens[0], whole=whole, end="answer", gaps=_gaps(tokens))


def _gaps(moments: list[float]) -> tuple[float, ...]:
    return tuple(later - earlier for earlier, later in pairwise(moments))


async def _timed(request: Coroutine[None, None, httpx.Response]) -> float:
    begun = time.perf_counter()
    (await request).raise_for_status()
    return (time.perf_counter() - begun) * 1000


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The addresses of the product, with the sample knowledge base built, of the model, and of the proxy before the model."""
    model_port, proxy_port, port = free_port(), free_port(), free_port()
    model, proxy = f"http://127.0.0.1:{model_port}/v1", f"http://127.0.0.1:{proxy_port}/v1"
    here = (sys.executable, "-m", "benchmarks.streams")
    settings = folder / "chatbot.toml"
    settings.write_text(
        f'data_dir = "{folder / "data"}"\n[server]\nport = {port}\n[models.scripted]\nprovider = "openai-compatible"\n'
        f'model = "m"\nbase_url = "{model}"\napi_key = "none"\n[roles]\nanswer = ["scripted"]\n'
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHATBOT_")}
    environment["CHATBOT_CONFIG"] = str(settings)
    processes = [
        subprocess.Popen([*here, "--model-server", str(model_port)]),
        subprocess.Popen([*here, "--proxy", str(proxy_port), str(model_port)]),
        subprocess.Popen([*COMMAND, "serve", "--no-ui"], env=environment, stdout=subprocess.DEVNULL),
    ]
    url = f"http://127.0.0.1:{port}"
    try:
        healthz = (f"http://127.0.0.1:{model_port}/healthz", f"http://127.0.0.1:{proxy_port}/healthz")
        wait_for(f"{url}/readyz", *healthz)
        with Client(url) as client:
            list(client.run_events(client.build_samples().id))
        yield url, model, proxy
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(60)


def _serve_model(port: int) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response, StreamingResponse
    from starlette.routing import Route

    async def complete(_: Request) -> Response:
        return StreamingResponse(_said(), media_type="text/event-stream")

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok")

    routes = [Route("/v1/chat/completions", complete, methods=["POST"]), Route("/healthz", alive)]
    uvicorn.run(Starlette(routes=routes), port=port, log_level="warning")


def _serve_proxy(port: int, model_port: int) -> None:
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import StreamingResponse

    app = FastAPI()
    model = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{model_port}",
        timeout=300,
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    )

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> StreamingResponse:
        body = await request.body()

        async def passed() -> AsyncIterator[bytes]:
            async with model.stream("POST", "/v1/chat/completions", content=body) as answer:
                async for piece in answer.aiter_raw():
                    yield piece

        return StreamingResponse(passed(), media_type="text/event-stream")

    @app.get("/healthz")
    async def alive() -> str:
        return "ok"

    uvicorn.run(app, port=port, log_level="warning")


async def _said() -> AsyncIterator[str]:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    for number in range(WORDS):
        word = "Check the logs [1]. " if number == 0 else f"word{number} "
        choice = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
        yield f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n"
        await asyncio.sleep(PAUSE_S)
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield f"data: {json.dumps({**chunk, 'choices': [end]})}\n\ndata: [DONE]\n\n"


if __name__ == "__main__":
    main()
