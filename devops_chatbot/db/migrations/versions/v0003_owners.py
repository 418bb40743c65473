"""Every record has an owner: what was there belongs to the local user. Names of knowledge bases are unique to their owner."""

import sqlalchemy as sa
from alembic import op

from devops_chatbot.access.principals import LOCAL

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    for table in ("threads", "knowledge_bases", "runs"):
        if inspector.has_table(table):
            op.add_column(table, sa.Column("owner", sa.String, nullable=False, server_default=LOCAL.id))
            op.create_index(f"ix_{table}_owner", table, ["owner"])
    if inspector.has_table("knowledge_bases"):
        connection.execute(sa.text("UPDATE knowledge_bases SET name_key = owner || '/' || name_key"))
