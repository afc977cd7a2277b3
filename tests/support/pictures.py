"""A gallery of the pages that people see, and the projections beside them, as PNG files.

``python -m tests.support.pictures FOLDER`` makes all of it for a person to look at.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from pipeline.algorithms.brain import BRAIN, BrainParameters
from pipeline.algorithms.lung import LUNGS, LungParameters
from pipeline.algorithms.mip import SLIDING_MIP, SlidingMipParameters
from pipeline.algorithms.registry import Algorithm
from pipeline.algorithms.rotating_mip import ROTATING_MIP, RotatingMipParameters
from pipeline.elements import Header
from pipeline.encode import ResultContext
from pipeline.encode.picture import PictureContent, encode_note, encode_picture
from pipeline.findings import (
    Code,
    DerivedVolume,
    LabelMap,
    Measurement,
    MeasurementGroup,
    RotatingProjection,
    Segment,
)
from pipeline.geometry import Spacing, VolumeGeometry
from pipeline.instance import Instance
from pipeline.phantom import chest_phantom
from pipeline.volume import Frame, Volume
from tests.phantoms import volume_from_phantom
from tests.support.encoding import encode
from tests.support.heads import head
from tests.support.image_kinds import values
from tests.support.pet import pet_phantom

_PROJECTION_HEIGHT = 600
_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}
_STRUCTURE = Code("123037004", "SCT", "Anatomical Structure")
_AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_REFUSAL = (
    "Series 1.2.826.0.1.3680043.8.498.77.1 makes no volume: the distance between slices changes "
    "from 2.5 mm to 7.5 mm after position 112.50 mm, so slices are missing. Send the series again "
    "and complete; or allow gaps to be filled in the settings of this pipeline."
)


def context_of(**changes: Any) -> ResultContext:
    """Who made the pages of the gallery."""
    usual = ResultContext(
        algorithm="summary",
        algorithm_version="1",
        settings_digest="5e" * 32,
        input_digests=("aa" * 32,),
        content_time=datetime(2024, 5, 6, 22, 8, 9, tzinfo=UTC),
        series_number=9000,
    )
    return replace(usual, **changes)


def volume_of(
    voxels: npt.NDArray[Any],
    spacing: Spacing,
    modality: str = "MR",
    directions: tuple[tuple[float, float, float], ...] = _AXIAL,
    **attributes: object,
) -> Volume:
    """A volume without files.

    Parameters
    ----------
    directions
        Of growing column, row and slice index.
    attributes
        Of every slice's header.
    """
    across, down, through = directions
    geometry = VolumeGeometry((-50.0, -60.0, -70.0), across, down, through, spacing)
    place = {
        "Rows": voxels.shape[1],
        "Columns": voxels.shape[2],
        "ImageOrientationPatient": [*across, *down],
        "PixelSpacing": [spacing.row_mm, spacing.column_mm],
        "PhotometricInterpretation": "MONOCHROME2",
    }
    sources = tuple(
        _slice(index, modality, {"ImagePositionPatient": position, **place, **attributes})
        for index, position in enumerate(_positions(geometry, len(voxels)))
    )
    suv_factor = 1.0 if modality == "PT" else None
    return Volume(voxels, geometry, sources, suv_factor=suv_factor)


def _positions(geometry: VolumeGeometry, slices: int) -> list[list[float]]:
    return [geometry.to_patient([index, 0, 0]).round(6).tolist() for index in range(slices)]


def _slice(index: int, modality: str, attributes: dict[str, Any]) -> Frame:
    header = Dataset()
    header.SOPClassUID = _CLASSES.get(modality, MRImageStorage)
    header.SOPInstanceUID = f"1.2.3.4.{index + 1}"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    header.PatientName, header.PatientID = "Seen^Nowhere", "NOWHERE"
    header.Modality, header.SeriesNumber = modality, 3
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    elements = Header(str(ExplicitVRLittleEndian), None, 0, data_set=header)
    return Frame(Instance(Path(f"slice-{index}"), elements))


def mask_of(labels: npt.NDArray[np.uint8], *names: str, remarks: tuple[str, ...] = ()) -> LabelMap:
    """A label map with a colour for each name."""
    colours = ((86, 180, 233), (240, 170, 60), (120, 205, 140), (220, 120, 200))
    segments = tuple(
        Segment(number, name, _STRUCTURE, _STRUCTURE, None, colours[(number - 1) % len(colours)])
        for number, name in enumerate(names, start=1)
    )
    return LabelMap("parts", labels, segments, "Parts", remarks)


def measured(label: str, count: int, segments: tuple[int, ...] = (1,)) -> MeasurementGroup:
    """Numbers of which one has a long name."""
    volume = Code("118565006", "SCT", "Volume")
    unit = Code("ml", "UCUM", "milliliter")
    long_name = Code("X", "99TEST", "A measurement of which the name is longer than the column is")
    values = [Measurement(volume, 10.0**place, unit, "") for place in range(-3, count - 3)]
    values[0] = replace(values[0], name=long_name)
    return MeasurementGroup(label, "parts", segments, tuple(values))


def chest(slices: int = 128, size: int = 256) -> tuple[Volume, PictureContent]:
    """Lungs with their measurements, and a slab of maxima."""
    volume = volume_from_phantom(chest_phantom(slices, size))
    steps = ((LUNGS, LungParameters()), (SLIDING_MIP, SlidingMipParameters(window_mm=20)))
    return volume, _content(volume, *steps)


def brain() -> tuple[Volume, PictureContent]:
    """The brain of a head."""
    volume = volume_of(head("mr t1", 60, 128).voxels, Spacing(3.0, 1.7, 1.7))
    return volume, _content(volume, (BRAIN, BrainParameters()))


def body() -> tuple[Volume, PictureContent]:
    """A PET of the whole body, turned."""
    voxels, spacing = pet_phantom(160, 96)
    volume = volume_of(voxels, replace(spacing, slice_mm=6.0), "PT")
    return volume, _content(volume, (ROTATING_MIP, RotatingMipParameters(angles=16)))


def turned_chest() -> tuple[Volume, PictureContent]:
    """A CT from the side and in slabs."""
    volume = volume_from_phantom(chest_phantom(96, 192))
    return volume, _content(
        volume,
        (ROTATING_MIP, RotatingMipParameters(angles=8)),
        (SLIDING_MIP, SlidingMipParameters(view="coronal")),
    )


def tiny() -> tuple[Volume, PictureContent]:
    """Three voxels a side."""
    voxels = np.arange(27, dtype=np.uint16).reshape(3, 3, 3)
    labels = (voxels > 15).astype(np.uint8)
    return volume_of(voxels, Spacing(1.0, 1.0, 1.0)), PictureContent(
        ("own 1",), (mask_of(labels, "Corner", "Nowhere"),)
    )


def one_slice() -> tuple[Volume, PictureContent]:
    """A single slice, without findings."""
    voxels = head("mr t2", 20, 128).voxels[10:11]
    return volume_of(voxels, Spacing(5.0, 1.7, 1.7)), PictureContent(("own 1",), ())


def thick_oblique() -> tuple[Volume, PictureContent]:
    """Sagittal slices of 10 mm and pixels of 1 mm, oblique, with far too much to say."""
    voxels = np.swapaxes(head("mr t1", 120, 160).voxels, 0, 2)[::10, :, ::-1].swapaxes(1, 2)
    directions = ((0.28, 0.96, 0.0), (0.0, 0.0, -1.0), (0.96, -0.28, 0.0))
    volume = volume_of(np.ascontiguousarray(voxels), Spacing(10.0, 1.4, 1.2), "MR", directions)
    labels = (volume.voxels > 100).astype(np.uint8)
    labels[labels.shape[0] // 2 :] *= 2
    remarks = tuple(f"Remark {number}: " + "words that go on and on " * 6 for number in range(9))
    names = ("Right half with quite a name", "Left half", *(f"Part {n}" for n in range(3, 40)))
    found = mask_of(labels, *names, remarks=remarks)
    groups = (measured("Right half", 5), measured("Left half", 40, (2,)))
    return volume, PictureContent(tuple(f"algorithm-{n} 1" for n in range(20)), (found, *groups))


PICTURES: dict[str, Callable[[], tuple[Volume, PictureContent]]] = {
    "chest": chest,
    "brain": brain,
    "body": body,
    "turned-chest": turned_chest,
    "tiny": tiny,
    "one-slice": one_slice,
    "thick-oblique": thick_oblique,
}


def page_of(image: Dataset) -> Image.Image:
    """The pixels of a Secondary Capture as a picture."""
    return Image.frombytes("RGB", (image.Columns, image.Rows), image.PixelData)


def projections_of(volume: Volume, content: PictureContent) -> Iterator[tuple[str, Image.Image]]:
    """The middle image of every projection as it is sent, by name."""
    for finding in content.findings:
        if isinstance(finding, DerivedVolume | RotatingProjection):
            images = encode(finding, volume, context_of())
            yield finding.name, _upright(images[len(images) // 2])


def write_gallery(folder: Path) -> list[Path]:
    """Draw all pages and projections."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, make in PICTURES.items():
        volume, content = make()
        (image,) = encode_picture(content, volume, context_of())
        paths.append(_saved(page_of(image), folder / f"{name}.png"))
        for projection, picture in projections_of(volume, content):
            paths.append(_saved(picture, folder / f"{name}-{projection}.png"))
    (note,) = encode_note(
        volume.sources[0].header, _REFUSAL, context_of(algorithm="note"), algorithms=("lungs 1",)
    )
    paths.append(_saved(page_of(note), folder / "note.png"))
    return paths


def _content(volume: Volume, *steps: tuple[Algorithm, Any]) -> PictureContent:
    findings = tuple(
        finding
        for algorithm, parameters in steps
        for finding in algorithm.analyse(volume, parameters)
    )
    return PictureContent(
        tuple(f"{algorithm.name} {algorithm.version}" for algorithm, _ in steps), findings
    )


def _upright(image: Dataset) -> Image.Image:
    """An image in its true proportions, with all but its rarest values."""
    shown = values(image)
    low, high = np.percentile(shown, (1, 99.8))
    grey = (np.clip((shown - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    row_mm, column_mm = map(float, image.PixelSpacing)
    rows, columns = grey.shape
    scale = _PROJECTION_HEIGHT / (rows * row_mm)
    size = (max(1, round(columns * column_mm * scale)), _PROJECTION_HEIGHT)
    return Image.fromarray(grey).resize(size)


def _saved(picture: Image.Image, path: Path) -> Path:
    picture.save(path)
    return path


if __name__ == "__main__":
    print(*write_gallery(Path(sys.argv[1])), sep="\n")  # noqa: T201 - for the person who asked
