"""LangChain's chat model over the composer of extracts."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from devops_chatbot.llm.builtin import CITATIONS, evidence_of
from devops_chatbot.llm.extract.compose import compose

_PIECE = re.compile(r"\S+\s*|\s+")
PIECE_WORDS = 6


class ExtractiveModel(BaseChatModel):
    """Says what the evidence says. The same evidence and question give the same answer."""

    @property
    def _llm_type(self) -> str:
        return "extractive"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        extract = compose(*evidence_of(messages))
        message = AIMessage(content=extract.text, additional_kwargs={CITATIONS: extract.citations})
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> Iterator[ChatGenerationChunk]:
        yield from _chunks(messages)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in await asyncio.to_thread(lambda: list(_chunks(messages))):
            yield chunk
            await asyncio.sleep(0)  # lets a stop come through between two pieces


def _chunks(messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
    extract = compose(*evidence_of(messages))
    words = _PIECE.findall(extract.text)
    for start in range(0, len(words), PIECE_WORDS):
        yield ChatGenerationChunk(message=AIMessageChunk(content="".join(words[start : start + PIECE_WORDS])))
    yield ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs={CITATIONS: extract.citations}))
