"""The lungs of a chest CT, as the grt123 team's preparation finds them.

Air is found slice by slice (`lung_air`), the component that is lung is chosen (`lung_regions`),
its holes are filled and it is split in two (`lung_split`). The masks are the reference's, voxel
for voxel, as its code gives them with scikit-image 0.26 and scipy 1.17.

Source: seed 003, the walkthrough of the winning entry of the Data Science Bowl 2017.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.lung_air import find_air
from pipeline.algorithms.lung_fill import fill_enclosed
from pipeline.algorithms.lung_regions import find_lungs
from pipeline.algorithms.lung_split import Lung, Split, split_lungs
from pipeline.algorithms.measure import measure_lungs
from pipeline.algorithms.registry import Algorithm
from pipeline.errors import NoLungFoundError, NotApplicableError
from pipeline.findings import Code, Finding, LabelMap, Segment
from pipeline.geometry import VolumeGeometry
from pipeline.volume import Volume

BoolArray = npt.NDArray[np.bool_]

_AXIAL_COSINE = 0.8
# The reference splits any air space that falls into two parts when enough is taken off: one lung
# alone too, after 4 to 15 layers of voxels if nothing cuts it, after 1 if a fissure nearly does.
# Two lungs that touch part after 1 to 21, so the layers cannot tell; nor can what is left in the
# cores (0.02 to 0.85 of two lungs, 0.00 to 0.9 of one). How far apart the parts lie can: from side
# to side, in edges of a cube of their volume, two lungs are 0.69 to 0.98 apart, however wide the
# opening between them (192 x 74 mm at most), and parts of one lung 0.0 to 0.25, or 0.42 when it is
# cut from front to back. Tried on the phantom and a CT, each with voxels of several sizes.
_SMALLEST_SEPARATION = 0.55
_WIDELY_JOINED_CORE_SHARE = 0.5
_RIGHT, _LEFT = 1, 2
_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
_LUNG = Code("39607008", "SCT", "Lung")
_SEGMENTS = (
    Segment(
        number=_RIGHT,
        label="Right lung",
        category=_ANATOMY,
        type=_LUNG,
        laterality=Code("24028007", "SCT", "Right"),
        rgb=(86, 180, 233),
    ),
    Segment(
        number=_LEFT,
        label="Left lung",
        category=_ANATOMY,
        type=_LUNG,
        laterality=Code("7771000", "SCT", "Left"),
        rgb=(240, 170, 60),
    ),
)


@dataclass(frozen=True, slots=True)
class LungParameters:
    """None: every limit is the reference's, so that masks can be compared between sites."""


def lung_masks(
    voxels_hu: npt.NDArray[np.int16], spacing_mm: npt.NDArray[np.float32]
) -> tuple[BoolArray, BoolArray]:
    """Find two lungs.

    Parameters
    ----------
    voxels_hu
        (slice, row, column) in Hounsfield Units, slices axial and from feet to head, columns from
        one side of the patient to the other. Not changed.
    spacing_mm
        (slice, row, column), float32.

    Returns
    -------
    Two masks (slice, row, column), ordered by size as the reference orders them, not by side.

    Raises
    ------
    NoLungFoundError
        There is no lung, or one alone, where the reference returns the air around the patient, or
        two parts of the one.

    Source: seed 003, ``step1_python``.
    """
    split = _split(voxels_hu, spacing_mm)
    apart_columns = split.second.centre[2] - split.first.centre[2]
    _check_two_lungs(split, float(apart_columns * spacing_mm[2]), float(spacing_mm.prod()))
    return split.first.mask, split.second.mask


def analyse(volume: Volume, _parameters: LungParameters) -> tuple[Finding, ...]:
    """Label and measure the right and the left lung.

    Raises
    ------
    NotApplicableError
        The slices are not axial.
    NoLungFoundError
        There is no lung or only one.
    """
    geometry = volume.geometry
    if abs(geometry.slice_direction[2]) < _AXIAL_COSINE:
        raise NotApplicableError(
            f"The lungs are looked for in axial slices; those of series "
            f"{volume.series_instance_uid} are not axial. Route the axial series."
        )
    found = label_lungs(volume.voxels, geometry)
    return (found, *measure_lungs(found, volume.voxels, geometry.spacing))


def label_lungs(voxels_hu: npt.NDArray[np.int16], geometry: VolumeGeometry) -> LabelMap:
    """Label the right and the left lung of a volume with axial slices.

    Parameters
    ----------
    voxels_hu
        (slice, row, column) in Hounsfield Units. Not changed.
    geometry
        Where they lie, slices from feet to head.

    Raises
    ------
    NoLungFoundError
        There is no lung or only one.
    """
    split = _split(voxels_hu, geometry.spacing.as_array())
    right, left = _by_side(split, geometry)
    labels = left.mask.view(np.uint8) * np.uint8(_LEFT)
    np.maximum(labels, right.mask.view(np.uint8) * np.uint8(_RIGHT), out=labels)
    return LabelMap("lungs", labels, _SEGMENTS, "Lungs", remarks=_remarks(split))


def _split(voxels_hu: npt.NDArray[np.int16], spacing_mm: npt.NDArray[np.float32]) -> Split:
    """The whole method. See `lung_masks`."""
    lungs = find_lungs(find_air(voxels_hu, spacing_mm), spacing_mm)
    return split_lungs(fill_enclosed(lungs), spacing_mm)


def _by_side(split: Split, geometry: VolumeGeometry) -> tuple[Lung, Lung]:
    """The two lungs, the patient's right one first.

    Raises
    ------
    NoLungFoundError
        They are parts of a single lung.
    """
    one, other = split.first, split.second
    apart_mm = geometry.to_patient(other.centre) - geometry.to_patient(one.centre)
    _check_two_lungs(split, float(apart_mm[0]), float(geometry.spacing.as_array().prod()))
    return (one, other) if apart_mm[0] > 0 else (other, one)


def _check_two_lungs(split: Split, apart_mm: float, voxel_mm3: float) -> None:
    """Raise where the two parts lie, from side to side, nearer than two lungs do."""
    size_mm = ((split.first.voxels + split.second.voxels) * voxel_mm3) ** (1 / 3)
    if abs(apart_mm) < _SMALLEST_SEPARATION * size_mm:
        raise NoLungFoundError(
            f"Right and left lung cannot be told apart: the air space fell into two parts "
            f"(erosions: {split.erosions}) that do not lie side by side in the patient as far "
            f"apart as two lungs. They are most likely parts of a single lung; the other may be "
            f"missing or collapsed."
        )


def _remarks(split: Split) -> tuple[str, ...]:
    """What to know of a border that was drawn where none was seen."""
    if split.core_share >= _WIDELY_JOINED_CORE_SHARE:
        return ()
    remark = (
        f"The lungs are widely joined (erosions until they parted: {split.erosions}). Between "
        f"them the border is half way, not where the pleura is."
    )
    return (remark,)


LUNGS = Algorithm(
    name="lungs",
    version="1",
    title="Right and left lung on chest CT (grt123)",
    modalities=frozenset({"CT"}),
    parameters=LungParameters,
    analyse=analyse,
    series_number_offset=100,
)
