"""What is told of a volume beside its DICOM results: to people, and to the ledger."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.findings import Finding, LabelMap, MeasurementGroup, ProbabilityMap
from pipeline.volume import Receipt


@dataclass(frozen=True, slots=True)
class VolumeReport:
    """A volume of a series and what was found on it, in words and numbers.

    Parameters
    ----------
    receipt
        How the volume was made.
    measurements
        In the order of the steps.
    remarks
        What a reader of the results must know; a sentence each.
    """

    receipt: Receipt
    measurements: tuple[MeasurementGroup, ...] = ()
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, fit for JSON."""
        return asdict(self)


def report_on(receipt: Receipt, findings: Sequence[Finding]) -> VolumeReport:
    """What findings on a volume say in words and numbers."""
    return VolumeReport(
        receipt,
        tuple(item for item in findings if isinstance(item, MeasurementGroup)),
        tuple(
            text
            for item in findings
            if isinstance(item, LabelMap | ProbabilityMap)
            for text in item.remarks
        ),
    )
