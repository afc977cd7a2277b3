"""What a survey found, in words: lines of a label, a value and how good it is."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from pydicom.uid import UID

from pipeline.volume import Dropped, Receipt
from pipeline.volume.suv import SuvFactor
from scp.inspect.orientation import affine_orientation
from scp.inspect.positions import Lane, Layout
from scp.inspect.sparkline import BLOCKS, sparkline
from scp.inspect.survey import Content, SeriesSurvey, Verdict, VolumeSurvey
from scp.inspect.values import Values

_NAMED_DISTANCES = 5
_NAMED_REASONS = 6
_NAMED_INSTANCES = 3
_NAMED_LANES = 6
_NAMED_THICKNESSES = 6


class Tone(StrEnum):
    """How good news is, as a colour of a terminal."""

    PLAIN = ""
    GOOD = "green"
    REMARK = "yellow"
    BAD = "red"


@dataclass(frozen=True, slots=True)
class Line:
    """A line on a series or volume."""

    label: str
    text: str
    tone: Tone = Tone.PLAIN


def series_lines(survey: SeriesSurvey) -> Iterator[Line]:
    """What a series holds, and what becomes of it, but for the volumes themselves."""
    if survey.content:
        yield from _content_lines(survey.content)
    yield from layout_lines(survey.layout)
    match survey.verdict:
        case Verdict.REFUSED:
            yield Line("refused", survey.reason, Tone.BAD)
        case Verdict.NO_IMAGE:
            yield Line("no image", survey.reason, Tone.REMARK)


def layout_lines(layout: Layout) -> Iterator[Line]:
    """Where images lie."""
    if layout.thickness_mm:
        values = listed([f"{value:g}" for value in layout.thickness_mm], _NAMED_THICKNESSES)
        yield Line("thickness", f"{values} mm by the header")
    for lane in layout.lanes[:_NAMED_LANES]:
        odd = bool(lane.gaps or lane.uneven or lane.shared or len(layout.lanes) > 1)
        yield Line("positions", lane_text(lane), Tone.REMARK if odd else Tone.PLAIN)
    more = len(layout.lanes) - _NAMED_LANES
    if more > 0:
        yield Line("positions", f"and {more} more orientations", Tone.REMARK)
    if layout.unplaced:
        text = f"{_number(layout.unplaced, 'image')} without a position"
        yield Line("positions", text, Tone.REMARK)


def lane_text(lane: Lane) -> str:
    """Where the images of one orientation lie, and which distances are odd."""
    odd = (*lane.gaps, *lane.uneven)
    if not odd:
        return lane_summary(lane)
    named = [
        f"{lane.distance_after(index):.2f} mm after {lane.positions[index].mm:.2f} mm"
        for index in odd
    ]
    return f"{lane_summary(lane)}: {listed(named, _NAMED_DISTANCES)}"


def lane_summary(lane: Lane) -> str:
    """Where the images of one orientation lie, and how much is odd about it."""
    first, last = lane.positions[0].mm, lane.positions[-1].mm
    if lane.typical_mm is None:
        return f"{lane.orientation}, {_number(lane.images, 'image')} at {first:.2f} mm"
    text = (
        f"{lane.orientation}, {lane.images} images at {len(lane.positions)} positions, "
        f"{first:.2f} to {last:.2f} mm, mostly {lane.typical_mm:.3f} mm apart"
    )
    odd = (
        (lane.shared, "shared position"),
        (len(lane.gaps), "gap"),
        (len(lane.uneven), "uneven distance"),
    )
    return "; ".join([text, *(_number(count, what) for count, what in odd if count)])


def volume_lines(survey: VolumeSurvey, ramp: str = BLOCKS) -> Iterator[Line]:
    """What a volume is, how it was built and what it holds.

    Parameters
    ----------
    survey
        The volume.
    ramp
        Characters for the histogram, from low to high.
    """
    receipt = survey.receipt
    yield Line("volume" + _which(receipt), volume_text(receipt), Tone.GOOD)
    yield from _grid_lines(receipt)
    yield from _origin_lines(receipt)
    if survey.values:
        yield Line("values", values_text(survey.values))
        bars = sparkline(survey.values.histogram, ramp)
        yield Line("histogram", f"{bars}  (logarithmic)")
    for warning in receipt.warnings:
        yield Line("warning", warning, Tone.REMARK)


def volume_text(receipt: Receipt) -> str:
    """Shape, spacing, orientation, and which phase it is."""
    shape = " x ".join(str(size) for size in receipt.shape)
    spacing = " x ".join(f"{value:.4g}" for value in receipt.spacing_mm)
    text = (
        f"{shape} voxels of {spacing} mm (slice, row, column), {affine_orientation(receipt.affine)}"
    )
    return f"{text}; {receipt.phase}" if receipt.phase else text


def values_text(values: Values) -> str:
    """The range of a volume's values."""
    text = f"{values.minimum:g} to {values.maximum:g}"
    return f"{text}; {values.not_numbers} voxels hold no number" if values.not_numbers else text


