"""Which models do which work, as switched while the product runs; kept in the records."""

import json
from collections.abc import Sequence

from sqlalchemy import Column, Engine, String, Table, Text, delete, insert, select

from devops_chatbot.db.metadata import METADATA
from devops_chatbot.db.transactions import reading, writing

_assignments = Table(
    "role_assignments",
    METADATA,
    Column("role", String, primary_key=True),
    Column("models", Text, nullable=False),  # a JSON list of names
)


class RoleAssignments:
    """Roles that were switched; a role that never was is not in here. Safe for concurrent use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self) -> dict[str, tuple[str, ...]]:
        """Every switched role with its models."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(_assignments)).all()
        return {row.role: tuple(json.loads(row.models)) for row in rows}

    def save(self, role: str, models: Sequence[str]) -> None:
        """From now on this role is done by these models; an empty list counts as a choice."""
        row = {"role": role, "models": json.dumps(list(models))}
        with writing(self._engine) as connection:
            connection.execute(delete(_assignments).where(_assignments.c.role == role))
            connection.execute(insert(_assignments).values(row))

    def forget(self, role: str) -> None:
        """From now on this role is done as the settings say; one that was never switched is no error."""
        with writing(self._engine) as connection:
            connection.execute(delete(_assignments).where(_assignments.c.role == role))
