"""Turns evidence into a streamed answer that cites it: with a language model, by the first of several writers that speaks."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from devops_chatbot.answer.brief import Brief, Cited, Writer, WriterEvent, Written
from devops_chatbot.answer.citations import LONGEST_QUOTE, CitationFilter, citation, citations
from devops_chatbot.answer.context_window import QUESTION_SHARE, Budget, fit, shortened
from devops_chatbot.chat import Citation, Progress, Thought, Token, Usage
from devops_chatbot.errors import ChatbotError, ModelUnavailable
from devops_chatbot.i18n import Language, Reason
from devops_chatbot.llm import NamedModel
from devops_chatbot.llm.prompts import fill
from devops_chatbot.llm.reply import Reply
from devops_chatbot.llm.thoughts import Piece
from devops_chatbot.llm.tokens import tokens_of
from knowledge.text.language import language_of

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

LONGEST_REFUSAL = 500
LONGEST_WAIT_S = 60
"""How long a model that is busy is waited for before its question fails."""
PATIENCE = 4
"""How often a model is asked again that is worth more than one try."""
FITTINGS = 3
"""How often a prompt is fitted to what the model's own tokenizer says of it."""
MARGIN = 1.03
UNTOLD = 0.5
"""The share of a prompt that is tried again where nothing tells how much of it fits."""


async def write(brief: Brief, writers: Sequence[Writer]) -> AsyncGenerator[WriterEvent]:
    """The answer of the first writer that speaks. One that fails before its first token gives way to the next one, with a
    word about it; the last one is asked again where its error says that this may help, with a word about the wait. Raises
    `ModelUnavailable` when none is left, or when one breaks off.
    """
    failed: list[Reason] = []
    left = list(writers)
    waited, tries = 0.0, 0
    while left:
        begun = False
        try:
            async with aclosing(cast("AsyncGenerator[WriterEvent]", left[0].write(brief))) as events:
                async for event in events:
                    begun = begun or (isinstance(event, Token) and bool(event.text.strip()))
                    yield event
            return
        except ChatbotError as error:
            if begun:
                raise
            wait = _wait(error, last=len(left) == 1, tries=tries, waited=waited)
            if wait is not None:
                if wait:
                    yield Progress(stage="waiting", what=Reason("model.waits", reason=error, seconds=max(1, wait)))
                await asyncio.sleep(wait)
                waited, tries = waited + wait, tries + 1
                continue
            if len(writers) == 1:
                raise
            failed.append(error.reason)
            left.pop(0)
            tries = 0
            if left:
                what = Reason("model.gives_way", reason=error, following=left[0].name)
                yield Progress(stage="fallback", what=what)
    raise ModelUnavailable("model.none_answers", reasons=failed)


