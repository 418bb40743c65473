"""Which models do which work, as switched while the product runs; kept in the records."""

import json
import threading
from collections.abc import Sequence

from sqlalchemy import Column, Engine, MetaData, String, Table, Text, delete, insert, select

from devops_chatbot.db.engine import reading, writing

_METADATA = MetaData()
_assignments = Table(
    "role_assignments",
    _METADATA,
    Column("role", String, primary_key=True),
    Column("models", Text, nullable=False),  # a JSON list of names
)


class RoleAssignments:
    """Roles that were switched; a role that never was is not in here. Safe for concurrent use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._prepared = False
        self._lock = threading.Lock()

    def load(self) -> dict[str, tuple[str, ...]]:
        """Every switched role with its models."""
        with reading(self._table()) as connection:
            rows = connection.execute(select(_assignments)).all()
        return {row.role: tuple(json.loads(row.models)) for row in rows}

    def save(self, role: str, models: Sequence[str]) -> None:
        """From now on this role is done by these models; an empty list counts as a choice."""
        row = {"role": role, "models": json.dumps(list(models))}
        with writing(self._table()) as connection:
            connection.execute(delete(_assignments).where(_assignments.c.role == role))
            connection.execute(insert(_assignments).values(row))

    def forget(self, role: str) -> None:
        """From now on this role is done as the settings say; one that was never switched is no error."""
        with writing(self._table()) as connection:
            connection.execute(delete(_assignments).where(_assignments.c.role == role))

    def _table(self) -> Engine:
        with self._lock:
            if not self._prepared:
                with writing(self._engine) as connection:
                    _METADATA.create_all(connection)
                self._prepared = True
        return self._engine
