"""The ledger's tables."""

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

from scp.ledger.states import (
    AssociationEnd,
    CommitmentState,
    DeliveryState,
    JobState,
    SeriesState,
)

UID = String(64)
AE_TITLE = String(16)
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, on databases that keep no time zone too."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To naive UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From naive UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def _state(kind: type[StrEnum]) -> Enum:
    return Enum(
        kind,
        native_enum=False,
        length=16,
        values_callable=lambda states: [state.value for state in states],
    )


metadata = MetaData(naming_convention=NAMING)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("series_instance_uid", UID, nullable=False),
    Column("study_instance_uid", UID, nullable=False),
    Column("modality", String(16), nullable=False),
    Column("calling_ae_title", AE_TITLE, nullable=False),
    Column("called_ae_title", AE_TITLE, nullable=False),
    Column("state", _state(SeriesState), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("revision", Integer, nullable=False),
    Column("first_received_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=True),
    Column("on_hold", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("series_instance_uid", "called_ae_title"),
    Index(None, "state", "last_received_at"),
)

instance = Table(
    "instance",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("series_id", ForeignKey("series.id"), nullable=False, index=True),
    Column("sop_instance_uid", UID, nullable=False, index=True),
    Column("sop_class_uid", UID, nullable=False),
    Column("transfer_syntax_uid", UID, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("association_id", String(32), nullable=True),
)

association = Table(
    "association",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("calling_ae_title", AE_TITLE, nullable=False),
    Column("called_ae_title", AE_TITLE, nullable=False),
    Column("address", String(64), nullable=False),
    Column("receiver", Integer, nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Column("end", _state(AssociationEnd), nullable=True),
    Column("ended_at", UtcDateTime, nullable=True),
    Index(None, "end", "calling_ae_title"),
)

transmission = Table(
    "transmission",
    metadata,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("association_id", ForeignKey("association.id"), primary_key=True),
    Column("instances", Integer, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("series_id", ForeignKey("series.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("route", String(64), nullable=False),
    Column("pipeline", String(64), nullable=False),
    Column("destinations", JSON, nullable=False),
    Column("state", _state(JobState), nullable=False, index=True),
    Column("reason", Text, nullable=False, default=""),
    Column("stage", String(64), nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("settings_digest", String(64), nullable=True),
    Column("content_time", UtcDateTime, nullable=True),
    Column("volumes", JSON, nullable=True),
    Column("completeness", JSON(none_as_null=True), nullable=True),
    Column("is_stat", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=True),
    Column("finished_at", UtcDateTime, nullable=True),
    UniqueConstraint("series_id", "revision", "route", "pipeline"),
)

job_input = Table(
    "job_input",
    metadata,
    Column("job_id", ForeignKey("job.id"), primary_key=True),
    Column("instance_name", ForeignKey("instance.name"), primary_key=True),
)

result = Table(
    "result",
    metadata,
    Column("sop_instance_uid", UID, primary_key=True),
    Column("job_id", ForeignKey("job.id"), nullable=False, index=True),
    Column("series_instance_uid", UID, nullable=False, index=True),
    Column("sop_class_uid", UID, nullable=False),
    Column("file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("product", String(32), nullable=False, server_default=""),
    Column("form", String(64), nullable=False, server_default=""),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sop_instance_uid", ForeignKey("result.sop_instance_uid"), nullable=False),
    Column("job_id", ForeignKey("job.id"), nullable=False, index=True),
    Column("destination", String(64), nullable=False),
    Column("state", _state(DeliveryState), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime, nullable=True),
    Column("delivered_at", UtcDateTime, nullable=True),
    Column("claimed_until", UtcDateTime, nullable=True),
    Column("status", Integer, nullable=True),
    Column("reason", Text, nullable=False, default=""),
    UniqueConstraint("sop_instance_uid", "destination"),
    Index(None, "destination", "state", "next_attempt_at"),
)

proof_request = Table(
    "proof_request",
    metadata,
    Column("transaction_uid", UID, primary_key=True),
    Column("destination", String(64), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
)

rejection = Table(
    "rejection",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("calling_ae_title", AE_TITLE, nullable=False),
    Column("called_ae_title", AE_TITLE, nullable=False),
    Column("address", String(64), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("setting", String(128), nullable=False),
    Column("count", Integer, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    UniqueConstraint("calling_ae_title", "called_ae_title", "address", "reason"),
)

commitment = Table(
    "commitment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("transaction_uid", UID, nullable=False),
    Column("calling_ae_title", AE_TITLE, nullable=False),
    Column("called_ae_title", AE_TITLE, nullable=False),
    Column("address", String(64), nullable=False),
    Column("references", JSON, nullable=False),
    Column("state", _state(CommitmentState), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("reported_at", UtcDateTime, nullable=True),
    Column("reason", Text, nullable=False, default=""),
    Column("asked", Integer, nullable=False, server_default="0"),
    Column("outcome", JSON(none_as_null=True), nullable=True),
    UniqueConstraint("transaction_uid", "calling_ae_title"),
    Index(None, "state", "next_attempt_at"),
    Index(None, "state", "received_at", "asked"),
)

content_time = Table(
    "content_time",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("time", UtcDateTime, nullable=False),
)
