"""The sandbox that is not there: says why, whatever it is asked."""

# ruff: noqa: ARG002 - the arguments are those of the protocol

from collections.abc import Callable, Sequence
from typing import NoReturn

from devops_chatbot.errors import NotFound, SandboxUnavailable
from devops_chatbot.i18n import Reason
from sandbox.model import DEFAULT_LANGUAGE, UNNAMED, AttackResult, Limits, SessionInfo


class DisabledSandbox:
    """Implements `Sandbox` where code may not be run."""

    def __init__(self, why: Reason) -> None:
        self._why = why

    def ready(self) -> NoReturn:
        """See `Sandbox`."""
        raise SandboxUnavailable(self._why)

    def open(
        self, limits: Limits | None = None, *, language: str = DEFAULT_LANGUAGE, caller: str = UNNAMED
    ) -> NoReturn:
        """See `Sandbox`."""
        raise SandboxUnavailable(self._why)

    def get(self, session_id: str, *, caller: str | None = None) -> NoReturn:
        """See `Sandbox`."""
        raise NotFound("sandbox.no_session_here", id=session_id, why=self._why)

    def selftest(self, say: Callable[[AttackResult], None] = lambda _: None) -> Sequence[AttackResult]:
        """See `Sandbox`."""
        raise SandboxUnavailable(self._why)

    def list(self, *, caller: str | None = None) -> list[SessionInfo]:
        """See `Sandbox`."""
        return []

    def close(self) -> None:
        """See `Sandbox`."""
