"""PNG pictures of what arrived: the lungs in colour on their slice, a MIP beside its source."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

_LUNG_WINDOW_HU = (-1200.0, 600.0)
_VESSEL_WINDOW_HU = (-1000.0, 300.0)
_COLOURS = {1: (255, 140, 60), 2: (70, 160, 255)}
_OPACITY = 0.45
_GAP = 8
_FONT_SIZE = 18

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Slices:
    """A CT series in order of position.

    Parameters
    ----------
    voxels_hu
        (slice, row, column).
    positions_mm
        z of each slice.
    """

    voxels_hu: npt.NDArray[np.float32]
    positions_mm: npt.NDArray[np.float64]


def draw_pictures(
    source: Sequence[Path], segmentation: Path, projection: Sequence[Path], out: Path
) -> list[Path]:
    """Draw the two pictures of the demonstration.

    Parameters
    ----------
    source
        The CT slices that were sent.
    segmentation
        The SEG that arrived.
    projection
        The instances of the MIP series that arrived.
    out
        Folder for the pictures.

    Returns
    -------
    Their paths.
    """
    ct, mip = _read_slices(source), _read_slices(projection)
    middle = len(ct.positions_mm) // 2
    plane = _grey(ct.voxels_hu[middle], _LUNG_WINDOW_HU)
    lungs = _beside(
        ("CT, middle slice", plane),
        ("SEG: right lung orange, left lung blue", _coloured(plane, segmentation, ct, middle)),
    )
    slab = _beside(
        ("CT, middle slice", _grey(ct.voxels_hu[middle], _VESSEL_WINDOW_HU)),
        ("MIP slab at the same place", _grey(mip.voxels_hu[middle], _VESSEL_WINDOW_HU)),
    )
    paths = [out / "lungs.png", out / "mip.png"]
    for path, picture in zip(paths, (lungs, slab), strict=True):
        picture.save(path)
    return paths


def save_page(page: Path, out: Path) -> Path:
    """Save the summary picture that arrived as a file that any viewer opens; return its path."""
    Image.fromarray(pydicom.dcmread(page).pixel_array).save(out)
    return out


def _read_slices(paths: Sequence[Path]) -> Slices:
    datasets = [pydicom.dcmread(path) for path in paths]
    datasets.sort(key=lambda dataset: float(dataset.ImagePositionPatient[2]))
    planes = [
        dataset.pixel_array * np.float32(dataset.RescaleSlope)
        + np.float32(dataset.RescaleIntercept)
        for dataset in datasets
    ]
    positions = [float(dataset.ImagePositionPatient[2]) for dataset in datasets]
    return Slices(np.stack(planes), np.array(positions))


def _grey(plane_hu: npt.NDArray[Any], window_hu: tuple[float, float]) -> Picture:
    """(row, column, 3): a plane in a display window."""
    low, high = window_hu
    grey = np.clip((plane_hu - low) / (high - low), 0, 1) * 255
    return np.repeat(grey.astype(np.uint8)[..., np.newaxis], 3, axis=2)


def _coloured(plane: Picture, segmentation: Path, ct: Slices, index: int) -> Picture:
    """The plane with the segments of the SEG at its position laid over."""
    coloured = plane.astype(np.float32)
    for number, mask in _segments_at(segmentation, ct.positions_mm[index]).items():
        coloured[mask] += _OPACITY * (np.array(_COLOURS[number]) - coloured[mask])
    return coloured.astype(np.uint8)


def _segments_at(segmentation: Path, position_mm: float) -> dict[int, npt.NDArray[np.bool_]]:
    """The masks (row, column) of a SEG's frames at a position, by segment number."""
    dataset = pydicom.dcmread(segmentation)
    frames = dataset.pixel_array.astype(bool)
    masks: dict[int, npt.NDArray[np.bool_]] = defaultdict(
        lambda: np.zeros((dataset.Rows, dataset.Columns), dtype=bool)
    )
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        if np.isclose(_frame_position_mm(groups), position_mm, atol=1e-3):
            masks[_frame_segment(groups)] |= frame
    return dict(masks)


def _frame_position_mm(groups: Dataset) -> float:
    return float(groups.PlanePositionSequence[0].ImagePositionPatient[2])


def _frame_segment(groups: Dataset) -> int:
    return int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _beside(*panels: tuple[str, Picture]) -> Image.Image:
    """Panels side by side, each with a line of text above."""
    font = ImageFont.load_default(_FONT_SIZE)
    rows, columns = panels[0][1].shape[:2]
    head = _FONT_SIZE + 2 * _GAP
    sheet = Image.new("RGB", (len(panels) * (columns + _GAP) - _GAP, head + rows))
    for number, (title, picture) in enumerate(panels):
        left = number * (columns + _GAP)
        ImageDraw.Draw(sheet).text((left + _GAP, _GAP), title, font=font, fill="white")
        sheet.paste(Image.fromarray(picture), (left, head))
    return sheet
