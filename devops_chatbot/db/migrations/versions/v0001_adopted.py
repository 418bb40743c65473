"""The first version that counts its revisions: what was made before it is taken over as it stands."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if inspector.has_table("messages") and "error" not in {each["name"] for each in inspector.get_columns("messages")}:
        op.add_column("messages", sa.Column("error", sa.Text, nullable=False, server_default=""))
