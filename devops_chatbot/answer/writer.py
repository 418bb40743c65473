"""Turns evidence into a streamed answer that cites it, with the first model that speaks."""

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devops_chatbot.answer.citations import CitationFilter, citations
from devops_chatbot.answer.context_window import Budget, fit, tokens_of
from devops_chatbot.chat import Citation, Evidence, Progress, Scenario, Token, Turn, Usage
from devops_chatbot.errors import ChatbotError, ModelUnavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.llm import NamedModel
from devops_chatbot.llm.builtin import EVIDENCE, QUERY, citations_of
from devops_chatbot.llm.finish_reason import Ending
from devops_chatbot.llm.prompts import fill
from knowledge.text.language import Language, language_of

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk, BaseMessage

LONGEST_REFUSAL = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the writer is given: the question as asked, as it stands on its own, and what was found.

    The scenario gives the rules of the answer, and whether it must come from the evidence.
    """

    question: str
    query: str
    history: tuple[Turn, ...]
    evidence: tuple[Evidence, ...]
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A whole answer; `citations` exist in the evidence, and `text` equals the tokens joined."""

    text: str
    citations: tuple[Citation, ...]
    model: str
    usage: Usage
    extractive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """What an answer on its way has cited so far."""

    citations: tuple[Citation, ...]


class Writer:
    """Writes answers. One instance serves many questions at once."""

    async def write(
        self, brief: Brief, models: Sequence[NamedModel]
    ) -> AsyncGenerator[Token | Progress | Cited | Written]:
        """Tokens as they come, what they cite before them, last the whole. A model that fails before its first token
        gives way to the next one, with a word about it. Raises `ModelUnavailable` when none is left, or when one breaks
        off.
        """
        language = language_of(brief.question)
        failed: list[Reason] = []
        for position, model in enumerate(models):
            answer = _Answer(brief, model, language)
            try:
                async with aclosing(answer.write()) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except ChatbotError as error:
                if answer.begun or len(models) == 1:
                    raise
                failed.append(error.reason)
                if position + 1 < len(models):
                    following = models[position + 1].name
                    what = Reason("model.gives_way", reason=error, following=following)
                    yield Progress(stage="fallback", what=what)
        raise ModelUnavailable("model.none_answers", reasons=failed)


class _Answer:
    """One attempt of one model."""

    def __init__(self, brief: Brief, model: NamedModel, language: Language) -> None:
        self._brief = brief
        self._model = model
        self._language = language
        self._filter = CitationFilter(len(brief.evidence))
        self._said: list[str] = []
        self._quoted: tuple[Citation, ...] = ()
        self._input = self._output = 0
        self._ending = Ending()
        self.begun = False

    async def write(self) -> AsyncGenerator[Token | Cited | Written]:
        begun = time.perf_counter()
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
        if not self.begun and not rest.strip():
            raise ModelUnavailable("model.empty_answer", name=self._model.name)
        if self._ending.cut:
            note = Reason("model.cut", limit=self._model.max_output, name=self._model.name)
            rest += self._say(f"\n\n*{note.text(self._language)}*")
        if rest:
            yield Token(text=rest)
        yield self._whole(messages, time.perf_counter() - begun)

    def _take(self, chunk: "AIMessageChunk") -> str:
        if chunk.usage_metadata:
            self._input += chunk.usage_metadata["input_tokens"]
            self._output += chunk.usage_metadata["output_tokens"]
        self._ending.add(chunk)
        self._quoted = citations_of(chunk.additional_kwargs) or self._quoted
        text = str(chunk.text)
        if self._model.extractive:  # it cites what it was given, and quotes brackets of documents as they are
            return self._say(text)
        return self._say(self._filter.add(text if self.begun else text.lstrip()))

    def _refused(self) -> ModelUnavailable:
        words = " ".join(self._ending.refusal.split())[:LONGEST_REFUSAL]
        words = f" (“{words}”)" if words else ""
        if self.begun:
            return ModelUnavailable("model.refuses_to_go_on", name=self._model.name, words=words)
        return ModelUnavailable("model.refuses", name=self._model.name, words=words)

    def _say(self, text: str) -> str:
        self._said.append(text)
        self.begun = self.begun or bool(text.strip())
        return text

    def _whole(self, messages: Sequence["BaseMessage"], seconds: float) -> Written:
        text = "".join(self._said)
        if not self._model.extractive:
            self._input = self._input or sum(tokens_of(str(message.text)) for message in messages)
            self._output = self._output or tokens_of(text)
        usage = Usage(
            input_tokens=self._input,
            output_tokens=self._output,
            cost=self._model.cost(self._input, self._output),
            seconds=seconds,
        )
        return Written(
            text=text,
            citations=self._quoted or citations(self._filter.cited, self._brief.evidence),
            model=self._model.name,
            usage=usage,
            extractive=self._model.extractive,
        )


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
    beside = {EVIDENCE: brief.evidence, QUERY: brief.query} if brief.scenario.grounded else {}
    return [SystemMessage(rules), *turns, HumanMessage(question, additional_kwargs=beside)]
