"""Code on its way: a thread reads what a run says, whoever looks at the page sees it grow, a reload finds it again."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from devops_chatbot.client.client import Client
from devops_chatbot.code import CodeRun
from devops_chatbot.errors import ChatbotError
from sandbox.model import OutputChunk

LONGEST_SHOWN = 60_000
"""Characters of a run's output that are shown while it runs; the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A code block of an answer, and the code to run for it."""

    message: str
    block: int
    language: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """What there is of a run at one moment; `said` holds pieces of output with their stream, in order."""

    version: int = 0
    cell: Cell
    said: tuple[OutputChunk, ...] = ()
    failure: ChatbotError | None = None
    ended: bool = False
    stopping: bool = False
    seconds: float = 0.0


class LiveRun:
    """Cells that run one after the other, until one of them fails. Safe to look at and to stop from any thread."""

    def __init__(self, open_client: Callable[[], Client], thread: str, cells: Sequence[Cell]) -> None:
        self.thread = thread
        self.cells = tuple(cells)
        self._open_client = open_client
        self._changed = threading.Lock()
        self._begun = time.monotonic()
        self._view = RunView(cell=self.cells[0])
        threading.Thread(target=self._run, name=f"run-{thread}", daemon=True).start()

    def view(self) -> RunView:
        """What there is now."""
        with self._changed:
            return replace(self._view, seconds=time.monotonic() - self._begun)

    @property
    def ended(self) -> bool:
        return self._view.ended

    def stop(self) -> None:
        """Interrupt the code; the run ends with what there is of it. Cells that wait are not run."""
        self._change(stopping=True)
        try:
            with self._open_client() as client:
                client.bench.interrupt(self.thread)
        except ChatbotError as error:
            self._change(failure=error)

    def _run(self) -> None:
        try:
            with self._open_client() as client:
                for cell in self.cells:
                    if self._view.stopping or not self._went_well(client, cell):
                        break
        except ChatbotError as error:
            self._change(failure=error)
        finally:
            self._change(ended=True)

    def _went_well(self, client: Client, cell: Cell) -> bool:
        self._begun = time.monotonic()
        self._change(cell=cell, said=())
        events = client.bench.run(
            self.thread, message=cell.message, block=cell.block, language=cell.language, code=cell.code
        )
        for event in events:
            if isinstance(event, CodeRun):
                return event.exit_code == 0
            self._change(said=_shortened((*self._view.said, event)))
        return False

    def _change(self, **values: object) -> None:
        with self._changed:
            self._view = replace(self._view, version=self._view.version + 1, **values)  # type: ignore[arg-type]


class LiveRuns:
    """The runs on their way in this process, by thread."""

    def __init__(self) -> None:
        self._by_thread: dict[str, LiveRun] = {}
        self._lock = threading.Lock()

    def start(self, open_client: Callable[[], Client], thread: str, cells: Sequence[Cell]) -> LiveRun:
        """Run these; a thread in which something runs already keeps that."""
        with self._lock:
            running = self._by_thread.get(thread)
            if running is None or running.ended:
                running = self._by_thread[thread] = LiveRun(open_client, thread, cells)
            return running

    def of(self, thread: str | None) -> LiveRun | None:
        return self._by_thread.get(thread or "")

    def forget(self, thread: str) -> None:
        """Drop a run that has ended and was shown."""
        with self._lock:
            live = self._by_thread.get(thread)
            if live is not None and live.ended:
                del self._by_thread[thread]


@st.cache_resource(show_spinner=False)
def runs() -> LiveRuns:
    """The code on its way in this process."""
    return LiveRuns()


def _shortened(said: tuple[OutputChunk, ...]) -> tuple[OutputChunk, ...]:
    """Neighbours of one stream joined, and the oldest dropped when it gets long."""
    if len(said) > 1 and said[-1].stream == said[-2].stream:
        said = (*said[:-2], OutputChunk(stream=said[-1].stream, text=(said[-2].text + said[-1].text)[-LONGEST_SHOWN:]))
    while len(said) > 1 and sum(len(each.text) for each in said) > LONGEST_SHOWN:
        said = said[1:]
    return said
