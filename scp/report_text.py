"""What there is to say of a volume, in lines for a person."""

from collections.abc import Iterator

from pipeline.findings import MeasurementGroup
from pipeline.volume_report import VolumeReport

_UNITS = {"[hnsf'U]": "HU"}


def report_lines(volume: VolumeReport) -> Iterator[str]:
    """How a volume was made, what to know of it, what was measured on it."""
    receipt = volume.receipt
    if receipt.dropped:
        yield f"{len(receipt.kept)} instances used, {len(receipt.dropped)} left out: {receipt.rule}"
    yield from (*receipt.warnings, *volume.remarks)
    yield from map(group_text, volume.measurements)


def group_text(group: MeasurementGroup) -> str:
    """Measurements in a line."""
    values = ", ".join(
        f"{item.name.meaning} {item.value:.1f} {_UNITS.get(item.unit.value, item.unit.value)}"
        for item in group.measurements
    )
    return f"{group.label}: {values}"
