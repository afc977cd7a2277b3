"""The page that says why there is no result."""

from collections.abc import Sequence

from PIL import Image
from pydicom.dataset import Dataset

from pipeline.encode.context import ResultContext
from pipeline.encode.picture.sheet import (
    ATTENTION,
    FAINT,
    GAP,
    INK,
    LARGE,
    SMALL,
    TEXT,
    TITLE,
    Box,
    Sheet,
    line_height,
    shortened,
    wrapped,
)
from pipeline.encode.picture.surround import (
    Surround,
    algorithm_lines,
    draw_surround,
    foot_lines,
    source_line,
)

_SIZES = (TITLE, LARGE, TEXT, SMALL)
_WIDEST = 1100
_ADVICE = (
    "No result of this analysis was stored for the series. The images themselves are untouched; "
    "read them as without the analysis. Once the reason is removed, send the series again."
)


def draw_note(
    source: Dataset, refusal: str, algorithms: Sequence[str], context: ResultContext
) -> Image.Image:
    """Draw the page.

    Returns
    -------
    RGB, 1400 x 1000 pixels.
    """
    sheet = Sheet()
    subject = (*algorithm_lines(algorithms), source_line(source))
    made = foot_lines(source, context, "Noted by")
    body = draw_surround(sheet, Surround("Analysis not done", subject, context.notice, made))
    advice = wrapped(_ADVICE, LARGE, _WIDEST)
    kept = 2 * line_height(TITLE) + len(advice) * line_height(LARGE) + 4 * GAP
    sheet.write((body.left, body.top + GAP), "Why", TITLE, INK)
    top = body.top + GAP + line_height(TITLE) + GAP // 2
    room = Box(body.left, top, body.width, body.height - kept)
    top = _write_refusal(sheet, room, refusal) + GAP
    sheet.write((body.left, top), "What this means", TITLE, INK)
    top += line_height(TITLE) + GAP // 2
    sheet.write_lines(body.left, top, advice, LARGE, FAINT)
    return sheet.image


def _write_refusal(sheet: Sheet, box: Box, refusal: str) -> int:
    """Write the reason in the largest letters that all of it fits in; where it ends."""
    for size in _SIZES:
        lines = wrapped(refusal, size, box.width if size < LARGE else _WIDEST)
        room = box.height // line_height(size)
        if len(lines) <= room:
            break
    shown, left_out = shortened(lines, room)
    more = [f"and {left_out} more lines"] if left_out else []
    return sheet.write_lines(box.left, box.top, [*shown, *more], size, ATTENTION)
