"""The embedding model that was `bundled` is `fast` from now on: what it made stays with it, and `bundled` is another."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    connection = op.get_bind()
    if sa.inspect(connection).has_table("knowledge_bases"):
        connection.execute(sa.text("UPDATE knowledge_bases SET embedding = 'fast' WHERE embedding = 'bundled'"))