def listed(texts: Sequence[str], most: int) -> str:
    """The first few texts, and how many more there are."""
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _content_lines(content: Content) -> Iterator[Line]:
    yield Line("modality", content.modality or "not given")
    if content.description:
        yield Line("description", content.description)
    yield Line("instances", _counted(content.sop_classes))
    yield Line("syntax", _counted(content.transfer_syntaxes))


def _counted(uids: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} x {UID(uid).name}" for uid, count in uids)


def _which(receipt: Receipt) -> str:
    return f" {receipt.phase.number} of {receipt.phase.count}" if receipt.phase else ""


def _grid_lines(receipt: Receipt) -> Iterator[Line]:
    spacing_mm, first_two_mm = receipt.spacing_mm[0], receipt.slice_thickness_mm
    text = f"{spacing_mm:.6g} mm between slices: {receipt.spacing_rule}"
    if spacing_mm != first_two_mm:
        text += f"; the first two are {first_two_mm:.6g} mm apart"
    yield Line("spacing", text)
    matrix = np.array(receipt.affine)
    yield Line("origin", f"{_vector(matrix[:3, 3])} mm, LPS")
    directions = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    named = zip(("slices", "rows", "columns"), directions.T, strict=True)
    yield Line("directions", ", ".join(f"{name} {_vector(direction)}" for name, direction in named))


def _vector(values: npt.NDArray[np.float64]) -> str:
    # Adding zero makes a plain zero of a negative one.
    return f"({', '.join(f'{round(value, 4) + 0:g}' for value in values)})"


def _origin_lines(receipt: Receipt) -> Iterator[Line]:
    total = len(receipt.kept) + len(receipt.dropped)
    yield Line("rule", f"{receipt.rule}; {len(receipt.kept)} of {total} images kept")
    yield from (Line("dropped", text, Tone.REMARK) for text in _dropped_texts(receipt.dropped))
    yield Line("rescale", receipt.rescale)
    if receipt.padding:
        yield Line("padding", f"{', '.join(map(str, receipt.padding))} as stored; kept")
    if receipt.suv:
        yield _suv_line(receipt.suv)


def _dropped_texts(dropped: Sequence[Dropped]) -> Iterator[str]:
    """A line for each reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for item in dropped:
        by_reason[item.reason].append(item.name)
    for reason, names in list(by_reason.items())[:_NAMED_REASONS]:
        yield f"{len(names)} ({reason}): {listed(names, _NAMED_INSTANCES)}"
    rest = list(by_reason.values())[_NAMED_REASONS:]
    if rest:
        yield f"{sum(map(len, rest))} more for {len(rest)} other reasons; --json names all"


def _suv_line(suv: SuvFactor) -> Line:
    if suv.factor is None:
        return Line("SUV", f"no factor: {suv.reason}", Tone.REMARK)
    text = f"{suv.factor:.6g} g/ml by body weight for each unit of value"
    if suv.inputs and suv.inputs.scan_time:
        text += f"; decay since the injection up to {suv.inputs.scan_time}"
    return Line("SUV", text)
