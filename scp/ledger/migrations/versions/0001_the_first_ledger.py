"""The first ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _create_series()
    _create_jobs()
    _create_outbox()


def _create_series() -> None:
    """Series and the index of their instances."""
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("calling_ae_title", sa.String(length=16), nullable=False),
        sa.Column("called_ae_title", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("first_received_at", sa.DateTime(), nullable=False),
        sa.Column("last_received_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint(
            "series_instance_uid",
            "called_ae_title",
            name="uq_series_series_instance_uid_called_ae_title",
        ),
    )
    op.create_index("ix_series_state_last_received_at", "series", ["state", "last_received_at"])

    op.create_table(
        "instance",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name="fk_instance_series_id_series"),
        sa.PrimaryKeyConstraint("name", name="pk_instance"),
    )
    op.create_index("ix_instance_series_id", "instance", ["series_id"])


def _create_jobs() -> None:
    """Jobs and their inputs."""
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("route", sa.String(length=64), nullable=False),
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("destinations", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("settings_digest", sa.String(length=64), nullable=True),
        sa.Column("content_time", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name="fk_job_series_id_series"),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint(
            "series_id",
            "revision",
            "route",
            "pipeline",
            name="uq_job_series_id_revision_route_pipeline",
        ),
    )
    op.create_index("ix_job_state", "job", ["state"])

    op.create_table(
        "job_input",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("instance_name", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_name"], ["instance.name"], name="fk_job_input_instance_name_instance"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_input_job_id_job"),
        sa.PrimaryKeyConstraint("job_id", "instance_name", name="pk_job_input"),
    )


def _create_outbox() -> None:
    """Results and their deliveries."""
    op.create_table(
        "result",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_result_job_id_job"),
        sa.PrimaryKeyConstraint("sop_instance_uid", name="pk_result"),
    )
    op.create_index("ix_result_job_id", "result", ["job_id"])
    op.create_index("ix_result_series_instance_uid", "result", ["series_instance_uid"])

    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_delivery_job_id_job"),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"],
            ["result.sop_instance_uid"],
            name="fk_delivery_sop_instance_uid_result",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint(
            "sop_instance_uid", "destination", name="uq_delivery_sop_instance_uid_destination"
        ),
    )
    op.create_index(
        "ix_delivery_destination_state_next_attempt_at",
        "delivery",
        ["destination", "state", "next_attempt_at"],
    )
    op.create_index("ix_delivery_job_id", "delivery", ["job_id"])
