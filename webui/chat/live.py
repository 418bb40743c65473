"""Answers on their way: a thread reads a question's events, whoever looks at the page sees them grow.

A run of a Streamlit script is short and may be interrupted at any moment; an answer must survive that, and it must not
survive the person: when nobody has looked at it for `UNWATCHED_S`, or somebody stops it, its HTTP stream is closed, and
with it the work on the server.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from devops_chatbot.calls import ApprovalNeeded, ToolCall, Waiting
from devops_chatbot.chat import STOPPED, Answer, Event, Evidence, Failure, Note, Progress, Route, Thought, Token
from devops_chatbot.client.client import Client
from devops_chatbot.errors import ChatbotError
from devops_chatbot.i18n import Reason
from devops_chatbot.schemas.threads import NewMessage
from webui.chat.by_thread import ByThread

UNWATCHED_S = 15
STOP_WAIT_S = 3
STOPPED_HERE = Failure(error=STOPPED, reason=Reason("stream.stopped"), status=499)
CUT_OFF = Failure(error="Unavailable", reason=Reason("stream.cut_off"), status=503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as it was sent, or (without `message`) one that goes on after an approval; `before` is how many messages of
    the thread stood before its answer's question.
    """

    thread_id: str
    message: NewMessage | None
    before: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is there of an answer at one moment."""

    version: int = 0
    route: Route | None = None
    progress: Progress | None = None
    evidence: tuple[Evidence, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    thought: str = ""
    waiting: Waiting | None = None
    answer: Answer | None = None
    failure: Failure | None = None
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        return self.answer is not None or self.failure is not None or self.waiting is not None

    @property
    def stopped(self) -> bool:
        return self.failure is not None and self.failure.error == STOPPED


class LiveAnswer:
    """One question being answered. Safe to look at and to stop from any thread."""

    def __init__(self, open_client: Callable[[], Client], asked: Asked, *, unwatched_s: float = UNWATCHED_S) -> None:
        self.asked = asked
        self._open_client = open_client
        self._unwatched_s = unwatched_s
        self._changed = threading.Condition()
        self._view = View()
        self._begun = self._seen = time.monotonic()
        self._leave = threading.Event()
        self._reader = threading.Thread(target=self._read, name=f"answer-{asked.thread_id}", daemon=True)
        self._reader.start()

    def wait(self, version: int, timeout: float) -> View:
        """What is there now; blocks for `timeout` seconds unless something newer than `version` is there already."""
        with self._changed:
            self._seen = time.monotonic()
            self._changed.wait_for(lambda: self._view.version > version or self._view.ended, timeout)
            return replace(self._view, seconds=time.monotonic() - self._begun)

    def stop(self) -> None:
        """Stop the work on the server and close the stream; what had been said stays."""
        self._leave.set()
        self._tell_server()
        self._reader.join(STOP_WAIT_S)
        self._end(STOPPED_HERE)  # should the server not have said so itself

    @property
    def ended(self) -> bool:
        return self._view.ended

    def _tell_server(self) -> None:
        """Reading blocks while the model thinks, so the stream is closed from the server's end."""
        try:
            with self._open_client() as client:
                client.stop(self.asked.thread_id)
        except ChatbotError:
            return  # it has ended already, or the server is gone and the work with it

    def _read(self) -> None:
        watch = threading.Thread(target=self._watch, name="answer-watch", daemon=True)
        watch.start()
        try:
            with self._open_client() as client:
                message, thread = self.asked.message, self.asked.thread_id
                events = client.thread_events(thread) if message is None else client.ask(thread, message)
                try:
                    for event in events:
                        self._take(event)
                        if self._view.ended or self._leave.is_set():
                            break
                finally:
                    events.close()
        except ChatbotError as error:
            self._end(Failure(error=type(error).__name__, reason=error.reason, status=0))
        finally:
            self._end(STOPPED_HERE if self._leave.is_set() else CUT_OFF)

    def _watch(self) -> None:
        """Stops the work when nobody looks any more: the person has closed the page. What goes on after an approval is only
        followed here, and goes on.
        """
        while not self._view.ended and not self._leave.wait(min(1.0, self._unwatched_s / 4)):
            if time.monotonic() - self._seen > self._unwatched_s:
                self._leave.set()
                if self.asked.message is not None:
                    self._tell_server()

    def _take(self, event: Event) -> None:
        with self._changed:
            view = self._view
            match event:
                case Route():
                    new = replace(view, route=event)
                case Progress(stage="fallback"):  # another model begins anew
                    new = replace(view, progress=event, text="", thought="")
                case Progress():
                    new = replace(view, progress=event)
                case Evidence():
                    new = replace(view, evidence=(*view.evidence, event))
                case Thought(recant=True):
                    new = replace(view, thought=view.thought + view.text + event.text, text="", progress=None)
                case Thought():
                    new = replace(view, thought=view.thought + event.text, progress=None)
                case ToolCall():
                    known = [each for each in view.calls if each.id != event.id]
                    new = replace(view, calls=(*known, event))
                case Note() | ApprovalNeeded():
                    new = view
                case Waiting():
                    new = replace(view, waiting=event)
                case Token():
                    new = replace(view, text=view.text + event.text)
                case Answer():
                    new = replace(view, answer=event, text=event.text, thought=event.thought, route=event.route)
                case Failure():
                    new = replace(view, failure=event)
            self._view = replace(new, version=view.version + 1)
            self._changed.notify_all()

    def _end(self, failure: Failure) -> None:
        with self._changed:
            if not self._view.ended:
                self._take(failure)


@st.cache_resource(show_spinner=False)
def answers() -> ByThread[LiveAnswer]:
    """The answers on their way in this process."""
    return ByThread()
