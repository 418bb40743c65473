"""LangChain's OpenAI chat models with three things mended: a streamed piece stays the JSON that came (`JsonStream`), the words of
a refusal and of a thought are kept in the stream (LangChain drops them there), and parameters that a server refuses are left out.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, Self

from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI
from openai import BadRequestError, UnprocessableEntityError
from openai.resources.chat.completions import AsyncCompletions
from pydantic import model_validator

from devops_chatbot.llm.chunks import REFUSAL, THOUGHT
from devops_chatbot.llm.json_stream import JsonStream
from devops_chatbot.llm.provider_errors import is_too_long
from devops_chatbot.llm.refused_parameters import RefusedParameters

Call = Callable[..., Awaitable[Any]]


class _Completions:
    """The client's completions; streamed ones come as parsed JSON."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self._completions = completions
        self._refused = RefusedParameters()
        self.with_raw_response = SimpleNamespace(create=partial(self._whole, completions.with_raw_response.create))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._completions, name)

    async def create(self, *, stream: bool = False, extra_body: dict[str, Any] | None = None, **body: Any) -> Any:
        if not stream or body.keys() & {"extra_headers", "extra_query", "timeout"}:
            return await self._whole(self._completions.create, stream=stream, extra_body=extra_body, **body)
        return await self._learning(self._streamed, {"stream": True, **body, **(extra_body or {})})

    async def _streamed(self, **body: Any) -> Any:
        return await self._completions._client.post(
            "/chat/completions", body=body, cast_to=object, stream=True, stream_cls=JsonStream
        )

    async def _whole(self, create: Call, *, extra_body: dict[str, Any] | None = None, **body: Any) -> Any:
        """By the client's own method, which takes only what it knows beside the `extra_body`."""

        async def call(**fitted: Any) -> Any:
            known = {name: value for name, value in fitted.items() if name in body}
            return await create(**known, extra_body={name: fitted[name] for name in fitted.keys() - body.keys()})

        return await self._learning(call, {**body, **(extra_body or {})})

    async def _learning(self, call: Call, body: dict[str, Any]) -> Any:
        """Called without what the server refuses, which it may only now say."""
        while True:
            try:
                return await call(**self._refused.fit(body))
            except (BadRequestError, UnprocessableEntityError) as error:
                said = f"{error} {error.body}"
                if is_too_long(error) or not self._refused.learn(said, body, named=error.param):
                    raise


class _Mended(BaseChatOpenAI):
    """Asks through `_Completions`, and puts the refusal and the thought of a streamed piece beside its text."""

    @model_validator(mode="after")
    def _stream_json(self) -> Self:
        self.async_client = _Completions(self.async_client)
        return self

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        delta = next((choice.get("delta") for choice in chunk.get("choices") or ()), None) or {}
        if made is not None:
            made.message.additional_kwargs |= {name: delta[name] for name in (REFUSAL, THOUGHT) if delta.get(name)}
        return made


class Chat(_Mended, ChatOpenAI):
    """A model behind the OpenAI protocol."""


class AzureChat(_Mended, AzureChatOpenAI):
    """A deployment on Azure."""
