"""Jobs keep how the volumes were made that they were done on, and what was measured."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; jobs of before have none."""
    op.add_column("job", sa.Column("volumes", sa.JSON(), nullable=True))
