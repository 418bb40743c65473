"""An answer knows its question, so that two questions asked at once keep their order; older ones stay where they are."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("messages"):
        op.add_column("messages", sa.Column("answers", sa.String))