def _wait(error: ChatbotError, *, last: bool, tries: int, waited: float) -> float | None:
    """How many seconds to wait before the same writer is asked again; None when it is not."""
    if not isinstance(error, ModelUnavailable) or error.again_s is None or waited + error.again_s > LONGEST_WAIT_S:
        return None
    if not last and error.again_s > 0:
        return None  # the next one can be asked at once
    return error.again_s if tries < (PATIENCE if error.patient else 1) else None


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
        self._scale = model.scales.get(self._language, 1.0)
        """How many tokens of the model one of ours (`tokens_of`) is."""
        self._prompt: list[BaseMessage] = []
        self._given = 0
        self._thoughts: list[str] = []
        self._begin()

    def _begin(self) -> None:
        self._reply = Reply(limit=self._model.max_output)
        self._filter = CitationFilter(len(self._brief.evidence))
        self._citations: tuple[Citation, ...] = ()
        self._said: list[str] = []
        self._raw: list[str] = []
        self._begun = False

    async def write(self) -> AsyncGenerator[WriterEvent]:
        started = time.perf_counter()
        await self._fit()
        try:
            async with aclosing(self._stream()) as events:
                async for event in events:
                    yield event
        except ModelUnavailable as error:
            if not error.too_long or self._begun:
                raise
            self._learn(error)
            self._begin()
            await self._fit()
            async with aclosing(self._stream()) as events:
                async for event in events:
                    yield event
        yield self._whole(time.perf_counter() - started)

    def _learn(self, error: ModelUnavailable) -> None:
        """What an error says of the size of a prompt that was too long; half of it fits where it says nothing."""
        scale = self._scale / UNTOLD
        if error.tokens is not None and error.room is not None:
            self._model.narrow(error.room)
            guessed = sum(tokens_of(str(message.text)) for message in self._prompt)
            scale = max(self._scale, MARGIN * error.tokens / guessed)
        self._scale = self._model.scales[self._language] = scale

    async def _fit(self) -> None:
        """Make the prompt. It is measured by the model's own tokenizer where that can be asked and may matter."""
        room = self._model.context - self._model.max_output
        for _ in range(FITTINGS):
            self._prompt, self._given = _messages(self._brief, self._language, int(room / self._scale))
            texts = [str(message.text) for message in self._prompt]
            if sum(len(text.encode()) for text in texts) <= room:
                return  # no tokenizer makes more tokens than there are bytes
            counted = await self._model.count(self._prompt)
            if counted is None or counted <= room:
                return
            self._scale = max(self._scale * MARGIN, MARGIN * counted / sum(map(tokens_of, texts)))

    async def _stream(self) -> AsyncGenerator[WriterEvent]:
        async with aclosing(self._reply.read(self._model, self._prompt)) as pieces:
            async for piece in pieces:
                for event in self._take(piece):
                    yield event
        if rest := self._say(self._filter.end()):
            yield Token(text=rest)
        if (failure := self._failure()) is not None:
            raise failure
        if self._reply.ending == "cut":
            limit, name = self._model.max_output, self._model.name
            cut = Reason("model.cut", limit=limit, name=name)
            note = Reason("model.cut_by_us", limit=limit, name=name) if self._reply.overran else cut
            yield Token(text=self._say(f"\n\n*{note.text(self._language)}*"))

    def _take(self, piece: Piece) -> list[WriterEvent]:
        events: list[WriterEvent] = []
        if piece.recant:
            self._thoughts += self._raw
            self._said, self._filter, self._begun = [], CitationFilter(len(self._brief.evidence)), False
            self._citations = ()
            events.append(Thought(recant=True))
        if piece.thought:
            self._thoughts.append(piece.thought)
            events.append(Thought(text=piece.thought))
        self._raw.append(piece.text)
        text = self._say(self._filter.add(piece.text if self._begun else piece.text.lstrip()))
        if len(self._filter.cited) > len(self._citations):
            events.append(Cited(citations=self._cited()))
        return [*events, Token(text=text)] if text else events

    def _cited(self) -> tuple[Citation, ...]:
        """The citations so far; the words behind each are looked for once."""
        self._citations += citations(self._filter.cited, self._brief.evidence, after=len(self._citations))
        return self._citations

    def _failure(self) -> ModelUnavailable | None:
        """What is wrong with the reply that has come; None when it is an answer."""
        reply, name = self._reply, self._model.name
        if reply.ending == "refused":
            words = " ".join(reply.refusal.split())[:LONGEST_REFUSAL]
            words = f" (“{words}”)" if words else ""
            if self._begun:
                return ModelUnavailable("model.refuses_to_go_on", name=name, words=words)
            return ModelUnavailable("model.refuses", name=name, words=words)
        if reply.ending == "tool":
            return ModelUnavailable("model.unasked_tool", name=name, tool=reply.tool)
        if reply.ending == "broken":
            return ModelUnavailable("model.stopped_inside", name=name, reason=reply.reason)
        if reply.ending is None and (self._begun or reply.thought):
            return ModelUnavailable("model.unfinished", name=name)
        if self._begun:
            return None
        if not reply.thought:
            return ModelUnavailable("model.empty_answer", name=name)
        if reply.ending == "cut":
            return ModelUnavailable("model.only_thoughts", name=name, limit=self._model.max_output)
        return ModelUnavailable("model.thought_only", name=name)

    def _say(self, text: str) -> str:
        self._said.append(text)
        self._begun = self._begun or bool(text.strip())
        return text

    def _whole(self, seconds: float) -> Written:
        text = "".join(self._said)
        input_tokens = self._reply.input_tokens or sum(tokens_of(str(message.text)) for message in self._prompt)
        output_tokens = self._reply.output_tokens or tokens_of(text)
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost=self._model.cost(input_tokens, output_tokens),
            seconds=seconds,
        )
        cited = self._cited()
        return Written(
            text=text,
            citations=cited,
            model=self._model.name,
            usage=usage,
            extractive=False,
            thought="".join(self._thoughts).strip(),
            cut=self._reply.ending == "cut",
            given=() if cited else self._passages(),
        )

    def _passages(self) -> tuple[Citation, ...]:
        """Those that the model was given."""
        given = self._brief.evidence[: self._given]
        return tuple(citation(number, one, one.text[:LONGEST_QUOTE]) for number, one in enumerate(given, 1))


def _messages(brief: Brief, language: Language, tokens: int) -> tuple[list["BaseMessage"], int]:
    """The prompt in at most so many tokens, and how many passages stand in it: rules, the conversation, then the passages as
    data between two random marks, and the question.
    """
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    mark = f"=== {secrets.token_hex(8)} ==="
    prompt = brief.scenario.prompt
    rules = prompt.get(language, prompt["en"]).replace("{mark}", mark).strip()
    room = tokens - tokens_of(rules)
    question = shortened(brief.question, int(room * QUESTION_SHARE))
    notes = "\n".join(f"{note.agent}: {note.text}" for note in brief.notes if note.text)
    conclusions = fill("conclusions", language, notes=shortened(notes, int(room * QUESTION_SHARE))) if notes else ""
    frame = question
    if brief.scenario.grounded:
        frame = fill("passages", language, mark=mark, passages=conclusions, question=question)
    history, passages = fit(brief.history, brief.evidence, Budget(room - tokens_of(frame)))
    last = question
    if brief.scenario.grounded:
        shown = "\n\n".join((*passages, conclusions)).strip()
        last = fill("passages", language, mark=mark, passages=shown, question=question)
    if history and history[-1].role == "user":  # nothing answered it, and the user cannot have two turns on end
        last = f"{history.pop().text}\n\n{last}"
    turns: list[BaseMessage] = [
        HumanMessage(turn.text) if turn.role == "user" else AIMessage(turn.text) for turn in history
    ]
    return [SystemMessage(rules), *turns, HumanMessage(last)], len(passages) if brief.scenario.grounded else 0
