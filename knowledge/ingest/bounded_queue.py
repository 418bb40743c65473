"""A bounded pipe between two threads."""

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """Nobody reads from the channel any more; the writing thread has nothing left to do."""


class BoundedQueue(Generic[T]):
    """Holds things up to a total weight; a thing that is heavier than that passes alone.

    One thread puts, then calls `finish`; another takes. Either may `close` it: what is inside is dropped then.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._things: deque[tuple[T, int]] = deque()
        self._weight = 0
        self._finished = False
        self._closed = False
        self._changed = threading.Condition()

    def put(self, thing: T, weight: int = 1) -> None:
        """Wait until there is room. Raises `Closed`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._things or self._weight + weight <= self._capacity)
            if self._closed:
                raise Closed
            self._things.append((thing, weight))
            self._weight += weight
            self._changed.notify_all()

    def finish(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def close(self) -> None:
        """Drop what is inside and refuse more."""
        with self._changed:
            self._closed = self._finished = True
            self._things.clear()
            self._weight = 0
            self._changed.notify_all()

    def empty(self) -> bool:
        """Whether `take` would have to wait now."""
        with self._changed:
            return not self._things

    def take(self, weight: int, *, linger_s: float = 0.0) -> list[T]:
        """At least one thing, and more as long as their weight is at most `weight`; waits up to `linger_s` for more.

        Empty: nothing more will come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._things or self._finished)
            deadline = time.monotonic() + linger_s
            while self._weight < weight and not self._finished and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            taken: list[T] = []
            total = 0
            while self._things and (not taken or total + self._things[0][1] <= weight):
                thing, each = self._things.popleft()
                taken.append(thing)
                total += each
            self._weight -= total
            self._changed.notify_all()
            return taken
