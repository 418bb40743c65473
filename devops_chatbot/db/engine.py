"""The relational records (threads, knowledge bases, documents, jobs): one SQLAlchemy engine, SQLite by default."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from devops_chatbot.errors import StoreUnavailable

BUSY_TIMEOUT_S = 15


def open_records(path: Path) -> Engine:
    """An engine on the SQLite file at `path` (made when missing): write-ahead log, foreign keys, 15 s of patience.

    A commit is on disk when it returns (`synchronous=FULL`), because a job that says "done" must stay done. Raises
    `StoreUnavailable` when the file cannot be opened or is no database.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    try:
        with engine.connect():
            return engine
    except DatabaseError as error:
        raise StoreUnavailable(
            f"The records in {path} cannot be opened ({error.orig}). Put back a copy of the data directory, or move it "
            "away to begin with an empty one."
        ) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One connection for reads. Raises `StoreUnavailable`."""
    with _translated(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that owns the write lock from its start, committed unless something is raised.

    Raises `StoreUnavailable`.
    """
    with _translated(), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        said = str(error.orig)
        if "full" in said:
            raise StoreUnavailable("The disk of the data directory is full. Free some space and try again.") from error
        if "locked" in said:
            raise StoreUnavailable("The records are locked by another program. Try again in a moment.") from error
        raise StoreUnavailable(f"The records cannot be used ({said}). Check the data directory.") from error
