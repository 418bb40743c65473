"""A streamed answer of the OpenAI protocol as parsed JSON, read with patience for what servers make of that protocol.

OpenAI's client makes an object of each piece, which LangChain takes apart again: half of the processor's time of an answer.
The words that one read brings are one piece.
"""

import asyncio
import codecs
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, cast

import httpx2
from openai import APIConnectionError, APIError, APITimeoutError, AsyncStream

from devops_chatbot.llm.chunks import REFUSAL, THOUGHT

DONE = "[DONE]"
DRAIN_S = 0.1
"""How long the end of a body is waited for after `[DONE]`, so that the connection can be used again."""
_Event = tuple[str | None, str]
"""The name and the data of a server-sent event."""
_NO_STREAM = (b"{", b"<")
"""How a body begins that is a whole answer, an error or a web page, but no stream of events."""


_CONTROLS = dict.fromkeys((code for code in range(32) if chr(code) not in "\t\n\r"), "")


class StreamError(APIError):
    """The server reports an error where it should have answered, or in the middle of an answer."""

    def __init__(self, request: httpx2.Request, body: object) -> None:
        code = body.get("code") or body.get("status") if isinstance(body, dict) else None
        super().__init__(str(body), request, body=body)
        number = int(str(code)) if str(code).isdigit() else 0
        self.status_code = number if 400 <= number < 600 else None


class BrokenOff(APIError):
    """The stream ended, but the answer had not."""


class JsonStream(AsyncStream[object]):
    """Gives each piece as the dictionary that came, its `delta` in one form: texts, `refusal` and `tool_calls`.

    Raises `StreamError`; `BrokenOff` when the body ends without a finish reason or `[DONE]`; `ValueError` for what is no JSON,
    such as a web page.
    """

    async def __stream__(self) -> AsyncIterator[object]:
        finished = False
        words, thoughts = _Halves(), _Halves()
        request = self.response.request

        def pieces(events: Sequence[_Event]) -> Iterator[dict[str, Any]]:
            nonlocal finished
            for name, data in events:
                if data.startswith(DONE):
                    if not finished:
                        finished = True
                        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
                    return
                piece = data if name == "error" and not data.startswith("{") else json.loads(data)
                if (error := _error_in(name, piece)) is not None:
                    raise StreamError(request, error)
                if not isinstance(piece, dict):
                    raise ValueError(data[:200])
                for choice in piece.get("choices") or ():
                    delta = _delta(choice)
                    delta["content"] = words.add(delta["content"])
                    delta[THOUGHT] = thoughts.add(delta[THOUGHT])
                    choice["delta"] = delta
                    finished = finished or bool(choice.get("finish_reason"))
                yield piece

        try:
            async for events in self._reads():
                for piece in _joined(pieces(events)):
                    yield piece
        finally:
            await self.response.aclose()
        if not finished:
            raise BrokenOff("the connection ended before the answer did", request, body=None)

    async def _reads(self) -> AsyncIterator[list[_Event]]:
        """The events that each read of the body brings; a body that is no stream of events comes whole, as one."""
        body = aiter(self.response.aiter_bytes())
        try:
            head = b""
            while not head.strip():
                head = (head + await anext(body)).removeprefix(codecs.BOM_UTF8)
            if head.lstrip().startswith(_NO_STREAM):
                rest = [piece async for piece in body]
                whole = b"".join((head, *rest)).decode("utf-8", "replace")
                if whole.lstrip().startswith("<"):
                    raise ValueError(whole)
                yield [(None, whole)]
                return
            async for events in _events(head, body):
                yield events
                if any(data.startswith(DONE) for _, data in events):
                    with suppress(TimeoutError, httpx2.HTTPError):
                        async with asyncio.timeout(DRAIN_S):
                            async for _ in body:
                                pass
                    return
        except StopAsyncIteration:
            return  # an empty body
        except httpx2.TimeoutException as error:
            raise APITimeoutError(request=self.response.request) from error
        except httpx2.RequestError as error:
            raise APIConnectionError(request=self.response.request) from error


def _joined(pieces: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same pieces in the same order, with the words of those in a row in the first of them: each piece takes the same time,
    and a busy server reads several at once.
    """
    first: dict[str, Any] | None = None
    try:
        for piece in pieces:
            if not _only_words(piece):
                if first is not None:
                    yield first
                first = None
                yield piece
            elif first is None:
                first = piece
            else:
                first["choices"][0]["delta"]["content"] += piece["choices"][0]["delta"]["content"]
    except Exception:
        if first is not None:
            yield first
        raise
    if first is not None:
        yield first


def _only_words(piece: dict[str, Any]) -> bool:
    """Whether a piece brings words and nothing beside them."""
    match piece:
        case {"choices": [{"delta": {"content": str(), **more}, **about}]}:
            return not any((*more.values(), about.get("finish_reason"), about.get("logprobs"), piece.get("usage")))
    return False


class _Halves:
    """Puts together a character whose two halves (of a surrogate pair) came in two pieces; a half alone becomes U+FFFD. Control
    characters, which no page can show and some databases cannot hold, are left out.
    """

    def __init__(self) -> None:
        self._held = ""

    def add(self, text: str) -> str:
        if not self._held and text.isascii() and text.isprintable():
            return text
        text = self._held + text.translate(_CONTROLS)
        self._held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        whole = text[: len(text) - len(self._held)]
        return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def _events(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[list[_Event]]:
    """The events that each read brings to their end, `head` being the first bytes. Some servers leave out the empty line
    behind an event, so that one is over, too, with the line that ends its JSON. Comments and other fields are passed over.
    """
    name: str | None = None
    data: list[str] = []
    left = head
    async for piece in _then_end(rest):
        *lines, left = (left + piece).split(b"\n")
        found: list[_Event] = []
        for raw in lines:
            line = raw.decode().rstrip("\r")
            field, _, value = line.partition(":")
            if field == "event":
                name = value.strip()
            elif field == "data" and (value := value.strip()):
                data.append(value)
            if data and (not line or value.endswith(("}", "]"))):
                found.append((name, "\n".join(data)))
                name, data = None, []
        if found:
            yield found


async def _then_end(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, and the ends of the last line and event, which some servers do not send; first nothing, for what is there."""
    yield b""
    async for piece in pieces:
        yield piece
    yield b"\n\n"


def _error_in(event: str | None, piece: object) -> object | None:
    """The error that a piece is, as one of the many servers writes it."""
    if not isinstance(piece, dict):
        return piece if event == "error" else None
    if piece.get("error"):
        return cast("object", piece["error"])
    reports = event == "error" or "error" in (piece.get("object"), piece.get("type"))
    said = "choices" not in piece and ("detail" in piece or "message" in piece)
    return piece if reports or said else None


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    """What is new in a choice; of a whole answer its message."""
    delta = choice.get("delta") or choice.get("message") or {}
    content, thought = delta.get("content"), delta.get("reasoning_content") or delta.get("reasoning")
    if isinstance(content, list):  # parts, such as Mistral's
        parts = [part for part in content if isinstance(part, dict)]
        thought = thought or "".join(_text(part.get("thinking")) for part in parts)
        content = "".join(_text(part.get("text")) for part in parts)
    if content is None and isinstance(choice.get("text"), str):
        content = choice["text"]  # a server that answers as to a completion
    made = {"content": _text(content), THOUGHT: _text(thought)}
    return made | {name: delta[name] for name in (REFUSAL, "tool_calls", "function_call") if delta.get(name)}


def _text(value: object) -> str:
    """The text in a value: itself, or that of parts."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""
