"""Opens the relational database (threads, knowledge bases, documents, runs): one SQLAlchemy engine, SQLite by default."""

from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

from devops_chatbot.db.migrate import bring_up_to_date
from devops_chatbot.errors import StoreUnavailable

BUSY_TIMEOUT_S = 15


def open_database(path: Path) -> Engine:
    """An engine on the SQLite file at `path`, its tables made or migrated: write-ahead log, foreign keys, 15 s of patience.

    A commit is on disk when it returns (`synchronous=FULL`), because a run that says "done" must stay done. Raises
    `StoreUnavailable` when the file cannot be opened or is no database, and `ConfigError` when a newer version wrote it.
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
            pass
    except DatabaseError as error:
        raise StoreUnavailable("records.cannot_open", path=path, error=error.orig) from error
    bring_up_to_date(engine)
    return engine
