"""One question, one way: understand, route, gather, write, remember; every step is an event of one stream."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

from devops_chatbot.access.principals import Principal
from devops_chatbot.answer.brief import Brief, Cited, Writer, Written
from devops_chatbot.answer.writer import ModelWriter, write
from devops_chatbot.calls import ApprovalNeeded, ToolCall, Waiting
from devops_chatbot.chat import (
    Agent,
    Answer,
    Event,
    Failure,
    Message,
    MessageContent,
    MessageState,
    Note,
    Question,
    Route,
    ScenarioState,
    Task,
    Token,
)
from devops_chatbot.conversations.threads import Threads
from devops_chatbot.errors import (
    BadQuestion,
    BadRequest,
    ChatbotError,
    LimitReached,
    NotAllowed,
    NotFound,
    Unavailable,
)
from devops_chatbot.i18n import Reason
from devops_chatbot.llm import Models, NamedModel
from devops_chatbot.routing.parts import parts
from devops_chatbot.routing.query_rewriting import standalone, understood
from devops_chatbot.routing.router import Circumstances, Router
from devops_chatbot.scheduler.approvals import Approvals
from devops_chatbot.scheduler.asking import Asking, history_of, last_question, to_the_end
from devops_chatbot.scheduler.small_talk import Suggest, reply
from devops_chatbot.scheduler.teams import NOBODY, Journal, Suspended, TeamRun
from devops_chatbot.tools import Caller
from devops_chatbot.values import from_json, to_json
from knowledge.text.language import language_of

LONGEST_QUESTION = 20_000

log = logging.getLogger("devops_chatbot.scheduler")


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
        approvals: Approvals,
        broken: Sequence[ScenarioState] = (),
    ) -> None:
        self._threads = threads
        self._models = models
        self._router = router
        self._extracts = extracts
        self._agents = agents
        self._suggest = suggest
        self._approvals = approvals
        self._working: dict[str, asyncio.Event] = {}
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
        turn = Asking(question=question)
        try:
            async with aclosing(self._events(turn)) as events:
                async for event in events:
                    yield event
        except ChatbotError as error:
            yield await self._failed(turn, error)
        except (GeneratorExit, asyncio.CancelledError):
            await asyncio.shield(self._remember_stopped(turn))
            raise
        finally:
            self._free(turn.held or "")

    async def _events(self, turn: Asking) -> AsyncGenerator[Event]:
        query, route = await to_the_end(self._open, turn)
        turn.route = route
        yield route
        question = turn.question
        models = self._models.for_role("answer", named=question.model)
        scenario = self._router.scenario(route.scenario)
        if scenario.grounded and not all(model.extractive for model in models):
            query = await understood(question.text, question.history, self._models.for_role("route"))
        turn.warming = asyncio.create_task(_warm(models[0]))
        async for event in self._carry_out(turn, Suspended(question=question, query=query, route=route)):
            yield event

    async def resume(self, message: str) -> AsyncGenerator[Event]:
        """Go on with a question that waited for people: make the calls that were approved, then as `ask`. Ends with `Waiting`
        again when somebody still has to decide. Closing the generator leaves it waiting. Raises `NotFound` when it does not
        wait. One at a time for a message (`works_on`).
        """
        kept = await asyncio.to_thread(self._approvals.suspended, message)
        if kept is None:
            raise NotFound("approval.not_waiting", message=message)
        suspended = from_json(Suspended, kept)
        turn = Asking(
            question=suspended.question,
            route=suspended.route,
            opened=True,
            held=message,
            calls={call.id: call for call in suspended.calls},
        )
        try:
            async with aclosing(self._go_on(turn, suspended)) as events:
                async for event in events:
                    yield event
        except ChatbotError as error:
            yield await self._failed(turn, error)
        finally:
            self._free(message)

    def works_on(self, message: str) -> bool:
        """Whether the question that waited in this message is going on now."""
        return message in self._working

    async def free(self, message: str) -> None:
        """Returns once nothing works on it."""
        while working := self._working.get(message):
            await working.wait()

    def _free(self, message: str) -> None:
        if working := self._working.pop(message, None):
            working.set()

    async def give_up(self, message: str) -> None:
        """End a question that waits, or goes on, because somebody stopped it."""
        kept = await asyncio.to_thread(self._approvals.suspended, message)
        if kept is None:
            return
        suspended = from_json(Suspended, kept)
        turn = Asking(question=suspended.question, route=suspended.route, opened=True, held=message)
        turn.calls = {call.id: call for call in suspended.calls}
        await self._remember(turn, "stopped")

    async def _go_on(self, turn: Asking, suspended: Suspended) -> AsyncGenerator[Event]:
        """Make the approved calls; then carry the question out, when nobody has to decide any more."""
        held_in = turn.held or ""
        self._working.setdefault(held_in, asyncio.Event())
        who = Caller(principal=turn.question.principal, thread=turn.question.thread_id, sources=suspended.route.sources)
        for approval in await asyncio.to_thread(self._approvals.of_message, held_in):
            if approval.state == "approved":
                yield turn.noted(replace(approval.call, state="running", approval=approval.id))
                if done := await self._approvals.run(approval, who):
                    yield turn.noted(done)
        held = await asyncio.to_thread(self._approvals.of_message, held_in)
        open_ones = tuple(each.id for each in held if each.state == "open")
        turn.ended = bool(open_ones)  # who leaves now leaves a question that waits
        if open_ones:
            yield Waiting(message_id=held_in, approvals=open_ones)
            return
        outcomes = {each.id: each.outcome for each in held if each.outcome is not None}
        async for event in self._carry_out(turn, replace(suspended, outcomes=outcomes)):
            yield event

    async def _carry_out(self, turn: Asking, suspended: Suspended) -> AsyncGenerator[Event]:
        """Let the team work, and write the answer; or keep all of it, when a call has to be approved."""
        scenario = self._router.scenario(suspended.route.scenario)
        question, journal = suspended.question, suspended.journal
        asked = tuple(parts(suspended.query))
        base = Task(
            question=question,
            query=suspended.query,
            parts=asked,
            route=suspended.route,
            member=NOBODY,
            limits=scenario.limits,
        )
        team = TeamRun(scenario, self._agents, base, journal, suspended.outcomes)
        async with aclosing(team.events()) as found:
            async for each in found:
                if isinstance(each, ToolCall):
                    turn.noted(each)
                elif isinstance(each, Note) and each.limit:
                    turn.limit = each.limit
                yield each
        if journal.waiting:
            async for event in self._suspend(turn, suspended, journal):
                yield event
            return
        models = self._models.for_role("answer", named=question.model)
        brief = Brief(
            question=question.text,
            query=suspended.query,
            principal=question.principal,
            history=question.history,
            evidence=journal.evidence,
            notes=journal.notes,
            scenario=scenario,
            reply=await asyncio.to_thread(reply, question, scenario, self._suggest),
            parts=asked,
        )
        writers = [self._extracts if model.extractive else ModelWriter(model) for model in models]
        async with aclosing(write(brief, writers)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Written):
                    if turn.limit:
                        remark = f"\n\n*{turn.limit.text(language_of(question.text))}*"
                        yield Token(text=remark)
                        piece = replace(piece, text=piece.text + remark)
                    yield await self._answered(turn, suspended.route, piece)
                    continue
                if isinstance(piece, Cited):
                    turn.cited = piece.citations
                    continue
                turn.take(piece)
                yield piece

    async def _suspend(self, turn: Asking, suspended: Suspended, journal: Journal) -> AsyncGenerator[Event]:
        """Keep the question in its message until people have decided, or go on at once where they have decided before."""
        if turn.question.thread_id is None:
            raise NotAllowed("approval.no_thread")
        proposals = [each for pause in journal.waiting.values() for each in pause.proposals]
        for each in proposals:
            turn.noted(each.call)
        if turn.held is None:
            message = await self._remember(turn, "waiting")
            turn.ended, turn.instead_of = False, None
            if message is None:
                return  # its conversation was deleted meanwhile
            turn.held = message.id
        state = replace(
            suspended, question=turn.question, journal=journal, calls=tuple(turn.calls.values()), outcomes={}
        )
        approvals = await asyncio.to_thread(
            self._approvals.suspend,
            turn.question.thread_id,
            turn.held,
            turn.question.text,
            proposals,
            to_json(state).decode(),
        )
        for approval in approvals:
            if approval.state == "open":
                turn.ended = True
                yield ApprovalNeeded(approval=approval)
        async for event in self._go_on(turn, state):
            yield event

    def _open(self, turn: Asking) -> tuple[str, Route]:
        """Check the question, load what was said before, keep the question in its thread, and route it.

        Returns the question as it stands on its own, and its route.
        """
        question = turn.question
        self.check(question)
        if question.thread_id is not None:
            threads, thread_id = self._threads.of(question.principal), question.thread_id
            thread = threads.load(thread_id)
            if question.regenerate:
                asked = last_question(thread)
                turn.instead_of = next((one.id for one in thread.messages[asked + 1 :]), None)
                earlier, text = thread.messages[:asked], thread.messages[asked].text
                turn.asked = thread.messages[asked].id
            else:
                earlier, text = thread.messages, question.text
            turn.question = question = replace(question, text=text, history=history_of(earlier, question.history_turns))
            turn.opened = True
            if not question.regenerate:
                message = MessageContent(role="user", text=text, knowledge_bases=question.chosen)
                turn.asked = threads.append(thread_id, message).id
        query = standalone(question.text, question.history)
        circumstances = Circumstances(language_model=self._has_model(question.model), follows=bool(question.history))
        return query, self._router.choose(question, query, circumstances)

    async def _failed(self, turn: Asking, error: ChatbotError) -> Failure:
        message = await self._remember(turn, "failed", error=error.reason)
        return Failure(
            error=type(error).__name__,
            reason=error.reason,
            status=_status(error),
            message_id=message.id if message else None,
        )

    async def _answered(self, turn: Asking, route: Route, written: Written) -> Answer:
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
            work=turn.work(),
        )

    async def _remember(
        self, turn: Asking, state: MessageState, written: Written | None = None, *, error: Reason | None = None
    ) -> Message | None:
        """Keep the answer, or what there is of it, in its thread; a thread that was deleted meanwhile stays so."""
        thread_id = turn.question.thread_id
        if not turn.opened or turn.ended or thread_id is None:
            return None
        turn.ended = True
        text = written.text if written else "".join(turn.said)
        if turn.instead_of is not None and not text and state != "waiting":
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
            work=turn.work(),
        )
        try:
            theirs = self._threads.of(turn.question.principal)
            if turn.held is None:
                return await asyncio.to_thread(
                    theirs.append, thread_id, message, instead_of=turn.instead_of, answers=turn.asked
                )
            kept = await asyncio.to_thread(theirs.finish, thread_id, turn.held, message)
            await asyncio.to_thread(self._approvals.forget, turn.held)
            return kept
        except BadRequest:
            return None

    async def _remember_stopped(self, turn: Asking) -> None:
        try:
            await self._remember(turn, "stopped")
        except ChatbotError as error:
            log.warning("what was said before the stop could not be kept: %s", error)

    def _has_model(self, named: str | None) -> bool:
        return any(not model.extractive for model in self._models.for_role("answer", named=named))


async def _warm(model: NamedModel) -> None:
    """Import the model's package while the agents search; what goes wrong is said when the model is asked."""
    if model.extractive:
        return
    with suppress(ChatbotError):
        await model.opened()


def _status(error: ChatbotError) -> int:
    """Roughly; the doors have the whole table."""
    kinds: tuple[tuple[type[ChatbotError], int], ...] = ((BadRequest, 400), (Unavailable, 503), (LimitReached, 429))
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)
