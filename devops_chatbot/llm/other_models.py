"""LangChain's models of Anthropic and Ollama, each with one thing mended."""

from functools import cached_property
from typing import Any

import anthropic
from langchain_anthropic import ChatAnthropic
from langchain_ollama import ChatOllama
from pydantic import Field


class Anthropic(ChatAnthropic):
    """Asks through a client of ours (LangChain lets nobody choose its certificates)."""

    http: Any = Field(exclude=True)

    @cached_property
    def _async_client(self) -> anthropic.AsyncClient:
        return anthropic.AsyncClient(**self._client_params, http_client=self.http)


class Ollama(ChatOllama):
    """Keeps the thoughts that a model sends, without asking it to think (LangChain keeps only what it has asked for)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, reasoning=True)

    def _chat_params(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        return {**super()._chat_params(*arguments, **options), "think": None}
