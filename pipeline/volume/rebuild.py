"""Instances of one series to its volumes, by the grt123 rules, checked against the real geometry.

The way: instances -> frames (`multiframe`) -> planes on one grid (`plane`) -> one plane for each
position (`passes`) -> an even stack (`stack`) -> voxels (`pixels`, `shear`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from pipeline.errors import SeriesGeometryError
from pipeline.geometry import Spacing, Vector, VolumeGeometry, slice_normal
from pipeline.instance import Instance, instance_digest
from pipeline.volume.frame import Frame
from pipeline.volume.gaps import interpolate_missing
from pipeline.volume.multiframe import frames_of
from pipeline.volume.passes import Pass, Placed, passes_of
from pipeline.volume.pixel_form import forms_of, is_plain, voxel_type
from pipeline.volume.pixels import LocalDecoder, PlaneDecoder, PlaneOrder
from pipeline.volume.plane import (
    Plane,
    check_one_grid,
    images_only,
    planes_of,
    slices_only,
)
from pipeline.volume.policy import Phases, RebuildPolicy
from pipeline.volume.receipt import Dropped, Phase, Receipt
from pipeline.volume.sizes import announced_frames, check_sizes, check_volume
from pipeline.volume.stack import Stack, even_stack
from pipeline.volume.stored import padding_of, pixel_warnings, rescale_text
from pipeline.volume.suv import SuvFactor, suv_factor
from pipeline.volume.volume import Volume, VolumeResult

SliceDone = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, slots=True)
class VolumePlan:
    """A volume that can be made, before any pixel is decoded.

    Parameters
    ----------
    stack
        Its slices.
    geometry
        Its grid in the patient; where slices are shifted back, before that.
    phase
        Which of several volumes of the series it is.
    suv
        The body-weight SUV factor of a PET series; None for others.
    rule, dropped, warnings
        How its slices were chosen, what was not, and what a reader should know of that.
    """

    stack: Stack
    geometry: VolumeGeometry
    phase: Phase | None
    suv: SuvFactor | None
    rule: str
    dropped: tuple[Dropped, ...]
    warnings: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Whether its pixels are stored as they are, with nothing to decode."""
        return all(is_plain(frame) for frame in self.frames)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """What was measured, in slice order."""
        return tuple(item.plane.frame for item in self.stack.placed)


def build_volume(
    instances: Sequence[Instance],
    policy: RebuildPolicy | None = None,
    *,
    decoder: PlaneDecoder | None = None,
    on_slice: SliceDone = lambda _done, _of: None,
) -> VolumeResult:
    """Rebuild the volume of one series, the first where it holds several phases.

    Slices are sorted by position. Where positions are doubled, the multiplicity is counted at
    the first one and the first ``len / multiplicity`` instances by Instance Number are kept.
    Positions are projections on the slice normal, so that any orientation works; for an axial
    series they are the reference's z.

    Parameters
    ----------
    instances
        All instances of one series, in any order.
    policy
        What is done with a series that is no plain stack; nothing that changes voxels by default.
    decoder
        Who decodes compressed pixels; this process by default.
    on_slice
        Called as slices are decoded with those done and their number.

    Raises
    ------
    NotAnImageError
        No instance holds an image.
    SeriesGeometryError
        The slices make no regular stack; the message names what is wrong and where.
    PixelDecodeError
        Pixel data does not decode, or does not fit Hounsfield Units in int16.

    Source: seed 003, ``load_scan`` and ``get_pixels_hu``.
    """
    return next(build_volumes(instances, policy, decoder=decoder, on_slice=on_slice))


def build_volumes(
    instances: Sequence[Instance],
    policy: RebuildPolicy | None = None,
    *,
    decoder: PlaneDecoder | None = None,
    on_slice: SliceDone = lambda _done, _of: None,
) -> Iterator[VolumeResult]:
    """Rebuild every volume of a series, one after the other; see `build_volume`."""
    for plan in plan_volumes(instances, policy or RebuildPolicy()):
        # Plain pixels are only read, which other processes would not make faster.
        chosen = LocalDecoder() if decoder is None or plan.is_plain else decoder
        yield realise(plan, chosen, on_slice)


