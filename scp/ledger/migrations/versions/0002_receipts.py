"""Jobs keep the receipts of the volumes they were done on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; jobs of before have none."""
    op.add_column("job", sa.Column("receipts", sa.JSON(), nullable=True))
