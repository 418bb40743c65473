"""What is on its way in this process, one thing a conversation, so that a reloaded page finds its own again."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Live(Protocol):
    """Work that ends some time."""

    @property
    def ended(self) -> bool: ...


L = TypeVar("L", bound=Live)


class ByThread(Generic[L]):
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._by_thread: dict[str, L] = {}
        self._lock = threading.Lock()

    def start(self, thread: str, begin: Callable[[], L]) -> L:
        """Begin work for a conversation; one for which something is on its way already keeps that."""
        with self._lock:
            running = self.running(thread)
            if running is None:
                running = self._by_thread[thread] = begin()
            return running

    def of(self, thread: str) -> L | None:
        """What is on its way, or has ended and was not shown yet."""
        return self._by_thread.get(thread)

    def running(self, thread: str) -> L | None:
        """What is on its way."""
        live = self.of(thread)
        return live if live is not None and not live.ended else None

    def forget(self, thread: str) -> None:
        """Drop what has ended and was shown."""
        with self._lock:
            if self.running(thread) is None:
                self._by_thread.pop(thread, None)
