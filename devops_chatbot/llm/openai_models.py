"""LangChain's OpenAI chat models, with the words of a refusal kept in the stream (LangChain drops them there)."""

from typing import Any

from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI

from devops_chatbot.llm.finish_reason import REFUSAL


class _SaysWhy(BaseChatOpenAI):
    """Puts the `refusal` of a streamed piece beside its text."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        delta = next((choice.get("delta") for choice in chunk.get("choices") or ()), None)
        words = delta.get("refusal") if isinstance(delta, dict) else None
        if made is not None and words:
            made.message.additional_kwargs[REFUSAL] = words
        return made


class Chat(_SaysWhy, ChatOpenAI):
    """A model behind the OpenAI protocol."""


class AzureChat(_SaysWhy, AzureChatOpenAI):
    """A deployment on Azure."""
