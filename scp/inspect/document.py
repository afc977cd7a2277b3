"""A survey in values that JSON has: complete, for a program.

Series Description is left out, for people write anything into it, names of patients too.
"""

from collections.abc import Sequence
from typing import Any

from pydicom.uid import UID

from scp.inspect.orientation import affine_orientation
from scp.inspect.positions import Lane
from scp.inspect.survey import Content, Found, SeriesSurvey, VolumeSurvey
from scp.inspect.values import Values

_BINS = 64


def found_document(found: Found, series: list[dict[str, Any]]) -> dict[str, Any]:
    """All series, and the files passed over.

    Parameters
    ----------
    found
        What was read.
    series
        A document for each series.
    """
    return {
        "series": series,
        "passed_over": [
            {"file": str(item.path), "reason": item.reason} for item in found.unreadable
        ],
    }


def series_document(survey: SeriesSurvey, picture: str | None) -> dict[str, Any]:
    """A series, with the complete receipt of every volume."""
    return {
        "series_instance_uid": survey.series_instance_uid,
        "instances": survey.instances,
        **_content(survey.content),
        "slice_thickness_header_mm": list(survey.layout.thickness_mm),
        "positions": [_lane(lane) for lane in survey.layout.lanes],
        "images_without_position": survey.layout.unplaced,
        "verdict": survey.verdict.value,
        "reason": survey.reason or None,
        "volumes": [_volume(volume) for volume in survey.volumes],
        "picture": picture,
    }


def _content(content: Content | None) -> dict[str, Any]:
    if content is None:
        return {"modality": None, "sop_classes": [], "transfer_syntaxes": []}
    return {
        "modality": content.modality,
        "sop_classes": _counted(content.sop_classes),
        "transfer_syntaxes": _counted(content.transfer_syntaxes),
    }


def _counted(uids: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"uid": uid, "name": UID(uid).name, "instances": count} for uid, count in uids]


def _lane(lane: Lane) -> dict[str, Any]:
    return {
        "orientation": lane.orientation,
        "normal": list(lane.normal),
        "typical_distance_mm": lane.typical_mm,
        "gaps_after_mm": [lane.positions[index].mm for index in lane.gaps],
        "uneven_after_mm": [lane.positions[index].mm for index in lane.uneven],
        "places": [
            {"mm": position.mm, "images": list(position.names)} for position in lane.positions
        ],
    }


def _volume(volume: VolumeSurvey) -> dict[str, Any]:
    return {
        "orientation": affine_orientation(volume.receipt.affine),
        "receipt": volume.receipt.as_dict(),
        "values": None if volume.values is None else _values(volume.values),
    }


def _values(values: Values) -> dict[str, Any]:
    histogram = values.histogram.coarser(_BINS)
    return {
        "minimum": values.minimum,
        "maximum": values.maximum,
        "not_numbers": values.not_numbers,
        "histogram": {
            "edges": histogram.edges.tolist(),
            "counts": histogram.counts.tolist(),
        },
    }
