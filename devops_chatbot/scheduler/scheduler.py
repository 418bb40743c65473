"""One question, one way: understand, route, gather, write, remember; every step is an event of one stream."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

from devops_chatbot.access.principals import Principal
from devops_chatbot.answer.brief import Brief, Cited, Writer, Written
from devops_chatbot.answer.writer import ModelWriter, write
from devops_chatbot.chat import (
    Agent,
    Answer,
    Citation,
    Event,
    Evidence,
    Failure,
    Message,
    MessageContent,
    MessageState,
    Question,
    Route,
    Scenario,
    ScenarioState,
    Task,
    Thought,
    Thread,
    Token,
    Turn,
)
from devops_chatbot.conversations.threads import Threads
from devops_chatbot.errors import BadQuestion, BadRequest, ChatbotError, LimitReached, Unavailable
from devops_chatbot.i18n import Language, Reason
from devops_chatbot.llm import Models, NamedModel
from devops_chatbot.routing.examples import small_talk
from devops_chatbot.routing.parts import parts
from devops_chatbot.routing.query_rewriting import standalone, understood
from devops_chatbot.routing.router import Circumstances, Router
from knowledge.text.language import language_of

LONGEST_QUESTION = 20_000

log = logging.getLogger("devops_chatbot.scheduler")


class Suggest(Protocol):
    """Questions that the documents answer."""

    def __call__(self, principal: Principal, knowledge_bases: Sequence[str], language: Language) -> Sequence[str]: ...


class Scheduler:
    """Answers questions. One instance serves many at once.

    `extracts` writes where no language model does; `agents` are those that a scenario can name; `suggest` says what
    can be asked; `broken` are scenarios that could not be read, which are only shown.
    """

    def __init__(
        self,
        *,
        threads: Threads,
        models: Models,
        router: Router,
        extracts: Writer,
        agents: Mapping[str, Agent],
        suggest: Suggest,
        broken: Sequence[ScenarioState] = (),
    ) -> None:
        self._threads = threads
        self._models = models
        self._router = router
        self._extracts = extracts
        self._agents = agents
        self._suggest = suggest
        self._broken = broken

    def scenarios(self, principal: Principal) -> list[ScenarioState]:
        """What a question of this principal can name as its route."""
        return [*self._router.states(principal, language_model=self._has_model(None)), *self._broken]

    def check(self, question: Question) -> None:
        """Refuse what cannot be asked, before anything begins. Raises `BadQuestion`."""
        if len(question.text) > LONGEST_QUESTION:
            raise BadQuestion("question.too_long", length=len(question.text), most=LONGEST_QUESTION)
        if not question.regenerate and not question.text.strip():
            raise BadQuestion("question.empty")
        if question.scenario is not None:
            self._router.scenario(question.scenario)
        self._models.for_role("answer", named=question.model)

    async def ask(self, question: Question) -> AsyncGenerator[Event]:
        """The route first, an `Answer` or a `Failure` last. Closing the generator stops the work; what was said is
        kept in the thread as stopped. With `regenerate` the thread's last question is answered again, and the new
        answer takes the place of the old one.
        """
        turn = _Turn(question=question)
        try:
            async with aclosing(self._events(turn)) as events:
                async for event in events:
                    yield event
        except ChatbotError as error:
            message = await self._remember(turn, "failed", error=error.reason)
            yield Failure(
                error=type(error).__name__,
                reason=error.reason,
                status=_status(error),
                message_id=message.id if message else None,
            )
        except (GeneratorExit, asyncio.CancelledError):
            await asyncio.shield(self._remember_stopped(turn))
            raise

    async def _events(self, turn: "_Turn") -> AsyncGenerator[Event]:
        await self._open(turn)
        question = turn.question
        models = self._models.for_role("answer", named=question.model)
        query = standalone(question.text, question.history)
        circumstances = Circumstances(language_model=self._has_model(question.model), follows=bool(question.history))
        turn.route = await asyncio.to_thread(self._router.choose, question, query, circumstances)
        yield turn.route
        scenario = self._router.scenario(turn.route.scenario)
        if scenario.grounded and not all(model.extractive for model in models):
            query = await understood(question.text, question.history, self._models.for_role("route"))
        asked = tuple(parts(query))
        turn.warming = asyncio.create_task(_warm(models[0]))
        evidence: list[Evidence] = []
        for agent in scenario.agents:
            task = Task(question=question, query=query, parts=asked, route=turn.route, evidence=tuple(evidence))
            async with aclosing(cast("AsyncGenerator[Event]", self._agents[agent].gather(task))) as found:
                async for event in found:
                    if isinstance(event, Evidence):
                        evidence.append(event)
                    yield event
        brief = Brief(
            question=question.text,
            query=query,
            principal=question.principal,
            history=question.history,
            evidence=tuple(evidence),
            scenario=scenario,
            reply=await self._reply(question, scenario),
            parts=asked,
        )
        writers = [self._extracts if model.extractive else ModelWriter(model) for model in models]
        async with aclosing(write(brief, writers)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Written):
                    yield await self._answered(turn, turn.route, piece)
                    continue
                if isinstance(piece, Cited):
                    turn.cited = piece.citations
                    continue
                turn.take(piece)
                yield piece

    async def _open(self, turn: "_Turn") -> None:
        """Check the question, load what was said before, and keep the question in its thread."""
        question = turn.question
        self.check(question)
        if question.thread_id is None:
            return
        thread = await asyncio.to_thread(self._threads.of(question.principal).load, question.thread_id)
        if question.regenerate:
            asked = _last_question(thread)
            turn.instead_of = next((one.id for one in thread.messages[asked + 1 :]), None)
            earlier, text = thread.messages[:asked], thread.messages[asked].text
        else:
            earlier, text = thread.messages, question.text
        turn.question = replace(question, text=text, history=_history(earlier, question.history_turns))
        turn.opened = True
        if not question.regenerate:
            message = MessageContent(role="user", text=text, knowledge_bases=question.chosen)
            await asyncio.shield(
                asyncio.to_thread(self._threads.of(question.principal).append, question.thread_id, message)
            )

    async def _answered(self, turn: "_Turn", route: Route, written: Written) -> Answer:
        message = await self._remember(turn, "cut" if written.cut else "complete", written)
        turn.ended = True
        return Answer(
            text=written.text,
            citations=written.citations,
            route=route,
            model=written.model,
            usage=written.usage,
            extractive=written.extractive,
            thought=written.thought,
            cut=written.cut,
            given=written.given,
            message_id=message.id if message else None,
        )

    async def _remember(
        self, turn: "_Turn", state: MessageState, written: Written | None = None, *, error: Reason | None = None
    ) -> Message | None:
        """Keep the answer, or what there is of it, in its thread; a thread that was deleted meanwhile stays so."""
        thread_id = turn.question.thread_id
        if not turn.opened or turn.ended or thread_id is None:
            return None
        turn.ended = True
        text = written.text if written else "".join(turn.said)
        if turn.instead_of is not None and not text:
            return None  # the old answer is better than nothing
        message = MessageContent(
            role="assistant",
            text=text,
            citations=written.citations if written else turn.cited,
            route=turn.route,
            model=written.model if written else None,
            usage=written.usage if written else None,
            state=state,
            error=error,
            thought=written.thought if written else "".join(turn.thought),
            given=written.given if written else (),
        )
        try:
            theirs = self._threads.of(turn.question.principal)
            return await asyncio.to_thread(theirs.append, thread_id, message, instead_of=turn.instead_of)
        except BadRequest:
            return None

    async def _remember_stopped(self, turn: "_Turn") -> None:
        try:
            await self._remember(turn, "stopped")
        except ChatbotError as error:
            log.warning("what was said before the stop could not be kept: %s", error)

    async def _reply(self, question: Question, scenario: Scenario) -> str:
        """What the scenario says to small talk, and what can be asked now."""
        kind = small_talk(question.text)
        if kind is None or kind not in scenario.replies:
            return ""
        language = language_of(question.text)
        said = scenario.replies[kind].get(language, scenario.replies[kind]["en"])
        questions = await asyncio.to_thread(self._suggest, question.principal, question.chosen, language)
        tries = "\n".join(f"- {one}" for one in questions)
        follows = Reason("reply.questions", questions=tries) if tries else Reason("reply.no_documents")
        return f"{said} {follows.text(language)}"

    def _has_model(self, named: str | None) -> bool:
        return any(not model.extractive for model in self._models.for_role("answer", named=named))


@dataclass(slots=True, kw_only=True)
class _Turn:
    """A question on its way, and what there is of its answer."""

    question: Question
    route: Route | None = None
    said: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    cited: tuple[Citation, ...] = ()
    instead_of: str | None = None
    warming: asyncio.Task[None] | None = None
    opened: bool = False
    ended: bool = False

    def take(self, event: Event) -> None:
        """Keep what is said, and what is thought."""
        if isinstance(event, Token):
            self.said.append(event.text)
        elif isinstance(event, Thought):
            if event.recant:
                self.thought += self.said
                self.said, self.cited = [], ()
            self.thought.append(event.text)


async def _warm(model: NamedModel) -> None:
    """Import the model's package while the agents search; what goes wrong is said when the model is asked."""
    if model.extractive:
        return
    with suppress(ChatbotError):
        await asyncio.to_thread(model.open)


def _last_question(thread: Thread) -> int:
    """The position of the last question in a thread."""
    positions = [position for position, message in enumerate(thread.messages) if message.role == "user"]
    if not positions:
        raise BadQuestion("question.none_to_answer_again")
    return positions[-1]


def _history(messages: Sequence[Message], turns: int) -> tuple[Turn, ...]:
    """The last messages as the models see them, empty ones left out."""
    said = [message for message in messages if message.text.strip()]
    latest = said[-turns:] if turns else []
    return tuple(Turn(role=message.role, text=message.text, citations=message.citations) for message in latest)


def _status(error: ChatbotError) -> int:
    """Roughly; the doors have the whole table."""
    kinds: tuple[tuple[type[ChatbotError], int], ...] = ((BadRequest, 400), (Unavailable, 503), (LimitReached, 429))
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)
