"""What one read brings of a model's stream: the words are one piece, and nothing else is lost or changes its place."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import openai
import pytest
from langchain_core.messages import AIMessageChunk
from pydantic import SecretStr

from devops_chatbot.llm.chunks import REFUSAL
from devops_chatbot.llm.openai_models import Chat


def piece(finish: str | None = None, **delta: object) -> dict[str, object]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def streamed(*reads: bytes, heard: list[str] | None = None) -> list[AIMessageChunk]:
    class Reads(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for read in reads:
                yield read

    async def ask() -> list[AIMessageChunk]:
        def answer(_: httpx2.Request) -> httpx2.Response:
            return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Reads())

        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
            model = Chat(
                model="m",
                api_key=SecretStr("none"),
                base_url="http://model/v1",
                http_async_client=http,
                stream_usage=True,
            )
            chunks = []
            async for chunk in model.astream("?"):
                chunks.append(chunk)
                if heard is not None:
                    heard.append(str(chunk.text))
            return chunks

    return asyncio.run(ask())


def events(*data: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in data)


def test_words_of_one_read_are_one_piece_and_the_end_stays_behind_them() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    first = events(piece(role="assistant", content="Check "), piece(content="the "), piece(content="logs"))
    last = events(piece(content="."), piece("length"), {"id": "c", "model": "m", "choices": [], "usage": usage})
    chunks = streamed(first, last + b"data: [DONE]\n\n")
    assert [str(chunk.text) for chunk in chunks if chunk.text] == ["Check the logs", "."]
    assert [one for chunk in chunks if (one := chunk.response_metadata.get("finish_reason"))] == ["length"]
    assert [chunk.usage_metadata["input_tokens"] for chunk in chunks if chunk.usage_metadata] == [5]


def test_what_is_more_than_words_stays_by_itself() -> None:
    refusing = events(piece(content="Well, "), piece(content="", refusal="I will "), piece(content="", refusal="not."))
    chunks = streamed(refusing + events(piece("stop")))
    assert "".join(chunk.additional_kwargs.get(REFUSAL, "") for chunk in chunks) == "I will not."
    assert "".join(str(chunk.text) for chunk in chunks) == "Well, "


@pytest.mark.parametrize("cut", [1, 40, 75, 130])
def test_an_event_may_begin_in_one_read_and_end_in_the_next(cut: int) -> None:
    whole = events(piece(content="磁盘 "), piece(content="满了"), piece("stop")).replace(b"\n", b"\r\n")
    assert "".join(str(chunk.text) for chunk in streamed(whole[:cut], whole[cut:])) == "磁盘 满了"


def test_an_error_in_the_stream_comes_after_the_words_before_it() -> None:
    heard: list[str] = []
    with pytest.raises(openai.APIError, match="out of memory"):
        streamed(events(piece(content="Check"), {"error": {"message": "out of memory"}}), heard=heard)
    assert heard == ["Check"]