def plan_volumes(instances: Sequence[Instance], policy: RebuildPolicy) -> tuple[VolumePlan, ...]:
    """Which volumes a series gives, from its headers alone.

    Returns
    -------
    One or more, in the order of Instance Number.

    Raises
    ------
    NotAnImageError, SeriesGeometryError, PixelDecodeError
        As `build_volume`, but for what only decoding shows.
    """
    # In one order whatever order files came in: the result is the same to the last bit.
    images, dropped = images_only(sorted(instances, key=lambda item: item.sop_instance_uid))
    series = images[0].series_instance_uid
    distinct, doubles = _distinct(series, images)
    check_sizes(item for item in distinct if announced_frames(item) > 1)
    frames, strays = slices_only([frame for item in distinct for frame in frames_of(item)])
    dropped = [*dropped, *doubles, *strays]
    check_sizes(frame.instance for frame in frames)
    planes = planes_of(series, frames)
    check_one_grid(series, planes)
    directions = _directions(planes[0])
    placed = sorted(
        (Placed(plane, float(np.dot(plane.position_mm, directions[2]))) for plane in planes),
        key=lambda item: item.position_mm,
    )
    survey = _Survey(
        series=series,
        passes=tuple(passes_of(series, placed)),
        directions=directions,
        dropped=tuple(dropped),
        policy=policy,
    )
    return tuple(survey.plan(number) for number in survey.wanted())


def realise(plan: VolumePlan, decoder: PlaneDecoder, on_slice: SliceDone) -> VolumeResult:
    """Decode the pixels of a planned volume.

    Raises
    ------
    PixelDecodeError
        Pixel data does not decode, or its values do not fit.
    SeriesGeometryError
        The volume is larger than any real one.
    """
    stack, frames = plan.stack, plan.frames
    shape = (stack.count, *stack.placed[0].plane.shape)
    forms = forms_of(frames)
    dtype = voxel_type(forms)
    check_volume(frames[0].series_instance_uid, shape, dtype.itemsize)
    voxels = decoder.allocate(shape, dtype)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        on_slice(done, len(frames))

    orders = [
        PlaneOrder(frame, slot, form)
        for frame, slot, form in zip(frames, stack.slots, forms, strict=True)
    ]
    decoder.decode(orders, voxels, advance)
    interpolate_missing(voxels, stack.slots)
    geometry = plan.geometry
    if stack.is_tilted:
        voxels, geometry = _shifted_back(voxels, geometry, stack)
    sources = _sources(stack, geometry, voxels.shape)
    factor = plan.suv.factor if plan.suv else None
    resampled = stack.is_tilted or stack.count > len(frames)
    volume = Volume(voxels, geometry, sources, plan.phase, resampled, factor)
    return VolumeResult(volume, _receipt(plan, volume))


def _distinct(series: str, instances: Sequence[Instance]) -> tuple[list[Instance], list[Dropped]]:
    """Each instance once.

    Raises
    ------
    SeriesGeometryError
        Instances with other bytes share a SOP Instance UID.
    """
    first: dict[str, Instance] = {}
    dropped = []
    for item in instances:
        uid = item.sop_instance_uid
        if uid not in first:
            first[uid] = item
        elif instance_digest(item) == instance_digest(first[uid]):
            dropped.append(Dropped(uid, "the same instance again"))
        else:
            raise SeriesGeometryError(
                series,
                f"different instances share the SOP Instance UID {uid}. Find out which is right "
                "where the series was made.",
            )
    return list(first.values()), dropped


def _directions(plane: Plane) -> tuple[Vector, Vector, Vector]:
    """Row, column and slice direction; the slice direction's largest part points up its axis.

    For an axial series that is ascending z, the reference's order, whichever way the rows run.
    """
    row, column = _unit(plane.orientation[:3]), _unit(plane.orientation[3:])
    x, y, z = slice_normal(row, column)
    if max((x, y, z), key=abs) < 0:
        x, y, z = -x, -y, -z
    return row, column, (x, y, z)


def _unit(direction: Sequence[float]) -> Vector:
    """A direction without the rounding of its length in the header."""
    x, y, z = (float(value) for value in np.divide(direction, np.linalg.norm(direction)))
    return x, y, z


