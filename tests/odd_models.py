"""A server on loopback that speaks the OpenAI protocol as real servers do on their worse days: the first part of the path names
what it does. It writes to raw sockets, so every byte of the framing is its own.
"""

import asyncio
import gzip
import json
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from patience import PATIENCE_S, wait_until

ANSWER = "Check the member list first [1]. Then restart it."
THOUGHT = "The user asks about etcd. Passage [2] may help, [3] not."
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
DONE = b"data: [DONE]\n\n"
Part = bytes | float
"""What a stream sends, or how many seconds it pauses."""


def sse(content: object, *, before: str = "data: ") -> bytes:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"{before}{text}\n\n".encode()


def chunk(delta: object = None, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    envelope = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return sse({**envelope, **more})


def pieces(text: str) -> list[str]:
    return [text[start : start + 8] for start in range(0, len(text), 8)]


def said(text: str = ANSWER, **more: object) -> list[bytes]:
    return [chunk({"content": piece}, **more) for piece in pieces(text)]


def thought(field_name: str) -> list[bytes]:
    return [chunk({"content": None, field_name: piece}) for piece in pieces(THOUGHT)]


def end(finish: str = "stop", usage: object = USAGE) -> list[bytes]:
    told = [chunk(choices=[], usage=usage)] if usage else []
    return [chunk({}, finish), *told, DONE]


def normal(text: str = ANSWER, finish: str = "stop", usage: object = USAGE) -> list[bytes]:
    return [chunk({"role": "assistant", "content": ""}), *said(text), *end(finish, usage)]


def half(*last: bytes) -> list[bytes]:
    """The beginning of an answer, and what comes instead of the rest."""
    return [*normal()[:4], *last]


def escaped(text: str) -> bytes:
    """A piece whose content is spelled as given, in JSON's own escapes."""
    return chunk({"content": "HERE"}).replace(b"HERE", text.encode())


def counted() -> list[bytes]:
    """The usage so far with each piece."""
    usages = [{"prompt_tokens": 100, "completion_tokens": count, "total_tokens": 100 + count} for count in range(1, 8)]
    return [chunk({"content": piece}, usage=usage) for piece, usage in zip(pieces(ANSWER), usages, strict=True)]


PARTS = [chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]})] + [
    chunk({"content": [{"type": "text", "text": piece}]}) for piece in pieces(ANSWER)
]
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "kubectl", "arguments": "{}"}}
LONE_DELTA = sse({"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]})

STREAMS: dict[str, Sequence[Part]] = {
    "ok": normal(),
    "think": normal(f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"),
    "think_unopened": normal(f"{THOUGHT}\n</think>\n\n{ANSWER}"),
    "think_magistral": normal(f"[THINK]{THOUGHT}[/THINK]{ANSWER}"),
    "think_harmony": normal(
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}"
    ),
    "reasoning_content": [*thought("reasoning_content"), *normal()],
    "reasoning_vllm": [*thought("reasoning"), *normal()],
    "reasoning_parts": [*PARTS, *end()],
    "reasoning_only_length": [*thought("reasoning_content"), *end("length")],
    "reasoning_only_stop": [*thought("reasoning_content"), *end()],
    "think_unclosed_length": normal(f"<think>\n{THOUGHT}", "length"),
    "speaks_of_think": normal("It writes `<think>` first [1]:\n\n```xml\n<think>\nhm\n</think>\n```\n"),
    "empty_choices_first": [sse({"choices": [], "prompt_filter_results": []}), *normal()],
    "no_usage": normal(usage=None),
    "usage_each_chunk": [*counted(), *end()],
    "usage_nulls": normal(usage={"prompt_tokens": 100, "completion_tokens": None, "total_tokens": None}),
    "null_content": [chunk({"role": "assistant", "content": None}), *said(), chunk({"content": None}), *end()],
    "role_null": [chunk({"role": None, "content": ANSWER}), chunk({"role": ""}, "stop"), DONE],
    "role_of_google": [chunk({"role": "model", "content": ANSWER}), chunk({"role": "model"}, "STOP"), DONE],
    "delta_null": [*said(), LONE_DELTA, DONE],
    "choices_null": [*said(), *end()[:1], sse({"choices": None, "usage": USAGE}), DONE],
    "finish_empty": [*said(), chunk({"content": ""}, ""), *end()],
    "finish_unknown": normal(finish="eos_token"),
    "done_no_finish": half(DONE),
    "comments": [b": OPENROUTER PROCESSING\n\n", b":\n\n", *normal()],
    "keep_alive": [*([b": ping\n\n", 0.3] * 8), *normal()],
    "crlf": [part.replace(b"\n", b"\r\n") for part in normal()],
    "no_space": [part.replace(b"data: ", b"data:") for part in normal()],
    "event_id_retry": [b"retry: 1000\n\n", b"id: 4\n\n", *(b"id: 5\nevent: message\n" + part for part in normal())],
    "bom": [b"\xef\xbb\xbf" + said()[0], *said()[1:], *end()],
    "one_newline": [part.replace(b"\n\n", b"\n") for part in normal()],
    "no_last_newline": [*normal()[:-1], b"data: [DONE]"],
    "many_lines": [b'data: {"choices":\ndata: [{"delta": {"content": "' + ANSWER.encode() + b'"}}]}\n\n', *end()],
    "controls": [escaped("Check \\u0000the member list\\u0007 first [1]. Then restart it."), *end()],
    "utf8_split": [bytes([byte]) for part in normal("先检查成员列表【1】，再重启 😀。") for byte in part],
    "surrogate_split": [escaped("Done \\ud83d"), escaped("\\ude00 then check it [1]."), *end()],
    "surrogate_alone": [escaped("Done \\ud83d"), escaped(" then \\ude00 check it [1]."), *end()],
    "tool_calls": [chunk({"role": "assistant", "content": None, "tool_calls": [CALL]}), *end("tool_calls")],
    "content_filter": normal("", "content_filter"),
    "finish_length": normal(finish="length"),
    "finish_error": half(chunk({"content": ""}, "error"), DONE),
    "finish_abort": half(chunk({}, "abort"), DONE),
    "no_finish_clean_end": half(),
    "no_finish_at_once": [],
    "error_first": [sse({"error": {"message": "Provider returned error: upstream overloaded", "code": 502}})],
    "error_mid": half(sse({"error": {"message": "CUDA out of memory", "code": 500}})),
    "error_event_mid": half(b"event: error\n" + sse({"message": "CUDA out of memory", "code": 500})),
    "error_text_mid": half(b"event: error\ndata: CUDA out of memory\n\n"),
    "error_string_mid": half(sse({"error": "CUDA out of memory"})),
    "error_object_mid": half(sse({"object": "error", "message": "CUDA out of memory"}), DONE),
    "error_vllm_context": [
        sse({"object": "error", "message": "maximum context length is 2048 tokens", "code": 400}),
        DONE,
    ],
    "big_chunk": [chunk({"content": "word " * 400_000}), *end()],
    "forever": [chunk({"content": "the same line again.\n"})] * 6_000,
    "thinks_forever": [chunk({"content": None, "reasoning_content": "the same thought again.\n"})] * 6_000,
}
"""What is streamed, piece by piece."""

WHOLE = {"message": {"role": "assistant", "content": ANSWER}, "index": 0, "finish_reason": "stop"}
PAGE = "<!doctype html><html><head><title>{}</title></head><body>x</body></html>"
BODIES: dict[str, tuple[int, object, dict[str, str]]] = {
    "stream_ignored": (200, {"object": "chat.completion", "choices": [WHOLE], "usage": USAGE}, {}),
    "lmstudio_200_error": (200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, {}),
    "html_200": (200, PAGE.format("Open WebUI"), {}),
    "s400_string": (400, {"error": "model 'm' does not support chat"}, {}),
    "s401": (401, {"error": {"message": "Incorrect API key provided: sk-very-secret.", "code": "invalid_api_key"}}, {}),
    "s402": (402, {"error": {"message": "Insufficient credits. Add more at https://x", "code": 402}}, {}),
    "s403_model": (403, {"error": {"message": "Your organisation does not have access to model m"}}, {}),
    "s403_html": (403, PAGE.format("403 Forbidden by the gateway"), {}),
    "s404_path": (404, {"detail": "Not Found"}, {}),
    "s422_detail": (422, {"detail": [{"loc": ["body", "messages"], "msg": "Input should be shorter"}]}, {}),
    "s429_wait": (429, {"error": {"message": "Rate limit reached, try again in 1 s"}}, {"Retry-After": "1"}),
    "s429_quota": (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, {}),
    "s500": (500, {"error": {"message": "boom"}}, {}),
    "s502_behind": (502, {"error": {"message": "Provider returned error", "metadata": {"raw": '{"message": "GPU lost"}'}}}, {}),
    "s503_loading": (503, {"error": {"message": "Loading model", "type": "unavailable_error"}}, {"Retry-After": "90"}),
    "s529": (529, {"error": {"message": "Overloaded"}}, {}),
}  # fmt: skip
"""Status, body and headers of an answer that is no stream."""


@dataclass
class Request:
    """What came, and the count of requests to this place so far."""

    path: str
    body: dict[str, Any]
    count: int
    headers: dict[str, str]

    @property
    def last(self) -> str:
        return str(self.body["messages"][-1]["content"])

    @property
    def size(self) -> int:
        return sum(len(message["content"]) for message in self.body["messages"])


@dataclass
class OddModels:
    """`base_url` of a fault; `requests` to each place as they came."""

    port: int = 0
    requests: dict[str, list[Request]] = field(default_factory=dict)

    def base_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}/v1"

    def settings(self, name: str, **changes: object) -> dict[str, object]:
        """What goes below `[models.NAME]`."""
        made = {"provider": "openai-compatible", "model": "m", "base_url": self.base_url(name), "timeout_s": PATIENCE_S}
        return {**made, **changes}


@contextmanager
def odd_models() -> Iterator[OddModels]:
    """`with odd_models() as server:`"""
    models, ready, over = OddModels(), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        server = await asyncio.start_server(_Connection(models).serve, "127.0.0.1", 0, limit=1 << 24)
        models.port = server.sockets[0].getsockname()[1]
        ready.set()
        await over.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    wait_until(ready.is_set)
    yield models
    loops[0].call_soon_threadsafe(over.set)
    thread.join(PATIENCE_S)


class _Connection:
    """Answers the requests of one connection after the other."""

    def __init__(self, models: OddModels) -> None:
        self._models = models

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                path = head[0].split(" ")[1]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or "{}")
                name = path.strip("/").split("/")[0]
                there = self._models.requests.setdefault(name, [])
                if not path.endswith("/chat/completions"):
                    await plain(writer, 404, {"detail": "Not Found"})
                    continue
                there.append(Request(path, body, len(there) + 1, headers))
                await _answer(name, there[-1], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the reader has left
        finally:
            writer.close()


async def _answer(name: str, request: Request, writer: asyncio.StreamWriter) -> None:
    if name in BEHAVIOURS:
        await BEHAVIOURS[name](request, writer)
    elif name in STREAMS:
        await stream(writer, STREAMS[name])
    else:
        await plain(writer, *BODIES[name])


async def stream(writer: asyncio.StreamWriter, parts: Sequence[Part], **headers: str) -> None:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n{more}\r\n"
    writer.write(head.encode())
    for part in (*parts, b""):
        if isinstance(part, float):
            await asyncio.sleep(part)
            continue
        writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        await writer.drain()


async def plain(writer: asyncio.StreamWriter, status: int, body: object, headers: dict[str, str] | None = None) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    told = {"Content-Type": "text/html" if isinstance(body, str) else "application/json", **(headers or {})}
    lines = [
        f"HTTP/1.1 {status} X",
        f"Content-Length: {len(data)}",
        *(f"{name}: {told[name]}" for name in told),
        "",
        "",
    ]
    writer.write("\r\n".join(lines).encode() + data)
    await writer.drain()


async def refuse(writer: asyncio.StreamWriter, message: str, **more: object) -> None:
    await plain(writer, 400, {"error": {"message": message, "type": "invalid_request_error", **more}})


async def old_http(writer: asyncio.StreamWriter, parts: Sequence[bytes]) -> None:
    """HTTP/1.0, where the end of the connection is the end of the answer."""
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + b"".join(parts))
    await writer.drain()
    writer.close()


