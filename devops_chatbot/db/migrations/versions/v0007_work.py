"""A message keeps what agents did for it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("messages"):
        op.add_column("messages", sa.Column("work", sa.Text))
