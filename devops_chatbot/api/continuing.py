"""Goes on with questions that waited for people, whoever looks; and lets readers follow."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from devops_chatbot.chat import STOPPED, Event, Failure
from devops_chatbot.errors import ChatbotError, NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.scheduler.approvals import Approvals
from devops_chatbot.scheduler.scheduler import Scheduler

LOOK_S = 20.0
"""How often it is looked for questions whose approvals have expired."""
KEPT_S = 60.0
"""How long the events of one that has ended can still be followed."""
STOPPED_WORD = Failure(error=STOPPED, reason=Reason("stream.stopped"), status=499)

log = logging.getLogger("devops_chatbot.api")


@dataclass(slots=True)
class _Going:
    """One question that goes on: its events so far, and who is told of new ones."""

    thread: str
    events: list[Event] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: "asyncio.Task[None] | None" = None
    ended: bool = False
    again: bool = False

    async def say(self, event: Event) -> None:
        async with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    async def end(self) -> None:
        async with self.changed:
            self.ended = True
            self.changed.notify_all()


class Continuations:
    """On the event loop of one server. What it works on when the server ends goes on at the next start."""

    def __init__(self, scheduler: Scheduler, approvals: Approvals) -> None:
        self._scheduler = scheduler
        self._approvals = approvals
        self._going: dict[str, _Going] = {}
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Put right what the end of the last process left, go on with what can, and look after the rest."""
        for message in await self._approvals.settle():
            await self.start(message)
        self._watch = asyncio.create_task(self._look())

    async def close(self) -> None:
        tasks = [each.task for each in self._going.values() if each.task] + ([self._watch] if self._watch else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def start(self, message: str) -> None:
        """Go on with this message's question, in its own time; once more when it is going on already."""
        going = self._going.get(message)
        if going is not None and not going.ended:
            going.again = True
            return
        thread = await run_in_threadpool(self._approvals.thread_of, message)
        if thread is None:
            return
        going = self._going[message] = _Going(thread)
        going.task = asyncio.create_task(self._go_on(message, going))

    async def follow(self, thread: str) -> AsyncGenerator[Event]:
        """The events of what goes on in this conversation, from its beginning. Raises `NotFound` when nothing does."""
        going = next((each for each in reversed(self._going.values()) if each.thread == thread), None)
        if going is None:
            raise NotFound("approval.nothing_runs")
        position = 0
        while True:
            async with going.changed:
                while len(going.events) == position and not going.ended:
                    await going.changed.wait()
                fresh, ended = going.events[position:], going.ended
            for event in fresh:
                yield event
            position += len(fresh)
            if ended and position == len(going.events):
                return

    async def stop(self, thread: str) -> bool:
        """Give up what goes on, or waits, in this conversation; false when nothing does."""
        messages = await run_in_threadpool(self._approvals.waiting_in, thread)
        for message in messages:
            going = self._going.get(message)
            if going is not None and going.task is not None and not going.ended:
                going.task.cancel()
                await asyncio.gather(going.task, return_exceptions=True)
                await going.say(STOPPED_WORD)
            await self._scheduler.give_up(message)
        return bool(messages)

    async def _go_on(self, message: str, going: _Going) -> None:
        try:
            while True:
                going.again = False
                await self._scheduler.free(message)
                with suppress(NotFound):  # answered or given up meanwhile
                    async with aclosing(self._scheduler.resume(message)) as events:
                        async for event in events:
                            await going.say(event)
                if not going.again:
                    return
        except ChatbotError as error:
            log.warning("a question that waited could not go on: %s", error)
        except Exception:
            log.exception("a question that waited broke off")
            await self._scheduler.give_up(message)
        finally:
            await asyncio.shield(going.end())
            asyncio.get_running_loop().call_later(KEPT_S, self._drop, message, going)

    def _drop(self, message: str, going: _Going) -> None:
        if self._going.get(message) is going:
            del self._going[message]

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                ready = await run_in_threadpool(self._approvals.ready)
            except ChatbotError as error:
                log.warning("approvals cannot be read: %s", error)
                continue
            for message in ready:
                if not self._scheduler.works_on(message):
                    await self.start(message)
