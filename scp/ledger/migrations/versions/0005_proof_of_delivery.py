"""Deliveries are claimed by a courier, sent, and proven by their destination."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns and a table; what was delivered before stays so."""
    op.add_column("delivery", sa.Column("sent_at", sa.DateTime(), nullable=True))
    op.add_column("delivery", sa.Column("claimed_until", sa.DateTime(), nullable=True))
    op.create_table(
        "proof_request",
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_uid", name="pk_proof_request"),
    )
