"""The times inside results are kept by what the results are made of."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the table; a later version's results have new UIDs, so those of before need no row."""
    op.create_table(
        "content_time",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("time", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_content_time"),
    )
