"""An answer keeps what its model thought, and the passages it was given where it cited none."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("messages"):
        op.add_column("messages", sa.Column("thought", sa.Text, nullable=False, server_default=""))
        op.add_column("messages", sa.Column("given", sa.Text, nullable=False, server_default="[]"))
