"""Plots of a series: where its images lie, and how often each value occurs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from scp.inspect.positions import Lane
from scp.inspect.sheet import BAD, FAINT, INK, INNER_WIDTH, PANEL, REMARK, Colour, block, font
from scp.inspect.values import Values

_PAD = 16
_SMALL = 14
_TITLE_HEIGHT = 24
_AXIS_HEIGHT = 24
_LANE_HEIGHT = 92
_WIDEST_IMAGE = 12
_TALLEST_IMAGE = 26
_IMAGE_SHARE = 0.6
_MOST_OUTLINED = 100
_SEAM = 1
_SEAMLESS_HEIGHT = 2
_HISTOGRAM_HEIGHT = 120
_HISTOGRAM_BINS = 200


class _Marking(NamedTuple):
    ground: Colour
    ink: Colour


_GAP = _Marking((86, 34, 38), BAD)
_UNEVEN = _Marking((78, 62, 28), REMARK)


def draw_lane(lane: Lane, title: str, colours: Mapping[str, Colour]) -> Image.Image:
    """Draw where the images of one orientation lie: doubles on top of one another, gaps in red.

    In a gap the places of missing slices are outlined.

    Parameters
    ----------
    lane
        The images.
    title
        Above the plot.
    colours
        By name of the image.
    """
    drawn, draw = _panel(title, _LANE_HEIGHT)
    bottom = _TITLE_HEIGHT + _LANE_HEIGHT
    _mark_distances(draw, lane, lane.uneven, _UNEVEN)
    _mark_distances(draw, lane, lane.gaps, _GAP)
    width, height = _image_size(lane)
    _outline_missing(draw, lane, width, height)
    for place, position in zip(_places(lane), lane.positions, strict=True):
        for level, name in enumerate(position.names):
            low = bottom - 1 - level * height
            top = low - height + (_SEAM if height > _SEAMLESS_HEIGHT else 0)
            draw.rectangle((place - width / 2, top, place + width / 2, low), fill=colours[name])
    _write_axis(draw, bottom, f"{lane.positions[0].mm:.2f} mm", f"{lane.positions[-1].mm:.2f} mm")
    return drawn


def draw_histogram(values: Values, title: str) -> Image.Image:
    """Draw how often values occur, on a logarithmic scale."""
    drawn, draw = _panel(title, _HISTOGRAM_HEIGHT)
    bottom = _TITLE_HEIGHT + _HISTOGRAM_HEIGHT
    counts = values.histogram.coarser(_HISTOGRAM_BINS).counts
    heights = np.log1p(counts) / np.log1p(counts.max())
    edges = np.linspace(_PAD, INNER_WIDTH - _PAD, len(heights) + 1)
    for left, right, height in zip(edges, edges[1:], heights, strict=False):
        if height > 0:
            top = bottom - 1 - height * (_HISTOGRAM_HEIGHT - 8)
            draw.rectangle((left, top, max(left, right - 1), bottom - 1), fill=INK)
    _write_axis(draw, bottom, f"{values.minimum:g}", f"{values.maximum:g}")
    return drawn


def _panel(title: str, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A block with a title and room for a plot and its axis."""
    drawn = block(_TITLE_HEIGHT + height + _AXIS_HEIGHT)
    draw = ImageDraw.Draw(drawn)
    draw.text((0, 0), title, font=font(_SMALL), fill=INK)
    draw.rectangle((0, _TITLE_HEIGHT, INNER_WIDTH, _TITLE_HEIGHT + height), fill=PANEL)
    return drawn, draw


def _places(lane: Lane) -> list[float]:
    """Where positions are drawn, in pixels from the left."""
    first, last = lane.positions[0].mm, lane.positions[-1].mm
    if first == last:
        return [INNER_WIDTH / 2]
    room = INNER_WIDTH - 2 * _PAD - _WIDEST_IMAGE
    start = _PAD + _WIDEST_IMAGE / 2
    return [start + room * (position.mm - first) / (last - first) for position in lane.positions]


def _image_size(lane: Lane) -> tuple[float, float]:
    """Width and height of the mark of an image, in pixels."""
    most = max(len(position.names) for position in lane.positions)
    height = min(_TALLEST_IMAGE, (_LANE_HEIGHT - _PAD) / most)
    if lane.typical_mm is None:
        return _WIDEST_IMAGE, height
    across = _places(lane)
    scale = (across[-1] - across[0]) / (lane.positions[-1].mm - lane.positions[0].mm)
    return min(_WIDEST_IMAGE, max(0.0, _IMAGE_SHARE * scale * lane.typical_mm - 1)), height


def _outline_missing(draw: ImageDraw.ImageDraw, lane: Lane, width: float, height: float) -> None:
    """Outline where slices of the commonest distance would lie in gaps."""
    across, low = _places(lane), _TITLE_HEIGHT + _LANE_HEIGHT - 1
    for index in lane.gaps:
        steps = round(lane.distance_after(index) / (lane.typical_mm or 1))
        if steps > _MOST_OUTLINED:
            continue
        for place in np.linspace(across[index], across[index + 1], steps + 1)[1:-1]:
            corners = (place - width / 2, low - height, place + width / 2, low)
            draw.rectangle(corners, outline=_GAP.ink)


def _mark_distances(
    draw: ImageDraw.ImageDraw, lane: Lane, indices: Sequence[int], marking: _Marking
) -> None:
    """Colour the room between positions, and write distances there as long as there is room."""
    across, free = _places(lane), 0.0
    top, bottom = _TITLE_HEIGHT, _TITLE_HEIGHT + _LANE_HEIGHT
    for index in indices:
        draw.rectangle((across[index], top, across[index + 1], bottom), fill=marking.ground)
    for index in indices:
        text = f"{lane.distance_after(index):.2f} mm"
        half = font(_SMALL).getlength(text) / 2
        middle = min(max((across[index] + across[index + 1]) / 2, half), INNER_WIDTH - half)
        if middle - half >= free:
            draw.text((middle - half, top + 3), text, font=font(_SMALL), fill=marking.ink)
            free = middle + half + _PAD


def _write_axis(draw: ImageDraw.ImageDraw, top: int, low: str, high: str) -> None:
    """Write the ends of the axis below a plot."""
    draw.text((_PAD, top + 4), low, font=font(_SMALL), fill=FAINT)
    left = INNER_WIDTH - _PAD - font(_SMALL).getlength(high)
    draw.text((left, top + 4), high, font=font(_SMALL), fill=FAINT)
