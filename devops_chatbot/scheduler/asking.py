"""A question on its way, and what of its conversation goes with it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from devops_chatbot.calls import ToolCall, Work
from devops_chatbot.chat import Citation, Event, Message, Question, Route, Thought, Thread, Token, Turn
from devops_chatbot.errors import BadQuestion
from devops_chatbot.i18n import Reason

R = TypeVar("R")
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Asking:
    """A question on its way, and what there is of its answer. `held` is the message in which it waited for people,
    `asked` the one with the question.
    """

    question: Question
    route: Route | None = None
    held: str | None = None
    calls: dict[str, ToolCall] = field(default_factory=dict)
    limit: Reason | None = None
    said: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    cited: tuple[Citation, ...] = ()
    instead_of: str | None = None
    asked: str | None = None
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

    def noted(self, call: ToolCall) -> ToolCall:
        """Keep the newest state of a call, and hand it on."""
        self.calls[call.id] = call
        return call

    def work(self) -> Work | None:
        """What agents did, where they used tools. A call that was going on is cut off with its question."""
        if not self.calls and self.limit is None:
            return None
        return Work(calls=tuple(self.calls.values()), limit=self.limit)


def last_question(thread: Thread) -> int:
    """The position of the last question in a thread."""
    positions = [position for position, message in enumerate(thread.messages) if message.role == "user"]
    if not positions:
        raise BadQuestion("question.none_to_answer_again")
    return positions[-1]


def history_of(messages: Sequence[Message], turns: int) -> tuple[Turn, ...]:
    """The last messages as the models see them, empty ones left out."""
    said = [message for message in messages if message.text.strip()]
    latest = said[-turns:] if turns else []
    return tuple(Turn(role=message.role, text=message.text, citations=message.citations) for message in latest)


async def to_the_end(work: Callable[[T], R], given: T) -> R:
    """In a thread, which is waited for also when who waits is cancelled: what it keeps is there before what comes after."""
    running = asyncio.create_task(asyncio.to_thread(work, given))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
