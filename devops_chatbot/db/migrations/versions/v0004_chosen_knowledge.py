"""A question keeps which knowledge bases were chosen for it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("messages"):
        op.add_column("messages", sa.Column("knowledge_bases", sa.JSON, nullable=False, server_default="[]"))
