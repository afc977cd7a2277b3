"""The frames of a Segmentation: which segment each shows, on which source slice it lies.

Source: PS3.3 C.7.6.16 (Multi-frame Functional Groups), C.7.6.17 (Multi-frame Dimension), C.8.20.3
(Segmentation Multi-frame Functional Groups).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pipeline.encode.codes import SEGMENTATION, SOURCE_IMAGE, code_item
from pipeline.encode.header import copy_attributes
from pipeline.encode.references import source_reference
from pipeline.encode.values import decimal_string
from pipeline.geometry import VolumeGeometry
from pipeline.volume import Frame, Volume


@dataclass(frozen=True, slots=True)
class SegmentFrame:
    """What a frame shows.

    Parameters
    ----------
    slice_index
        On which slice of the volume it lies, from 0.
    segment
        The number of its segment; None where it shows all of them.
    """

    slice_index: int
    segment: int | None = None


def slices_in_frame_order(geometry: VolumeGeometry, count: int) -> list[int]:
    """The indices of slices in the order that their frames are in.

    Frame, row and column make a right-handed system: frames go against row direction x column
    direction.
    """
    normal = np.cross(geometry.row_direction, geometry.column_direction)
    indices = list(range(count))
    return indices[::-1] if np.dot(normal, geometry.slice_direction) > 0 else indices


def add_frames(
    result: Dataset, frames: Sequence[SegmentFrame], volume: Volume, organization_uid: str
) -> None:
    """Say of each frame what it shows, where it lies and which source slice it was made of.

    Parameters
    ----------
    result
        Gets its dimensions and functional groups.
    frames
        Segment by segment, and within each in the order of `slices_in_frame_order`. All name a
        segment, or none does.
    organization_uid
        Dimension Organization UID (0020,9164).
    """
    organization = Dataset()
    organization.DimensionOrganizationUID = organization_uid
    result.DimensionOrganizationSequence = [organization]
    result.DimensionIndexSequence = _dimensions(frames, organization_uid)
    if _is_regular_stack(frames):
        result.DimensionOrganizationType = "3D"
    result.NumberOfFrames = len(frames)
    result.SharedFunctionalGroupsSequence = [_shared_groups(volume)]
    result.PerFrameFunctionalGroupsSequence = _frame_groups(frames, volume)


def _dimensions(frames: Sequence[SegmentFrame], organization_uid: str) -> list[Dataset]:
    """Frames are indexed by their segment, where each has one, and by their position."""
    position = _dimension(
        organization_uid,
        "ImagePositionPatient",
        "PlanePositionSequence",
        "Image Position Patient",
    )
    if frames[0].segment is None:
        return [position]
    segment = _dimension(
        organization_uid,
        "ReferencedSegmentNumber",
        "SegmentIdentificationSequence",
        "Referenced Segment Number",
    )
    return [segment, position]


def _dimension(organization_uid: str, keyword: str, group: str, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organization_uid
    item.DimensionIndexPointer = Tag(keyword)
    item.FunctionalGroupPointer = Tag(group)
    item.DimensionDescriptionLabel = label
    return item


def _is_regular_stack(frames: Sequence[SegmentFrame]) -> bool:
    """Whether the frames are one stack of neighbouring planes (PS3.3 C.7.6.17.3)."""
    steps = {abs(after.slice_index - before.slice_index) for before, after in pairwise(frames)}
    return steps == {1} and len({frame.segment for frame in frames}) == 1


def _shared_groups(volume: Volume) -> Dataset:
    first = volume.sources[0].header
    spacing = decimal_string(volume.geometry.spacing.slice_mm)
    orientation, measures, groups = Dataset(), Dataset(), Dataset()
    copy_attributes(first, orientation, ("ImageOrientationPatient",))
    copy_attributes(first, measures, ("PixelSpacing", "SliceThickness"))
    measures.SliceThickness = measures.get("SliceThickness") or spacing
    measures.SpacingBetweenSlices = spacing
    groups.PlaneOrientationSequence = [orientation]
    groups.PixelMeasuresSequence = [measures]
    return groups


def _frame_groups(frames: Sequence[SegmentFrame], volume: Volume) -> list[Dataset]:
    """The items of Per-frame Functional Groups Sequence (5200,9230).

    Frames of one slice share the items that say where it lies, frames of one segment the item
    that names it.
    """
    order = slices_in_frame_order(volume.geometry, len(volume.sources))
    shown = {frame.slice_index for frame in frames}
    used = [index for index in order if index in shown]
    number = {index: place for place, index in enumerate(used, start=1)}
    preserved = not volume.resampled
    places = {index: _place(volume.sources[index], preserved=preserved) for index in used}
    names = {number: _name(number) for number in {frame.segment for frame in frames}}
    items = []
    for frame in frames:
        content, groups = Dataset(), Dataset()
        by_segment = [] if frame.segment is None else [frame.segment]
        content.DimensionIndexValues = [*by_segment, number[frame.slice_index]]
        groups.FrameContentSequence = [content]
        groups.update(places[frame.slice_index])
        groups.update(names[frame.segment])
        items.append(groups)
    return items


def _place(source: Frame, *, preserved: bool) -> Dataset:
    """The functional groups of each frame on a source slice."""
    position, derivation, groups = Dataset(), Dataset(), Dataset()
    copy_attributes(source.header, position, ("ImagePositionPatient",))
    derivation.DerivationCodeSequence = [code_item(SEGMENTATION)]
    reference = source_reference(source)
    reference.SpatialLocationsPreserved = "YES" if preserved else "NO"
    reference.PurposeOfReferenceCodeSequence = [code_item(SOURCE_IMAGE)]
    derivation.SourceImageSequence = [reference]
    groups.PlanePositionSequence = [position]
    groups.DerivationImageSequence = [derivation]
    return groups


def _name(segment: int | None) -> Dataset:
    """The functional group of each frame of a segment."""
    groups = Dataset()
    if segment is not None:
        identification = Dataset()
        identification.ReferencedSegmentNumber = segment
        groups.SegmentIdentificationSequence = [identification]
    return groups
