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
            raise StoreUnavailable(_remedy(said)) from error
        raise


def _remedy(said: str) -> str:
    if "full" in said:
        return "The disk that holds the data directory is full. Free some space and try again."
    if "locked" in said:
        return "The records are locked by another program. Close it, or try again in a moment."
    if "readonly" in said or "read-only" in said or "unable to open" in said:
        return f"The records cannot be written ({said}). Check the rights of the data directory."
    return f"The records cannot be used: {said}. Check the disk of the data directory."
