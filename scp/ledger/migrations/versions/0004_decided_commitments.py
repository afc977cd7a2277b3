"""Storage commitments keep what was decided; instances are found by their SOP Instance UID."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns and indexes; commitments of before are not decided."""
    op.add_column(
        "commitment", sa.Column("asked", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("commitment", sa.Column("outcome", sa.JSON(), nullable=True))
    op.create_index(
        "ix_commitment_state_received_at_asked", "commitment", ["state", "received_at", "asked"]
    )
    op.create_index("ix_instance_sop_instance_uid", "instance", ["sop_instance_uid"])
