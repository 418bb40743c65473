"""The relational records (threads, knowledge bases, documents, jobs): one SQLAlchemy engine, SQLite by default."""

from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_S = 15


def open_records(path: Path) -> Engine:
    """An engine on the SQLite file at `path` (made when missing): write-ahead log, foreign keys, 15 s of patience.

    A commit is on disk when it returns (`synchronous=FULL`), because a job that says "done" must stay done.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
