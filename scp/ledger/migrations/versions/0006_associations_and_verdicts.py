"""Instances know the association that brought them, jobs why their series counted as complete."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables and columns; instances of before came over unknown associations."""
    op.create_table(
        "association",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("calling_ae_title", sa.String(16), nullable=False),
        sa.Column("called_ae_title", sa.String(16), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("receiver", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("end", sa.String(16), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_association"),
    )
    op.create_index(
        "ix_association_end_calling_ae_title", "association", ["end", "calling_ae_title"]
    )
    op.create_table(
        "transmission",
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("association_id", sa.String(32), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(), nullable=False),
        sa.Column("last_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name="fk_transmission_series_id_series"
        ),
        sa.ForeignKeyConstraint(
            ["association_id"],
            ["association.id"],
            name="fk_transmission_association_id_association",
        ),
        sa.PrimaryKeyConstraint("series_id", "association_id", name="pk_transmission"),
    )
    op.add_column("instance", sa.Column("association_id", sa.String(32), nullable=True))
    op.add_column("series", sa.Column("opened_at", sa.DateTime(), nullable=True))
    op.add_column(
        "series", sa.Column("on_hold", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("job", sa.Column("completeness", sa.JSON(), nullable=True))
    op.add_column(
        "job", sa.Column("is_stat", sa.Boolean(), nullable=False, server_default=sa.false())
    )
