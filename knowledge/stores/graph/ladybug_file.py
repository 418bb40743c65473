"""One LadybugDB file: opened on first use, one transaction at a time, and going on after a disk was full."""

import ctypes
import errno
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devops_chatbot.errors import BadRequest
from devops_chatbot.i18n import Reason
from knowledge.stores.errors import has_room, unavailable

NAME = Reason("store.graph")
CHECKPOINT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is folded into the file when it is this long; doing it each 16 MB doubles the cost of a batch."""
QUERY_TIMEOUT_MS = 10_000
REOPENING_BYTES = 16 * 1024 * 1024
"""After a full disk the file is opened anew, and written to, only with so much room."""
_WRITES = ("read-only", "read only", "write")

_log = logging.getLogger(__name__)


class LadybugFile:
    """The database in the file `path`; `tables` are the statements that make what it lacks. Raises `StoreUnavailable`."""

    def __init__(self, path: Path, *, tables: Sequence[str], buffer_mb: int) -> None:
        self._path = path
        self._tables = tables
        self._buffer = buffer_mb
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._database: Any = None
        self._ready = False
        self._torn = False
        self._local = threading.local()

    def exists(self) -> bool:
        """Whether anything was ever written; reading makes no file."""
        return self._database is not None or self._path.exists()

    def read(self, cypher: str, parameters: Mapping[str, object]) -> list[list[Any]]:
        """The rows of a statement of ours."""
        if not self.exists():
            return []
        with self._translated():
            return rows_of(self._connection(), cypher, parameters)

    def read_only(self, cypher: str, parameters: Mapping[str, object], limit: int) -> list[dict[str, object]]:
        """At most `limit` rows of a foreign statement. Raises `BadRequest`."""
        if not self.exists():
            return []
        with self._translated():
            connection = self._connection()
            connection.execute("BEGIN TRANSACTION READ ONLY")
            try:
                found = connection.execute(cypher, parameters)
                if isinstance(found, list):
                    raise BadRequest("graph.several_statements")
                names = found.get_column_names()
                return [dict(zip(names, row, strict=True)) for row in found.get_n(limit)]
            except RuntimeError as error:
                said = str(error)
                if "transaction" in said.lower() and any(word in said.lower() for word in _WRITES):
                    raise BadRequest("graph.writes") from error
                raise BadRequest("graph.bad_statement", error=said) from error
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A connection whose changes are kept when the block ends, and only then."""
        with self._writing, self._translated():
            with self._opening:
                if self._torn and not has_room(self._path.parent, REOPENING_BYTES):
                    raise OSError(errno.ENOSPC, "it could not be written to, and there is still too little room")
                if self._torn:
                    self._forget()
            connection = self._connection()
            connection.execute("BEGIN TRANSACTION")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        with self._opening:
            if self._database is not None and not self._torn:
                self._database.close()
            self._forget()

    def _forget(self) -> None:
        self._database = None
        self._torn = False
        self._ready = False
        self._local = threading.local()

    def _connection(self) -> Any:
        """This thread's own connection."""
        with self._opening:
            import ladybug

            if self._database is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._database = self._opened()
                for left in self._path.parent.glob("*.lbug*"):
                    if not left.name.startswith(self._path.name):
                        _log.info("%s is of an older release and is not used any more.", left)
                        left.unlink()
            if not self._ready:
                opened = ladybug.Connection(self._database)
                for statement in self._tables:
                    opened.execute(statement)
                self._local = threading.local()
                self._ready = True
            if getattr(self._local, "connection", None) is None:
                self._local.connection = ladybug.Connection(self._database, num_threads=1)
                self._local.connection.set_query_timeout(QUERY_TIMEOUT_MS)
            return self._local.connection

    def _opened(self) -> Any:
        import ladybug

        def database(*, whole: bool) -> Any:
            return ladybug.Database(
                self._path,
                buffer_pool_size=self._buffer * 1024 * 1024,
                checkpoint_threshold=CHECKPOINT_BYTES,
                throw_on_wal_replay_failure=whole,
            )

        try:
            return database(whole=True)
        except RuntimeError as error:
            if "WAL file is corrupted" not in str(error):
                raise
            _log.warning(
                "The log of %s breaks off, as when a disk was full: what was written whole is kept.", self._path
            )
            return database(whole=False)

    def _keep_open(self) -> None:
        """Never close a database whose log could not be written; its file, opened anew, has all that was committed before.

        Closing it on a full disk aborts the process, closing it later would write into the file that the next one uses, and
        the next COMMIT in it would never return.
        """
        with self._opening:
            if self._database is not None and not self._torn:
                self._torn = True
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._database))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, OSError) as error:
            if "Cannot write to file" in str(error):
                self._keep_open()
            raise unavailable(NAME, self._path, error) from error


def rows_of(connection: Any, cypher: str, parameters: Mapping[str, object]) -> list[list[Any]]:
    """All rows of a statement."""
    return list(connection.execute(cypher, dict(parameters)).get_all())
