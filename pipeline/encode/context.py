"""Who made a result, from what and when; and the UIDs that follow from it."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from pipeline.implementation import IMPLEMENTATION_VERSION_NAME
from pipeline.volume import Receipt

MANUFACTURER = "Hounsfield"
NOTICE = "Not for diagnosis"

_UID_NAMESPACE = UUID("d77b8749-caf1-4dd9-9281-2d18d03676c0")


def uid_from(*parts: object) -> str:
    """A UID that follows from its parts alone.

    Source: PS3.5 B.2 (UUID derived UIDs), RFC 4122 section 4.3 (name-based UUIDs).
    """
    name = json.dumps([str(part) for part in parts])
    return f"2.25.{uuid5(_UID_NAMESPACE, name).int}"


@dataclass(frozen=True, slots=True)
class ResultContext:
    """What all objects of one result share.

    Parameters
    ----------
    algorithm
        Its name, as settings give it.
    algorithm_version
        Raised by the algorithm's author when its results change.
    settings_digest
        Hex digest of every setting that changes a result.
    input_digests
        Hex SHA-256 of each source instance, sorted.
    content_time
        When the result was made, with its time zone. Frozen at the first attempt.
    series_number
        Series Number (0020,0011).
    content_qualification
        Content Qualification (0018,9004): RESEARCH, PRODUCT or SERVICE.
    notice
        What a page for people says of its use; empty says nothing.
    unicode
        Whether all text is said in UTF-8 (ISO_IR 192), else in the source's character set where
        that holds it.
    receipt
        How the volume was made; None where a caller has none.
    repeat
        How many steps of the same algorithm stand before this one in the pipeline.
    product
        What kind of object a finding is said as: each kind has UIDs of its own, but for the
        tracking UIDs that all kinds share.
    """

    algorithm: str
    algorithm_version: str
    settings_digest: str
    input_digests: tuple[str, ...]
    content_time: datetime
    series_number: int
    content_qualification: str = "RESEARCH"
    notice: str = NOTICE
    unicode: bool = False
    receipt: Receipt | None = None
    repeat: int = 0
    product: str = ""

    def __post_init__(self) -> None:
        if self.content_time.utcoffset() is None:
            raise ValueError("content_time needs a time zone")

    @property
    def author(self) -> str:
        """Algorithm and version, for people."""
        return f"{self.algorithm} {self.algorithm_version}"

    @property
    def phase(self) -> str:
        """Which of several volumes of the series this is, for people; else empty."""
        return str(self.receipt.phase) if self.receipt and self.receipt.phase else ""

    def series_uid(self, finding: str) -> str:
        """Series Instance UID of a finding."""
        return self._uid("series", self.product, finding)

    def instance_uid(self, finding: str, number: int) -> str:
        """SOP Instance UID of the instance with this Instance Number."""
        return self._uid("instance", self.product, finding, number)

    @property
    def device_uid(self) -> str:
        """UID of the device that made the result: the algorithm as it is configured."""
        return uid_from(
            "device",
            IMPLEMENTATION_VERSION_NAME,
            self.algorithm,
            self.algorithm_version,
            self.settings_digest,
        )

    def tracking_uid(self, finding: str, *segment_numbers: int) -> str:
        """Tracking UID (0062,0021) of a segment, or of several taken together."""
        return self._uid("tracking", finding, *segment_numbers)

    def dimension_organization_uid(self, finding: str) -> str:
        """Dimension Organization UID (0020,9164) of a multi-frame finding."""
        return self._uid("dimension organization", self.product, finding)

    def _uid(self, role: str, *what: object) -> str:
        return uid_from(
            role,
            IMPLEMENTATION_VERSION_NAME,
            self.algorithm,
            self.algorithm_version,
            self.repeat,
            self.settings_digest,
            *sorted(self.input_digests),
            "volume",
            self.phase,
            *what,
        )
