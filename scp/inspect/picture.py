"""The picture of a series: what it is, three planes through it, where its images lie, its values.

No text of the header is drawn but UIDs and what the receipt says.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from scp.inspect.planes import MidPlane
from scp.inspect.plots import draw_histogram, draw_lane
from scp.inspect.sheet import (
    BAD,
    FAINT,
    GOOD,
    INK,
    INNER_WIDTH,
    REMARK,
    Colour,
    block,
    font,
    stacked,
    text_block,
)
from scp.inspect.survey import SeriesSurvey, VolumeSurvey
from scp.inspect.values import Values
from scp.inspect.words import lane_summary, values_text, volume_text

_TITLE, _TEXT, _CAPTION = 20, 15, 14
_PANEL_GAP = 16
_PANEL_WIDTH = (INNER_WIDTH - 2 * _PANEL_GAP) // 3
_PANEL_HEIGHT = 440
_CAPTION_HEIGHT = 24
_LETTER_MARGIN = 6
_DARKEST_SHARE, _BRIGHTEST_SHARE = 0.01, 0.995
_MOST_VOLUMES = 4
_MOST_LANES = 6
_KEPT_COLOURS: tuple[Colour, ...] = (
    GOOD,
    (104, 160, 240),
    (200, 140, 230),
    (240, 160, 110),
    (120, 205, 225),
    (215, 205, 110),
)


def draw_series(survey: SeriesSurvey) -> Image.Image:
    """Draw a series.

    Returns
    -------
    RGB, 1280 pixels wide, as high as what there is to show.
    """
    blocks = [text_block(list(_head(survey)))]
    for number, volume in enumerate(survey.volumes[:_MOST_VOLUMES]):
        blocks += _volume_blocks(volume, _KEPT_COLOURS[number])
    more = len(survey.volumes) - _MOST_VOLUMES
    if more > 0:
        blocks.append(text_block([(f"and {more} more volumes", FAINT, _TEXT)]))
    colours = image_colours(survey)
    blocks += [
        draw_lane(lane, f"Positions: {lane_summary(lane)}", colours)
        for lane in survey.layout.lanes[:_MOST_LANES]
    ]
    blocks.append(text_block([_legend(survey)]))
    return stacked(blocks)


def save_picture(survey: SeriesSurvey, path: Path) -> None:
    """Draw a series into a PNG file.

    Raises
    ------
    OSError
        It cannot be written.
    """
    draw_series(survey).save(path, format="PNG")


def image_colours(survey: SeriesSurvey) -> dict[str, Colour]:
    """The colour of every image of a series: by volume, or that of what was left out or refused."""
    otherwise = REMARK if survey.volumes else BAD
    colours = {
        name: otherwise
        for lane in survey.layout.lanes
        for position in lane.positions
        for name in position.names
    }
    for number, volume in enumerate(survey.volumes):
        colour = _KEPT_COLOURS[number % len(_KEPT_COLOURS)]
        colours |= dict.fromkeys(volume.receipt.kept, colour)
    return colours


def _head(survey: SeriesSurvey) -> Iterator[tuple[str, Colour, int]]:
    yield f"Series {survey.series_instance_uid}", INK, _TITLE
    modality = survey.content.modality if survey.content else ""
    yield f"{modality}, {survey.instances} instances".lstrip(", "), FAINT, _TEXT
    if survey.reason:
        yield survey.reason, BAD, _TEXT


def _legend(survey: SeriesSurvey) -> tuple[str, Colour, int]:
    if not survey.layout.lanes:
        return "No image says where it lies.", FAINT, _CAPTION
    kept = "In colour: what a volume is made of. Yellow: left out."
    refused = "Red: images of which no volume is made."
    stacking = "Images at one position lie on top of one another"
    ground = "red ground: a gap, brown ground: an uneven distance"
    text = f"{kept if survey.volumes else refused} {stacking}; {ground}."
    return text, FAINT, _CAPTION


def _volume_blocks(volume: VolumeSurvey, colour: Colour) -> Iterator[Image.Image]:
    lines = [(volume_text(volume.receipt), colour, _TEXT), (volume.receipt.rule, FAINT, _CAPTION)]
    lines += [(warning, REMARK, _CAPTION) for warning in volume.receipt.warnings]
    yield text_block(lines)
    if volume.values is None:
        return
    window = _window(volume.values)
    yield _row_of_planes(volume.planes, window)
    title = f"Values: {values_text(volume.values)}; counts on a logarithmic scale; "
    shown = f"planes show {window[0]:g} (black) to {window[1]:g} (white)"
    yield draw_histogram(volume.values, title + shown)


def _window(values: Values) -> tuple[float, float]:
    """What is drawn black and white: all but the rarest values."""
    low = values.histogram.quantile(_DARKEST_SHARE)
    high = values.histogram.quantile(_BRIGHTEST_SHARE)
    return (low, high) if high > low else (values.minimum, max(values.maximum, low + 1))


def _row_of_planes(planes: Sequence[MidPlane], window: tuple[float, float]) -> Image.Image:
    """The planes side by side, all to one scale, centred in their columns."""
    scale = plane_scale(planes)
    pictures = [_drawn_plane(plane, window, scale) for plane in planes]
    row = block(_CAPTION_HEIGHT + max(picture.height for picture in pictures))
    draw = ImageDraw.Draw(row)
    for number, (plane, picture) in enumerate(zip(planes, pictures, strict=True)):
        left = number * (_PANEL_WIDTH + _PANEL_GAP)
        height_mm, width_mm = plane.size_mm
        caption = f"{plane.name}, {width_mm:.0f} x {height_mm:.0f} mm"
        draw.text((left, 0), caption, font=font(_CAPTION), fill=FAINT)
        row.paste(picture, (left + (_PANEL_WIDTH - picture.width) // 2, _CAPTION_HEIGHT))
    return row


def plane_scale(planes: Sequence[MidPlane]) -> float:
    """Pixels of the picture for a mm: as large as all planes fit."""
    height_mm = max(plane.size_mm[0] for plane in planes)
    width_mm = max(plane.size_mm[1] for plane in planes)
    return min(_PANEL_WIDTH / width_mm, _PANEL_HEIGHT / height_mm)


def _drawn_plane(plane: MidPlane, window: tuple[float, float], scale: float) -> Image.Image:
    """A plane in its true proportions, in grey, with letters at its edges."""
    low, high = window
    values = np.nan_to_num(plane.pixels.astype(np.float64), nan=low)
    grey = (np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    height, width = (max(1, round(size * scale)) for size in plane.size_mm)
    drawn = Image.fromarray(grey).resize((width, height), Image.Resampling.BICUBIC).convert("RGB")
    _write_letters(drawn, plane.letters)
    return drawn


def _write_letters(drawn: Image.Image, letters: tuple[str, str, str, str]) -> None:
    """Write where the left, right, upper and lower edges point to."""
    draw, margin = ImageDraw.Draw(drawn), _LETTER_MARGIN
    centre_x, centre_y = drawn.width / 2, drawn.height / 2
    places = (
        (margin, centre_y, "lm"),
        (drawn.width - margin, centre_y, "rm"),
        (centre_x, margin, "mt"),
        (centre_x, drawn.height - margin, "mb"),
    )
    for text, (x, y, anchor) in zip(letters, places, strict=True):
        draw.text(
            (x, y),
            text,
            font=font(_TEXT),
            fill=REMARK,
            anchor=anchor,
            stroke_width=2,
            stroke_fill=(0, 0, 0),
        )
