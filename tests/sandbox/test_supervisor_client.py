"""A container's stream: what happens when the other end keeps silent."""

import threading
from collections.abc import Iterator

import pytest

from sandbox.docker.supervisor_client import Gone, SupervisorClient


class Silent:
    """A stream whose other end takes everything and never says a word."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def send(self, data: bytes) -> None: ...

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        self._closed.wait()
        yield from ()

    def close(self) -> None:
        self._closed.set()


def test_a_container_that_does_not_answer_has_gone() -> None:
    channel = SupervisorClient(Silent(), on_tunnel=lambda *_: None, patience_s=0.1)  # type: ignore[arg-type]
    with pytest.raises(Gone, match=r"did not answer within 0\.1 seconds"):
        channel.call("list")
    assert channel.gone.is_set()
    with pytest.raises(Gone, match="did not answer"):
        channel.call("list")
