"""What a kind of run does, as far as `Runs` needs to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from devops_chatbot.i18n import Reason
from devops_chatbot.work import Progress, RunState


class Cancelled(Exception):
    """A run need not go on: somebody cancelled it (no reason), or what it was about is gone."""

    def __init__(self, reason: Reason | None = None) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRun:
    """A run on its way: `payload` is what it was started with (plain JSON), `report` says how far it is, and once `stopping`
    is true a step should come to an end soon.
    """

    id: str
    kind: str
    subject: str
    payload: Mapping[str, Any]
    report: Callable[[Progress], None]
    stopping: Callable[[], bool]


class RunHandler(Protocol):
    """The work of a kind of run, step by step. Runs of one subject come one after the other.

    A step that was cut off is repeated, so each method may be called again with the same run. What they raise ends the
    run with that reason: `Cancelled` as cancelled, everything else as failed, an `Unavailable` only once it was tried again.
    """

    def plan(self, run: ActiveRun) -> None:
        """Once, before the first step."""

    def step(self, run: ActiveRun) -> bool:
        """Some of the work; False when none is left, or `run.stopping()` became true, which ends it early."""

    def finish(self, run: ActiveRun) -> None:
        """Once, after the last step."""

    def close(self, run: ActiveRun, state: RunState, reason: Reason | None) -> None:
        """Clear up behind a run that ends in this state, also one that never began; its end is written after that."""
