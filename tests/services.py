"""Services that tests need, each made ready once: before the first test where one was collected that needs it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import pytest

Given = TypeVar("Given")


class Missing(Exception):
    """A service cannot be had here; the text names it and the remedy."""


class Service(Generic[Given]):
    """Decorates a generator that is given a function to say what takes long, gives the service, and ends it."""

    def __init__(self, provide: Callable[[Callable[[str], None]], Iterator[Given]]) -> None:
        self._provide = contextlib.contextmanager(provide)
        self._given: Given | Missing | None = None

    def get(self, say: Callable[[str], None] = lambda _: None) -> Given:
        """The service; tried once. Raises `Missing`."""
        if self._given is None:
            try:
                self._given = _running.enter_context(self._provide(say))
            except Missing as missing:
                self._given = missing
        if isinstance(self._given, Missing):
            raise self._given
        return self._given


_running = contextlib.ExitStack()
end_all: Callable[[], None] = _running.close


def needed(service: Service[Given]) -> Given:
    """For a fixture: a service that is missing is a failure in CI, and a skip with the reason elsewhere."""
    try:
        return service.get()
    except Missing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"Not here: {missing}")
        pytest.skip(f"Not here: {missing}")
