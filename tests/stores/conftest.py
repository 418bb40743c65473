"""A disk without room."""

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

NoRoom = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def no_room() -> NoRoom:
    """`with no_room():` no file of this process can grow beyond a few kilobytes."""

    @contextmanager
    def narrow() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return narrow
