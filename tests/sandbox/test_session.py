"""A session's end: by disuse, and what comes in between."""

import time

import pytest

from devops_chatbot.errors import NotFound
from sandbox.docker.session import LocalSession
from sandbox.model import Execution, Limits

ENDED = Execution(exit_code=0, stdout="", stderr="", seconds=0.0)


class Container:
    """What a session needs of a container."""

    gone = None
    languages = ("python",)
    container = "c"

    def open(self, language: str, *, egress: object = None, authorities: bytes = b"") -> None: ...

    def run(self, code: bytes, **options: object) -> Execution:
        return ENDED

    def close(self, reason: str = "") -> None:
        self.gone = reason  # type: ignore[assignment]


def test_a_session_that_is_used_while_it_is_about_to_be_closed_stays() -> None:
    closed: list[str] = []
    session = LocalSession(
        Container,  # type: ignore[arg-type]
        egress=None,
        limits=Limits(),
        language="python",
        caller="me",
        idle_s=1,
        longest_s=60,
        engine="none",
        on_close=closed.append,
    )
    time.sleep(1.1)
    assert session.expires_at < time.time()  # somebody who looks now is going to close it
    session.run("1")
    session.expire()
    assert session.run("1") == ENDED
    assert closed == []
    time.sleep(1.1)
    session.expire()
    assert closed == [session.id]
    with pytest.raises(NotFound, match="nobody used it"):
        session.run("1")
