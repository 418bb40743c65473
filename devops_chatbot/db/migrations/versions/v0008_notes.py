"""A document tells what of its file was not read; those of an older version tell nothing until they are read anew."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("documents"):
        op.add_column("documents", sa.Column("notes", sa.Text, nullable=False, server_default="[]"))
