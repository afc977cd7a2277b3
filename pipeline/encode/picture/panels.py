"""A plane on a page: in its true proportions, with outlines, edge letters and a scale."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.encode.picture.cuts import Cut, edge_letters
from pipeline.encode.picture.sheet import (
    ATTENTION,
    BLACK,
    FAINT,
    INK,
    SMALL,
    TEXT,
    Box,
    Colour,
    Sheet,
    cut,
    line_height,
    text_width,
)
from pipeline.encode.picture.windows import Window

_PAD = 6
_LETTER_ROOM, _SIDE_ROOM = 22, 30
_SCALE_STEPS = (5, 2, 1)
_WIDEST_SCALE = 0.25
_TICK = 4
_SEPARATOR = 10
_LABELS = 256

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, slots=True)
class Outline:
    """A label map on a plane: (row, column), and the colour of each label."""

    labels: Labels
    colours: Mapping[int, Colour]


@dataclass(frozen=True, eq=False, slots=True)
class Panel:
    """A plane to draw."""

    title: str
    cut: Cut
    window: Window
    outlines: tuple[Outline, ...] = ()

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width."""
        rows, columns = self.cut.pixels.shape
        return rows * self.cut.plane.row_mm, columns * self.cut.plane.column_mm


def draw_panel(sheet: Sheet, box: Box, panel: Panel) -> Box:
    """Draw a plane into a box, as large as it fits.

    Returns
    -------
    Where the plane itself is.
    """
    sheet.fill(box, BLACK)
    place, scale = _place(box, panel)
    image = draw_plane(panel, place.width, place.height)
    sheet.image.paste(Image.fromarray(image), (place.left, place.top))
    _write_letters(sheet, place, panel)
    room = box.width - 2 * _PAD
    sheet.write((box.left + _PAD, box.top + _PAD), cut(panel.title, TEXT, room), TEXT, INK)
    _write_foot(sheet, box, panel, scale)
    return place


def draw_plane(panel: Panel, width: int, height: int) -> npt.NDArray[np.uint8]:
    """(row, column, 3): a plane with its outlines, in this many pixels."""
    grey = Image.fromarray(panel.window.grey(panel.cut.pixels))
    drawn = np.array(grey.resize((width, height), Image.Resampling.BICUBIC).convert("RGB"))
    for outline in panel.outlines:
        labels = _resized(outline.labels, height, width)
        edge = _edge(labels)
        table = [outline.colours.get(label, INK) for label in range(_LABELS)]
        drawn[edge] = np.array(table, np.uint8)[labels[edge]]
    return drawn


def _place(box: Box, panel: Panel) -> tuple[Box, float]:
    """Where the plane goes, and how many pixels a mm has."""
    above, below = _PAD + line_height(TEXT) + _LETTER_ROOM, _foot_height() + _LETTER_ROOM
    wide, high = box.width - 2 * (_SIDE_ROOM + _PAD), box.height - above - below
    height_mm, width_mm = panel.size_mm
    scale = min(wide / width_mm, high / height_mm)
    width, height = max(1, round(width_mm * scale)), max(1, round(height_mm * scale))
    left = box.left + (box.width - width) // 2
    return Box(left, box.top + above + (high - height) // 2, width, height), scale


def _foot_height() -> int:
    return line_height(SMALL) + _PAD


def _resized(labels: Labels, height: int, width: int) -> Labels:
    """Labels at the centres of pixels: those of the nearest voxel."""
    rows, columns = labels.shape
    down = ((np.arange(height) + 0.5) * rows / height).astype(np.intp)
    across = ((np.arange(width) + 0.5) * columns / width).astype(np.intp)
    return labels[np.ix_(down, across)]


def _edge(labels: Labels) -> npt.NDArray[np.bool_]:
    """The two outermost pixels of every label."""
    border = np.zeros(labels.shape, bool)
    for neighbour in _neighbours(labels):
        border |= labels != neighbour
    edge = border & (labels > 0)
    for neighbour in _neighbours(border):
        edge |= neighbour & (labels > 0)
    return edge


def _neighbours(pixels: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """What is above, below, left and right of each pixel; nothing is around all of them."""
    around = np.pad(pixels, 1)
    yield around[:-2, 1:-1]
    yield around[2:, 1:-1]
    yield around[1:-1, :-2]
    yield around[1:-1, 2:]


def _write_letters(sheet: Sheet, place: Box, panel: Panel) -> None:
    """Write where the edges point to, outside of the plane."""
    middle, centre = place.top + place.height / 2, place.left + place.width / 2
    places = (
        (place.left - _PAD, middle, "rm"),
        (place.right + _PAD, middle, "lm"),
        (centre, place.top - _PAD // 2, "mb"),
        (centre, place.bottom + _PAD // 2, "mt"),
    )
    for text, (x, y, anchor) in zip(edge_letters(panel.cut.plane), places, strict=True):
        sheet.write((x, y), text, TEXT, ATTENTION, anchor)


def _write_foot(sheet: Sheet, box: Box, panel: Panel, scale: float) -> None:
    """Write the window at the left, and draw the scale at the right."""
    length_mm = scale_length_mm(_WIDEST_SCALE * box.width / scale)
    text, right = f"{length_mm:g} mm", box.right - _PAD
    base = box.bottom - _PAD - line_height(SMALL) // 2
    left = right - round(length_mm * scale)
    sheet.draw.line((left, base, right, base), fill=INK)
    for end in (left, right):
        sheet.draw.line((end, base - _TICK, end, base + _TICK), fill=INK)
    sheet.write((left - _PAD, base), text, SMALL, INK, "rm")
    room = left - _PAD - text_width(text, SMALL) - _SEPARATOR - box.left - _PAD
    window = cut(panel.window.text, SMALL, room)
    sheet.write((box.left + _PAD, base), window, SMALL, FAINT, "lm")


def scale_length_mm(longest_mm: float) -> float:
    """The longest of 1, 2, 5, 10, 20, 50, ... mm that is not longer."""
    power = 10.0 ** floor(log10(longest_mm))
    return next(step * power for step in _SCALE_STEPS if step * power <= longest_mm)
