"""Time to the first event of a question, and 100 questions at once, on the running product with a scripted model.

The scripted model speaks the OpenAI protocol over loopback and says 60 words, one every 10 ms. References, measured in
the same minute: a bare round trip to the same server, its search alone, and the model's stream asked without us.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="ignored: this benchmark brings its own documents")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--model-server", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.model_server:
        _serve_model(arguments.model_server)
        return
    with tempfile.TemporaryDirectory(prefix="streams-") as folder, _running(Path(folder)) as (url, model):
        asyncio.run(_measure(url, model, arguments.at_once))


async def _measure(url: str, model: str, at_once: int) -> None:
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
    first_event = first_token = 0.0
    end = "nothing"
    async with httpx_sse.aconnect_sse(
        http, "POST", f"{url}/api/v1/threads/{thread}/messages", json={"text": QUESTION}
    ) as it:
        async for event in it.aiter_sse():
            now = (time.perf_counter() - begun) * 1000
            first_event = first_event or now
            if event.event == "token":
                first_token = first_token or now
            end = event.event
    return Asked(first_event=first_event, first_token=first_token, whole=(time.perf_counter() - begun) * 1000, end=end)


async def _ask_model(http: httpx.AsyncClient, model: str) -> Asked:
    begun = time.perf_counter()
    first = 0.0
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    async with httpx_sse.aconnect_sse(http, "POST", f"{model}/chat/completions", json=body) as it:
        async for _ in it.aiter_sse():
            first = first or (time.perf_counter() - begun) * 1000
    return Asked(first_event=first, first_token=first, whole=(time.perf_counter() - begun) * 1000, end="answer")


async def _timed(request: Coroutine[None, None, httpx.Response]) -> float:
    begun = time.perf_counter()
    (await request).raise_for_status()
    return (time.perf_counter() - begun) * 1000


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[tuple[str, str]]:
    """The model's and the product's addresses, with the sample knowledge base built."""
    model_port, port = free_port(), free_port()
    model = f"http://127.0.0.1:{model_port}/v1"
    settings = folder / "chatbot.toml"
    settings.write_text(
        f'data_dir = "{folder / "data"}"\n[server]\nport = {port}\n[models.scripted]\nprovider = "openai-compatible"\n'
        f'model = "m"\nbase_url = "{model}"\napi_key = "none"\n[roles]\nanswer = ["scripted"]\n'
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHATBOT_")}
    environment["CHATBOT_CONFIG"] = str(settings)
    processes = [
        subprocess.Popen([sys.executable, "-m", "benchmarks.streams", "--model-server", str(model_port)]),
        subprocess.Popen([*COMMAND, "serve", "--no-ui"], env=environment, stdout=subprocess.DEVNULL),
    ]
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/readyz", f"http://127.0.0.1:{model_port}/healthz")
        with Client(url) as client:
            list(client.run_events(client.build_samples().id))
        yield url, model
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
