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
from pipeline.algorithms.lung_regions import find_lungs
from pipeline.algorithms.lung_split import fill_enclosed, split_lungs
from pipeline.algorithms.registry import Algorithm
from pipeline.errors import NotApplicableError, NothingFoundError
from pipeline.findings import Code, LabelMap, Segment
from pipeline.geometry import VolumeGeometry
from pipeline.volume import Volume

BoolArray = npt.NDArray[np.bool_]

_AXIAL_COSINE = 0.8
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
        (slice, row, column) in Hounsfield Units, slices axial and from feet to head. Not changed.
    spacing_mm
        (slice, row, column), float32.

    Returns
    -------
    Two masks (slice, row, column), ordered by size as the reference orders them, not by side.

    Raises
    ------
    NothingFoundError
        There is no lung, or it does not fall into two.

    Source: seed 003, ``step1_python``.
    """
    lungs = find_lungs(find_air(voxels_hu, spacing_mm), spacing_mm)
    return split_lungs(fill_enclosed(lungs), spacing_mm)


def analyse(volume: Volume, _parameters: LungParameters) -> tuple[LabelMap, ...]:
    """Label the right and the left lung.

    Raises
    ------
    NotApplicableError
        The slices are not axial.
    NothingFoundError
        There is no lung, only one, or two parts that do not lie side by side.
    """
    geometry = volume.geometry
    if abs(geometry.slice_direction[2]) < _AXIAL_COSINE:
        raise NotApplicableError(
            f"The lungs are looked for in axial slices; those of series "
            f"{volume.series_instance_uid} are not axial. Route the axial series."
        )
    right, left = _by_side(lung_masks(volume.voxels, geometry.spacing.as_array()), geometry)
    labels = np.zeros(volume.voxels.shape, dtype=np.uint8)
    labels[right] = _RIGHT
    labels[left] = _LEFT
    return (LabelMap("lungs", labels, _SEGMENTS, "Lungs"),)


def _by_side(
    masks: tuple[BoolArray, BoolArray], geometry: VolumeGeometry
) -> tuple[BoolArray, BoolArray]:
    """The same two masks, the patient's right lung first.

    Raises
    ------
    NothingFoundError
        They lie above or behind each other rather than side by side: parts of one lung.
    """
    one, other = masks
    apart_mm = geometry.to_patient(_centroid(other)) - geometry.to_patient(_centroid(one))
    if np.argmax(np.abs(apart_mm)) != 0:
        raise NothingFoundError(
            "Right and left lung cannot be told apart: the two parts that were found do not lie "
            "side by side in the patient. They may be parts of a single lung."
        )
    return (one, other) if apart_mm[0] > 0 else (other, one)


def _centroid(mask: BoolArray) -> npt.NDArray[np.float64]:
    """(3,): the mean (slice, row, column) of the voxels of a mask."""
    return np.array([indices.mean() for indices in np.nonzero(mask)])


LUNGS = Algorithm(
    name="lungs",
    version="1",
    title="Right and left lung on chest CT (grt123)",
    modalities=frozenset({"CT"}),
    parameters=LungParameters,
    analyse=analyse,
)
