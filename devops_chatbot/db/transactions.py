"""The ways to use the database: a read, one write transaction, and one that several threads share."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from devops_chatbot.errors import StoreUnavailable

T = TypeVar("T")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One connection for reads. Raises `StoreUnavailable`."""
    with translated(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that owns the write lock from its start, committed at the end unless something is raised.

    Taking the lock first keeps what the transaction reads true until it commits. Raises `StoreUnavailable`.
    """
    with translated(), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


class GroupCommit:
    """Write transactions that come at the same time, committed as one: a commit waits for the disk, and one wait serves all.

    Safe for concurrent use, which is what it is for.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._waiting: deque[tuple[Callable[[Connection], Any], Future[Any]]] = deque()

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once it is on the disk. What it raises undoes its own changes alone.

        Raises `StoreUnavailable`, also when the database refuses something of another `work` in the same transaction.
        """
        done: Future[T] = Future()
        self._waiting.append((work, done))
        with self._turn:  # who gets it does what has gathered, so that most find theirs done
            if not done.done():
                self._write_waiting()
        return done.result()

    def _write_waiting(self) -> None:
        together = [self._waiting.popleft() for _ in range(len(self._waiting))]
        results: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            with writing(self._engine) as connection:
                for work, done in together:
                    try:
                        with connection.begin_nested():
                            results.append((done, work(connection), None))
                    except DBAPIError:
                        raise
                    except Exception as error:  # noqa: BLE001 it goes to the one whose work it is
                        results.append((done, None, error))
        except Exception as error:  # noqa: BLE001 it goes to everyone
            results = [(done, None, error) for _, done in together]
        for done, result, failed in results:
            if failed is None:
                done.set_result(result)
            else:
                done.set_exception(failed)


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the database says into `StoreUnavailable` that says what to do."""
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig)
        if isinstance(error, OperationalError) or error.connection_invalidated or "malformed" in said:
            raise _unavailable(said) from error
        raise


def _unavailable(said: str) -> StoreUnavailable:
    if "full" in said:
        return StoreUnavailable("disk.full")
    if "locked" in said:
        return StoreUnavailable("records.locked")
    if "readonly" in said or "read-only" in said or "unable to open" in said:
        return StoreUnavailable("records.not_writable", error=said)
    return StoreUnavailable("records.unusable", error=said)
