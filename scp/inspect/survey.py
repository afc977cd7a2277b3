"""What series hold, what would become of each, and why not."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import (
    NotAnImageError,
    PipelineError,
    SeriesGeometryError,
    UnreadableInstanceError,
)
from pipeline.instance import Instance, read_instance
from pipeline.volume import RebuildPolicy, Receipt, plan_volumes, realise
from pipeline.volume.pixels import LocalDecoder, PlaneDecoder, PlaneOrder
from scp.inspect.planes import MidPlane, mid_planes
from scp.inspect.positions import Layout, layout_of
from scp.inspect.values import Values, count_values

_DICOMDIR = "DICOMDIR"

Advance = Callable[[int, int], None]


class Verdict(StrEnum):
    """What would become of a series."""

    VOLUME = "volume"
    REFUSED = "refused"
    NO_IMAGE = "no image"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that was passed over, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """The series in some files.

    Parameters
    ----------
    series
        Instances by Series Instance UID, in the order of the UIDs.
    unreadable
        Files that hold no instance, in the order in which they were met.
    """

    series: dict[str, list[Instance]]
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What the headers of a series say.

    Parameters
    ----------
    modality
        Modality (0008,0060).
    description
        Series Description (0008,103E): for the user's own terminal only, for people write
        anything into it.
    sop_classes, transfer_syntaxes
        UID and number of instances of each, the commonest first.
    """

    modality: str
    description: str
    sop_classes: tuple[tuple[str, int], ...]
    transfer_syntaxes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False, slots=True)
class VolumeSurvey:
    """A volume that is built.

    Parameters
    ----------
    receipt
        How.
    values
        What it holds; None where pixels were not looked at or none is a number.
    planes
        Planes through its middle; none where pixels were not looked at.
    """

    receipt: Receipt
    values: Values | None = None
    planes: tuple[MidPlane, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class SeriesSurvey:
    """A series and what would become of it.

    Parameters
    ----------
    series_instance_uid
        Series Instance UID (0020,000E).
    instances
        How many there are.
    content
        What their headers say; None where they cannot be read.
    layout
        Where they lie.
    verdict
        What would become of the series.
    reason
        Why there is no volume; empty where there is one.
    volumes
        What is built.
    """

    series_instance_uid: str
    instances: int
    content: Content | None
    layout: Layout
    verdict: Verdict
    reason: str = ""
    volumes: tuple[VolumeSurvey, ...] = ()


class _HeadersOnly:
    """Decodes nothing: voxels stay zero, and what headers tell comes out as with pixels."""

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Zeros, which take no memory before they are looked at."""
        return np.zeros(shape, dtype)

    def decode(
        self,
        orders: Sequence[PlaneOrder],
        target: npt.NDArray[Any],  # noqa: ARG002 - the protocol's
        on_plane: Callable[[int], None],
    ) -> None:
        """Leave the target as it is."""
        on_plane(len(orders))


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those in the folders named and their sub-folders, each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.name != _DICOMDIR:
                found.setdefault(file.resolve(), file)
    return list(found.values())


def read_series(files: Sequence[Path], advance: Advance) -> Found:
    """Read the headers of files.

    Parameters
    ----------
    files
        DICOM or not.
    advance
        Called with the files done and their number.
    """
    series: dict[str, list[Instance]] = defaultdict(list)
    unreadable = []
    for done, file in enumerate(files, start=1):
        try:
            instance = read_instance(file)
        except UnreadableInstanceError as error:
            unreadable.append(Unreadable(file, str(error)))
        else:
            series[instance.series_instance_uid].append(instance)
        advance(done, len(files))
    return Found(dict(sorted(series.items())), tuple(unreadable))


def survey_series(
    instances: Sequence[Instance],
    policy: RebuildPolicy,
    *,
    decoder: PlaneDecoder | None,
    advance: Advance,
) -> SeriesSurvey:
    """Find out what would become of a series; nothing that its files provoke is raised.

    Parameters
    ----------
    instances
        All of one series.
    policy
        How far the rebuild may go.
    decoder
        Who decodes compressed pixels; None where only headers are to count.
    advance
        Called with the slices decoded and their number.
    """
    blank = SeriesSurvey(
        instances[0].series_instance_uid, len(instances), None, Layout(), Verdict.REFUSED
    )
    try:
        known = replace(blank, content=_content(instances), layout=layout_of(instances, policy))
        return _with_verdict(known, instances, policy, decoder, advance)
    except PipelineError as error:
        reason = str(error)
    except MemoryError:
        reason = "A volume of it takes more memory than there is."
    except Exception as error:  # noqa: BLE001 - told by its kind: its message may quote a patient
        reason = f"An error of Hounsfield's own ({type(error).__name__}); please report it."
    return replace(blank, reason=reason)


def _with_verdict(
    known: SeriesSurvey,
    instances: Sequence[Instance],
    policy: RebuildPolicy,
    decoder: PlaneDecoder | None,
    advance: Advance,
) -> SeriesSurvey:
    try:
        volumes = tuple(_volumes(instances, policy, decoder, advance))
    except NotAnImageError as error:
        return replace(known, verdict=Verdict.NO_IMAGE, reason=str(error))
    except SeriesGeometryError as error:
        return replace(known, reason=f"The slices make no volume: {error.reason}")
    except PipelineError as error:
        return replace(known, reason=str(error))
    return replace(known, verdict=Verdict.VOLUME, volumes=volumes)


def _volumes(
    instances: Sequence[Instance],
    policy: RebuildPolicy,
    decoder: PlaneDecoder | None,
    advance: Advance,
) -> Iterator[VolumeSurvey]:
    """The volumes of a series, one in memory at a time; without a decoder by headers alone."""
    for plan in plan_volumes(instances, policy):
        if decoder is None:
            yield VolumeSurvey(realise(plan, _HeadersOnly(), advance).receipt)
        else:
            result = realise(plan, LocalDecoder() if plan.is_plain else decoder, advance)
            volume = result.volume
            yield VolumeSurvey(result.receipt, count_values(volume.voxels), mid_planes(volume))


def _content(instances: Sequence[Instance]) -> Content:
    return Content(
        modality=_text(instances[0], "Modality"),
        description=_text(instances[0], "SeriesDescription"),
        sop_classes=_counted(_text(item, "SOPClassUID") for item in instances),
        transfer_syntaxes=_counted(item.transfer_syntax_uid for item in instances),
    )


def _text(instance: Instance, keyword: str) -> str:
    value = instance.elements.get(keyword)
    if isinstance(value, tuple):
        return "\\".join(str(item) for item in value)
    return "" if value is None else str(value)


def _counted(uids: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(uids).most_common())
