"""LangChain's OpenAI chat models, with two things mended: the words of a refusal are kept in the stream (LangChain drops them
there), and a streamed piece stays the JSON that came (OpenAI's client makes an object of each, which LangChain takes apart
again: half of the processor's time of an answer).
"""

from typing import Any, Self

from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI
from openai import AsyncStream
from openai.resources.chat.completions import AsyncCompletions
from pydantic import model_validator

from devops_chatbot.llm.finish_reason import REFUSAL


class _Completions:
    """The client's completions; streamed ones come as parsed JSON."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self._completions = completions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._completions, name)

    async def create(self, *, stream: bool = False, extra_body: dict[str, Any] | None = None, **body: Any) -> Any:
        if not stream or body.keys() & {"extra_headers", "extra_query", "timeout"}:
            return await self._completions.create(stream=stream, extra_body=extra_body, **body)
        return await self._completions._client.post(
            "/chat/completions",
            body={"stream": True, **body, **(extra_body or {})},
            cast_to=object,
            stream=True,
            stream_cls=AsyncStream[object],
        )


class _Mended(BaseChatOpenAI):
    """Asks through `_Completions`, and puts the `refusal` of a streamed piece beside its text."""

    @model_validator(mode="after")
    def _stream_json(self) -> Self:
        self.async_client = _Completions(self.async_client)
        return self

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        delta = next((choice.get("delta") for choice in chunk.get("choices") or ()), None)
        words = delta.get("refusal") if isinstance(delta, dict) else None
        if made is not None and words:
            made.message.additional_kwargs[REFUSAL] = words
        return made


class Chat(_Mended, ChatOpenAI):
    """A model behind the OpenAI protocol."""


class AzureChat(_Mended, AzureChatOpenAI):
    """A deployment on Azure."""
