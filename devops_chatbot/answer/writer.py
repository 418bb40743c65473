"""Turns evidence into a streamed answer that cites it: with a language model, by the first of several writers that speaks."""

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from devops_chatbot.answer.brief import Brief, Cited, Writer, WriterEvent, Written
from devops_chatbot.answer.citations import CitationFilter, citations
from devops_chatbot.answer.context_window import Budget, fit, tokens_of
from devops_chatbot.chat import Progress, Token, Usage
from devops_chatbot.errors import ChatbotError, ModelUnavailable
from devops_chatbot.i18n import Language, Reason
from devops_chatbot.llm import NamedModel
from devops_chatbot.llm.finish_reason import Ending
from devops_chatbot.llm.prompts import fill
from knowledge.text.language import language_of

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk, BaseMessage

LONGEST_REFUSAL = 500


async def write(brief: Brief, writers: Sequence[Writer]) -> AsyncGenerator[WriterEvent]:
    """The answer of the first writer that speaks. One that fails before its first token gives way to the next one, with a
    word about it. Raises `ModelUnavailable` when none is left, or when one breaks off.
    """
    failed: list[Reason] = []
    for position, writer in enumerate(writers):
        begun = False
        try:
            async with aclosing(cast("AsyncGenerator[WriterEvent]", writer.write(brief))) as events:
                async for event in events:
                    begun = begun or (isinstance(event, Token) and bool(event.text.strip()))
                    yield event
            return
        except ChatbotError as error:
            if begun or len(writers) == 1:
                raise
            failed.append(error.reason)
            if position + 1 < len(writers):
                what = Reason("model.gives_way", reason=error, following=writers[position + 1].name)
                yield Progress(stage="fallback", what=what)
    raise ModelUnavailable("model.none_answers", reasons=failed)


class ModelWriter:
    """A `Writer` that lets a language model write and checks its citations."""

    def __init__(self, model: NamedModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return self._model.name

    async def write(self, brief: Brief) -> AsyncGenerator[WriterEvent]:
        async with aclosing(_Answer(brief, self._model).write()) as events:
            async for event in events:
                yield event


class _Answer:
    """One attempt of one model."""

    def __init__(self, brief: Brief, model: NamedModel) -> None:
        self._brief = brief
        self._model = model
        self._language = language_of(brief.question)
        self._filter = CitationFilter(len(brief.evidence))
        self._said: list[str] = []
        self._input = self._output = 0
        self._ending = Ending()
        self._begun = False

    async def write(self) -> AsyncGenerator[WriterEvent]:
        started = time.perf_counter()
        messages = _messages(self._brief, self._model, self._language)
        async with aclosing(self._model.stream(messages)) as chunks:
            async for chunk in chunks:
                known = len(self._filter.cited)
                text = self._take(chunk)
                if len(self._filter.cited) > known:
                    yield Cited(citations=citations(self._filter.cited, self._brief.evidence))
                if text:
                    yield Token(text=text)
        rest = self._say(self._filter.end())
        if self._ending.refused:
            if rest:
                yield Token(text=rest)
            raise self._refused()
        if not self._begun and not rest.strip():
            raise ModelUnavailable("model.empty_answer", name=self._model.name)
        if self._ending.cut:
            note = Reason("model.cut", limit=self._model.max_output, name=self._model.name)
            rest += self._say(f"\n\n*{note.text(self._language)}*")
        if rest:
            yield Token(text=rest)
        yield self._whole(messages, time.perf_counter() - started)

    def _take(self, chunk: "AIMessageChunk") -> str:
        if chunk.usage_metadata:
            self._input += chunk.usage_metadata["input_tokens"]
            self._output += chunk.usage_metadata["output_tokens"]
        self._ending.add(chunk)
        text = str(chunk.text)
        return self._say(self._filter.add(text if self._begun else text.lstrip()))

    def _refused(self) -> ModelUnavailable:
        words = " ".join(self._ending.refusal.split())[:LONGEST_REFUSAL]
        words = f" (“{words}”)" if words else ""
        if self._begun:
            return ModelUnavailable("model.refuses_to_go_on", name=self._model.name, words=words)
        return ModelUnavailable("model.refuses", name=self._model.name, words=words)

    def _say(self, text: str) -> str:
        self._said.append(text)
        self._begun = self._begun or bool(text.strip())
        return text

    def _whole(self, messages: Sequence["BaseMessage"], seconds: float) -> Written:
        text = "".join(self._said)
        input_tokens = self._input or sum(tokens_of(str(message.text)) for message in messages)
        output_tokens = self._output or tokens_of(text)
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=self._model.cost(input_tokens, output_tokens),
            seconds=seconds,
        )
        cited = citations(self._filter.cited, self._brief.evidence)
        return Written(text=text, citations=cited, model=self._model.name, usage=usage, extractive=False)


def _messages(brief: Brief, model: NamedModel, language: Language) -> list["BaseMessage"]:
    """The prompt: rules, the conversation, then the passages as data between two random marks, and the question."""
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    mark = f"=== {secrets.token_hex(8)} ==="
    prompt = brief.scenario.prompt
    rules = prompt.get(language, prompt["en"]).replace("{mark}", mark).strip()
    budget = Budget(model.context - model.max_output - tokens_of(rules) - tokens_of(brief.question))
    history, passages = fit(brief.history, brief.evidence, budget)
    question = brief.question
    if brief.scenario.grounded:
        question = fill("passages", language, mark=mark, passages="\n\n".join(passages), question=brief.question)
    turns: list[BaseMessage] = [
        HumanMessage(turn.text) if turn.role == "user" else AIMessage(turn.text) for turn in history
    ]
    return [SystemMessage(rules), *turns, HumanMessage(question)]
