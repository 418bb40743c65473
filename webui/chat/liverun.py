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
from webui.chat.by_thread import ByThread

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
                    if self._view.stopping:
                        return
                    self._begun = time.monotonic()
                    self._change(cell=cell, said=())
                    for event in client.bench.run(
                        self.thread, message=cell.message, block=cell.block, language=cell.language, code=cell.code
                    ):
                        if isinstance(event, CodeRun):
                            if event.exit_code != 0:
                                return
                            break
                        self._change(said=_shortened((*self._view.said, event)))
                    else:
                        return  # the stream broke off
        except ChatbotError as error:
            self._change(failure=error)
        finally:
            self._change(ended=True)

    def _change(self, **values: object) -> None:
        with self._changed:
            self._view = replace(self._view, version=self._view.version + 1, **values)  # type: ignore[arg-type]


@st.cache_resource(show_spinner=False)
def runs() -> ByThread[LiveRun]:
    """The code on its way in this process."""
    return ByThread()


def _shortened(said: tuple[OutputChunk, ...]) -> tuple[OutputChunk, ...]:
    """Neighbours of one stream joined, and the oldest dropped when it gets long."""
    if len(said) > 1 and said[-1].stream == said[-2].stream:
        said = (*said[:-2], OutputChunk(stream=said[-1].stream, text=(said[-2].text + said[-1].text)[-LONGEST_SHOWN:]))
    while len(said) > 1 and sum(len(each.text) for each in said) > LONGEST_SHOWN:
        said = said[1:]
    return said
