"""Results know what they are; rejected associations and storage commitments are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns and tables; results of before keep their deliveries and get no further ones."""
    op.add_column(
        "result",
        sa.Column("product", sa.String(length=32), nullable=False, server_default=""),
    )
    op.add_column(
        "result",
        sa.Column("form", sa.String(length=64), nullable=False, server_default=""),
    )
    _create_rejection()
    _create_commitment()


def _create_rejection() -> None:
    """Who was rejected, why, how often."""
    op.create_table(
        "rejection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("calling_ae_title", sa.String(length=16), nullable=False),
        sa.Column("called_ae_title", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("setting", sa.String(length=128), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(), nullable=False),
        sa.Column("last_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rejection"),
        sa.UniqueConstraint(
            "calling_ae_title",
            "called_ae_title",
            "address",
            "reason",
            name="uq_rejection_calling_ae_title_called_ae_title_address_reason",
        ),
    )


def _create_commitment() -> None:
    """What a sender asked us to commit to, and whether it was told the answer."""
    op.create_table(
        "commitment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("calling_ae_title", sa.String(length=16), nullable=False),
        sa.Column("called_ae_title", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("reported_at", sa.DateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_commitment"),
        sa.UniqueConstraint(
            "transaction_uid",
            "calling_ae_title",
            name="uq_commitment_transaction_uid_calling_ae_title",
        ),
    )
    op.create_index(
        "ix_commitment_state_next_attempt_at", "commitment", ["state", "next_attempt_at"]
    )