@dataclass(frozen=True, eq=False, slots=True)
class _Survey:
    """The passes over a series, and what a site wants of them."""

    series: str
    passes: tuple[Pass, ...]
    directions: tuple[Vector, Vector, Vector]
    dropped: tuple[Dropped, ...]
    policy: RebuildPolicy

    def wanted(self) -> Sequence[int]:
        """The indices of the passes that are wanted.

        Raises
        ------
        SeriesGeometryError
            There are several and the policy refuses that, or the wanted one is not there.
        """
        everything = range(len(self.passes))
        if self.policy.wanted_phase:
            return self._named(self.policy.wanted_phase)
        if len(self.passes) > 1 and self.policy.phases is Phases.REFUSE:
            raise SeriesGeometryError(
                self.series,
                f"it holds {len(self.passes)} volumes, {self._listed()}. Send each as a series of "
                "its own, or set phases in the pipeline's rebuild settings.",
            )
        return {Phases.FIRST: everything[:1], Phases.LAST: everything[-1:]}.get(
            self.policy.phases, everything
        )

    def plan(self, number: int) -> VolumePlan:
        """The volume of one pass.

        Raises
        ------
        SeriesGeometryError
            It is no even stack.
        """
        chosen = self.passes[number]
        stack = even_stack(self.series, chosen.placed, self.directions[2], self.policy)
        first = stack.placed[0].plane
        several = len(self.passes) > 1
        return VolumePlan(
            stack=stack,
            geometry=VolumeGeometry(
                first.position_mm,
                *self.directions,
                spacing=Spacing(stack.spacing_mm, *first.pixel_spacing_mm),
            ),
            phase=Phase(number + 1, len(self.passes), chosen.attributes) if several else None,
            suv=suv_factor(first.frame.header) if first.frame.get("Modality") == "PT" else None,
            rule=chosen.rule,
            dropped=(*self.dropped, *chosen.dropped, *self._others(number), *stack.dropped),
            warnings=(*chosen.warnings, *stack.warnings),
        )

    def _named(self, wanted: tuple[str, str]) -> list[int]:
        numbers = [number for number, item in enumerate(self.passes) if wanted in item.attributes]
        if not numbers:
            raise SeriesGeometryError(
                self.series,
                f"it holds {self._listed()}; the pipeline wants {self.policy.phase}, which is "
                "none of them. Set phase in the pipeline's rebuild settings to one that is there.",
            )
        return numbers

    def _listed(self) -> str:
        return "; ".join(
            ", ".join(f"{keyword}={value}" for keyword, value in item.attributes)
            or "one volume without phases"
            for item in self.passes
        )

    def _others(self, number: int) -> tuple[Dropped, ...]:
        """What belongs to the other passes."""
        return tuple(
            Dropped(item.plane.frame.name, "of another volume of the series")
            for index, other in enumerate(self.passes)
            if index != number
            for item in other.placed
        )


def _shifted_back(
    voxels: npt.NDArray[Any], geometry: VolumeGeometry, stack: Stack
) -> tuple[npt.NDArray[Any], VolumeGeometry]:
    """Voxels and geometry of a tilted stack on an upright grid."""
    from pipeline.volume.shear import (  # noqa: PLC0415 - a rare need, a large library
        shape_shifted_back,
        shifted_back,
    )

    column, row = np.array(geometry.column_direction), np.array(geometry.row_direction)
    along = (float(np.dot(stack.shift_mm, column)), float(np.dot(stack.shift_mm, row)))
    shape = shape_shifted_back(voxels.shape, geometry.spacing, along)
    check_volume(stack.placed[0].plane.frame.series_instance_uid, shape, voxels.itemsize)
    moved, (down_mm, right_mm) = shifted_back(voxels, geometry.spacing, along)
    x, y, z = geometry.origin_mm + down_mm * column + right_mm * row
    return moved, replace(geometry, origin_mm=(float(x), float(y), float(z)))


def _sources(stack: Stack, geometry: VolumeGeometry, shape: tuple[int, ...]) -> tuple[Frame, ...]:
    """A frame for each slice, with the volume's own position and matrix in its header."""
    frames = [item.plane.frame for item in stack.placed]
    if stack.count == len(frames) and not stack.is_tilted:
        return tuple(frames)
    last_before = np.searchsorted(stack.slots, np.arange(stack.count), side="right") - 1
    return tuple(
        _on_grid(frames[measured], geometry.to_patient([slot, 0, 0]), shape)
        for slot, measured in enumerate(last_before)
    )


def _on_grid(frame: Frame, position_mm: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Frame:
    source, header = frame.header, Dataset()
    header.update(source)
    implicit, little_endian = source.original_encoding
    header.set_original_encoding(implicit, little_endian, source.original_character_set)
    # New elements: a value that is set would be set in the shared one.
    header.add_new("ImagePositionPatient", "DS", [f"{value:.10g}" for value in position_mm])
    header.add_new("Rows", "US", shape[1])
    header.add_new("Columns", "US", shape[2])
    if "SliceLocation" in header:
        del header.SliceLocation
    return replace(frame, own_header=header)


def _receipt(plan: VolumePlan, volume: Volume) -> Receipt:
    frames, geometry = plan.frames, volume.geometry
    slices, rows, columns = volume.voxels.shape
    spacing = geometry.spacing
    return Receipt(
        series_instance_uid=volume.series_instance_uid,
        phase=plan.phase,
        rule=plan.rule,
        kept=tuple(frame.name for frame in frames),
        dropped=plan.dropped,
        shape=(slices, rows, columns),
        spacing_mm=(spacing.slice_mm, spacing.row_mm, spacing.column_mm),
        spacing_rule=plan.stack.spacing_rule,
        slice_thickness_mm=plan.stack.thickness_mm,
        affine=tuple(tuple(float(value) for value in row) for row in geometry.affine),
        rescale=rescale_text(frames, volume.voxels.dtype),
        padding=padding_of(frames),
        suv=plan.suv,
        warnings=(*plan.warnings, *pixel_warnings(frames)),
    )
