"""The two ways to use the database: a read, and one write transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from devops_chatbot.errors import StoreUnavailable


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
