"""SQL, read-only: SQLite and PostgreSQL databases that the settings name."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from agents.toolbox.building import tool
from devops_chatbot.errors import BadRequest, ChatbotError, NotFound, Unavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.tools import READY, Surroundings, Tool, ToolsetState

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

MOST_ROWS = 1000
STATEMENT_S = 20.0
CELL = 500
_DIALECTS = {"sqlite": "sqlite", "postgresql": "postgres"}
_HARMLESS = ("pg_size_pretty", "pg_database_size", "pg_relation_size", "pg_total_relation_size", "pg_table_size")
_HARMFUL = (
    "pg_",
    "lo_",
    "dblink",
    "load_extension",
    "set_config",
    "query_to_xml",
    "nextval",
    "setval",
    "readfile",
    "writefile",
)
"""How functions begin that do more than compute, even in a read-only transaction."""


class DatabaseSettings(BaseModel):
    """One database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(
        description="`sqlite:////path/to/file` or `postgresql+psycopg://user:password@host/database`"
    )


class SqlSettings(BaseModel):
    """The databases by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    databases: dict[str, DatabaseSettings] = Field(default={}, description="by the name that agents use")


class Sql:
    """One engine a database, opened on first use. A statement is parsed, and runs in a read-only transaction that is undone."""

    Settings = SqlSettings
    name = "sql"

    def __init__(self, settings: SqlSettings, surroundings: Surroundings) -> None:  # noqa: ARG002
        self._databases = settings.databases
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()

    async def state(self) -> ToolsetState:
        if not self._databases:
            return ToolsetState(state="disabled", why=Reason("sql.none", key="tools.sql.databases.NAME.url"))
        try:
            for name in self._databases:
                await asyncio.to_thread(self._query, name, "SELECT 1", 1)
        except ChatbotError as error:
            return ToolsetState(state="failed", why=error.reason)
        return READY

    def tools(self) -> Sequence[Tool]:
        return [tool(self.sql_schema), tool(self.sql_query)]

    async def sql_schema(
        self, database: Annotated[str, Field(description="its name; empty: lists the databases")] = ""
    ) -> str:
        """The tables of a database with their columns and types."""
        if not database:
            return "\n".join(f"{name} ({self._engine(name).dialect.name})" for name in self._databases) or "none"
        return await asyncio.to_thread(self._schema, database)

    async def sql_query(
        self,
        database: str,
        statement: Annotated[str, Field(description="one SELECT in the database's own dialect")],
        limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 100,
    ) -> str:
        """The rows of one SELECT. Nothing can be changed."""
        return await asyncio.to_thread(self._query, database, statement, limit)

    def _engine(self, name: str) -> "Engine":
        from sqlalchemy import create_engine
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        if name not in self._databases:
            raise NotFound("sql.not_found", name=name, known=list(self._databases))
        with self._lock:
            if name not in self._engines:
                try:
                    url = make_url(self._databases[name].url.get_secret_value())
                    if url.get_backend_name() == "sqlite":
                        url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
                    elif url.get_backend_name() != "postgresql":
                        raise BadRequest("sql.no_backend", name=name, backend=url.get_backend_name())
                    self._engines[name] = create_engine(url, pool_pre_ping=True, pool_size=2)
                except (ArgumentError, ImportError) as error:
                    raise Unavailable("sql.cannot_open", name=name, error=type(error).__name__) from None
            return self._engines[name]

    def _query(self, name: str, statement: str, limit: int) -> str:
        from sqlalchemy.exc import DBAPIError, OperationalError

        engine = self._engine(name)
        check(statement, _DIALECTS[engine.dialect.name])
        try:
            with engine.connect() as connection:
                _bound(connection)
                result = connection.exec_driver_sql(
                    statement.replace("%", "%%") if engine.dialect.name != "sqlite" else statement
                )
                rows = result.mappings().fetchmany(limit + 1)
                found = _table(list(result.keys()), rows[:limit])
                connection.rollback()
        except OperationalError as error:
            words = str(error.orig).strip()
            if "interrupted" in words or "timeout" in words:
                raise BadRequest("sql.too_slow", seconds=STATEMENT_S) from None
            if error.connection_invalidated or "connect" in words or "unable to open" in words:
                raise Unavailable("sql.cannot_open", name=name, error=words) from None
            raise BadRequest("sql.refused", error=words) from None
        except DBAPIError as error:
            raise BadRequest("sql.refused", error=str(error.orig).strip()) from None
        more = f"\nThere are more than {limit} rows; the rest is not shown." if len(rows) > limit else ""
        return f"{min(len(rows), limit)} rows\n{found}{more}"

    def _schema(self, name: str) -> str:
        from sqlalchemy import inspect
        from sqlalchemy.exc import DBAPIError

        try:
            inspector = inspect(self._engine(name))
            return (
                "\n".join(
                    f"{table}({', '.join(str(each['name']) + ' ' + str(each['type']) for each in inspector.get_columns(table))})"
                    for table in (*inspector.get_table_names(), *inspector.get_view_names())
                )
                or "The database has no tables."
            )
        except DBAPIError as error:
            raise Unavailable("sql.cannot_open", name=name, error=str(error.orig).strip()) from None


def check(statement: str, dialect: str) -> None:
    """Raises `BadRequest` for what is not exactly one query that only reads."""
    import sqlglot
    from sqlglot import exp

    try:
        trees = [tree for tree in sqlglot.parse(statement, read=dialect) if tree is not None]
    except sqlglot.errors.SqlglotError as error:
        raise BadRequest("sql.no_sql", error=error) from None
    if len(trees) != 1:
        raise BadRequest("sql.one_statement", count=len(trees))
    if not isinstance(trees[0], exp.Query):
        raise BadRequest("sql.only_select", kind=trees[0].key.upper())
    for node in trees[0].walk():
        if isinstance(node, exp.DML | exp.DDL | exp.Into | exp.Lock | exp.Command) and not isinstance(node, exp.Query):
            raise BadRequest("sql.only_select", kind=node.key.upper())
        if isinstance(node, exp.Func):
            called = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
            if called.startswith(_HARMFUL) and called not in _HARMLESS:
                raise BadRequest("sql.no_function", name=called)


def _bound(connection: "Connection") -> None:
    """Read-only, and for a bounded time."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(STATEMENT_S * 1000)}")
        return
    connection.exec_driver_sql("PRAGMA query_only = ON")
    until = time.monotonic() + STATEMENT_S
    raw: Any = connection.connection.driver_connection
    raw.set_progress_handler(lambda: time.monotonic() > until, 10_000)


def _table(columns: Sequence[str], rows: Sequence[Mapping[Any, Any]]) -> str:
    def cell(value: object) -> str:
        text = "NULL" if value is None else str(value).replace("\n", "\\n").replace("|", "\\|")
        return text if len(text) <= CELL else f"{text[:CELL]}… ({len(text)} characters)"

    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    return "\n".join([*lines, *(" | ".join(cell(row[name]) for name in columns) for row in rows)])