async def http10(request: Request, writer: asyncio.StreamWriter) -> None:
    await old_http(writer, normal())


async def http10_cut(request: Request, writer: asyncio.StreamWriter) -> None:
    await old_http(writer, half())


async def reset_mid(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in half():
        writer.write(b"%x\r\n%s\r\n" % (len(part), part))
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.transport.abort()


async def gzipped(request: Request, writer: asyncio.StreamWriter) -> None:
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in normal()]
    assert gzip.decompress(b"".join([*parts, packer.flush()]))
    await stream(writer, parts, **{"Content-Encoding": "gzip"})


async def redirected(request: Request, writer: asyncio.StreamWriter) -> None:
    await plain(writer, 307, "", {"Location": "/ok/v1/chat/completions"})


async def stall(request: Request, writer: asyncio.StreamWriter) -> None:
    await stream(writer, [*half(), PATIENCE_S])


async def busy_once(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.count == 1:
        await plain(writer, 429, {"error": {"message": "slow down"}}, {"Retry-After": "1"})
    else:
        await stream(writer, normal())


async def loading(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.count <= 3:
        await plain(writer, 503, {"error": {"message": "Loading model", "code": 503}}, {"Retry-After": "0.1"})
    else:
        await stream(writer, normal())


async def busy_long(request: Request, writer: asyncio.StreamWriter) -> None:
    await plain(writer, 429, {"error": {"message": "Rate limit reached"}}, {"Retry-After": "3000"})


async def no_stream_options(request: Request, writer: asyncio.StreamWriter) -> None:
    if "stream_options" in request.body:
        await refuse(writer, "property 'stream_options' is unsupported, did you mean 'stream'?")
    else:
        await stream(writer, normal(usage=None))


async def no_max_tokens(request: Request, writer: asyncio.StreamWriter) -> None:
    if "max_tokens" in request.body:
        said = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
        await refuse(writer, said, param="max_tokens", code="unsupported_parameter")
    else:
        await stream(writer, normal())


async def only_the_least(request: Request, writer: asyncio.StreamWriter) -> None:
    """Takes nothing but what every server takes, and names one thing at a time, as FastAPI does."""
    extra = sorted(set(request.body) - {"model", "messages", "stream"})
    if extra:
        detail = [{"type": "extra_forbidden", "loc": ["body", extra[0]], "msg": "Extra inputs are not permitted"}]
        await plain(writer, 422, {"detail": detail})
    elif request.body.get("stream"):
        await stream(writer, normal())
    else:
        await plain(writer, *BODIES["stream_ignored"])


async def no_system_role(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.body["messages"][0]["role"] == "system":
        await refuse(writer, "System role not supported")
    else:
        await stream(writer, normal())


async def alternating(request: Request, writer: asyncio.StreamWriter) -> None:
    roles = [message["role"] for message in request.body["messages"] if message["role"] != "system"]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        await refuse(writer, "Conversation roles must alternate user/assistant/user/assistant/...")
    elif "boom" in request.last.rsplit("Question:", 1)[-1]:
        await plain(writer, 400, {"error": {"message": "boom"}})
    else:
        await stream(writer, normal())


async def small_context(request: Request, writer: asyncio.StreamWriter) -> None:
    """Counts a token a character and has room for 2,500."""
    if request.size > 2_500:
        message = f"request ({request.size} tokens) exceeds the available context size (2500 tokens), try increasing it"
        await refuse(writer, message, n_prompt_tokens=request.size, n_ctx=2_500)
    else:
        await stream(writer, normal())


async def no_context(request: Request, writer: asyncio.StreamWriter) -> None:
    await refuse(writer, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.")


def rewriting(answer: list[bytes]) -> Callable[[Request, asyncio.StreamWriter], Awaitable[None]]:
    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        await stream(writer, answer if "Rewrite that question" in request.last else normal())

    return respond


QUERY = "What is the impact of etcdMembersDown?"
BEHAVIOURS: dict[str, Callable[[Request, asyncio.StreamWriter], Awaitable[None]]] = {
    "http10": http10,
    "http10_cut": http10_cut,
    "reset_mid": reset_mid,
    "gzipped": gzipped,
    "redirected": redirected,
    "stall": stall,
    "busy_once": busy_once,
    "loading": loading,
    "busy_long": busy_long,
    "no_stream_options": no_stream_options,
    "no_max_tokens": no_max_tokens,
    "only_the_least": only_the_least,
    "no_system_role": no_system_role,
    "alternating": alternating,
    "small_context": small_context,
    "no_context": no_context,
    "route_think": rewriting(normal(f"<think>\nThe user means etcd.\n</think>\n\n{QUERY}")),
    "route_reasoning": rewriting([*thought("reasoning_content"), *normal(QUERY)]),
    "route_sure": rewriting(normal(f"Sure! Here is the rewritten question:\n\n**{QUERY}**")),
    "route_same_line": rewriting(normal(f"Sure! Here is the rewritten question: “{QUERY}”")),
    "route_after": rewriting(normal(f"{QUERY}\n\nLet me know if you need anything else!")),
    "route_only_phrase": rewriting(normal("Sure! I can help you with that.")),
    "route_thinks_on": rewriting(normal("<think>\nThe user means etcd, or perhaps", "length")),
    "route_answers": rewriting(normal("The cluster loses quorum and goes read-only, so the API server stops writing.")),
}
"""What depends on the request."""
