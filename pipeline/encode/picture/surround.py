"""What every page has: a title, what it was made of, the site's notice, and who made it when."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pipeline.encode.context import MANUFACTURER, ResultContext
from pipeline.encode.header import made_at
from pipeline.encode.picture.content import PictureContent
from pipeline.encode.picture.sheet import (
    ATTENTION,
    FAINT,
    GAP,
    INK,
    LARGE,
    PAGE,
    SMALL,
    TEXT,
    TITLE,
    Box,
    Sheet,
    cut,
    line_height,
    plain,
    text_width,
    wrapped,
)
from pipeline.encode.values import code_string_value, integer_string_value, value_of
from pipeline.implementation import VERSION
from pipeline.volume import Volume

_NOTICE_WIDTH = 600
_NOTICE_PAD = 8
_SUBJECT_LINES = 3
_DIGEST_SHOWN = 16
_FOOT = (
    "Made by software; no person has checked it. Patient and study are named in the header of this "
    "image, not in its pixels."
)


@dataclass(frozen=True, slots=True)
class Surround:
    """The words around a page.

    Parameters
    ----------
    title
        What the page is.
    subject
        What it is about; a line each.
    notice
        What the site says of its use; empty says nothing.
    foot
        Who made it, from what and when; a line each.
    """

    title: str
    subject: tuple[str, ...]
    notice: str
    foot: tuple[str, ...]


def draw_surround(sheet: Sheet, surround: Surround) -> Box:
    """Write what is around a page.

    Returns
    -------
    What is left for its content.
    """
    notice = _draw_notice(sheet, surround.notice)
    room = PAGE.width - notice.width - GAP
    sheet.write((PAGE.left, PAGE.top), cut(surround.title, TITLE, room), TITLE, INK)
    subject = [line for text in surround.subject for line in _few_lines(text, room)]
    top = sheet.write_lines(PAGE.left, PAGE.top + line_height(TITLE), subject, TEXT, FAINT)
    top = max(top, notice.bottom) + GAP
    foot = [cut(line, SMALL, PAGE.width) for line in surround.foot]
    bottom = PAGE.bottom - len(foot) * line_height(SMALL)
    sheet.write_lines(PAGE.left, bottom, foot, SMALL, FAINT)
    return Box(PAGE.left, top, PAGE.width, bottom - GAP - top)


def surround_of(content: PictureContent, volume: Volume, context: ResultContext) -> Surround:
    """The words around a summary picture."""
    source = volume.sources[0].header
    subject = [*algorithm_lines(content.algorithms), source_line(source, len(volume.sources))]
    if context.phase:
        subject.append(f"Volume of the series: {context.phase}")
    made = foot_lines(source, context, "Made by")
    return Surround("Summary of an automatic analysis", tuple(subject), context.notice, made)


def foot_lines(source: Dataset, context: ResultContext, did: str) -> tuple[str, ...]:
    """Who made a page and when.

    Parameters
    ----------
    source
        The header of the source; its time zone is the page's.
    context
        Who made it.
    did
        What it did, before its name.
    """
    made = made_at(source, context)
    settings = context.settings_digest[:_DIGEST_SHOWN]
    who = f"{MANUFACTURER} {VERSION}"
    return (
        f"{did} {who}, {made:%Y-%m-%d %H:%M:%S} {made.tzname()}. Settings {settings}.",
        _FOOT,
    )


def algorithm_lines(algorithms: Sequence[str]) -> list[str]:
    """Which algorithms a page is about; nothing where none is known."""
    return [f"Algorithms: {', '.join(algorithms)}"] if algorithms else []


def source_line(source: Dataset, images: int = 0) -> str:
    """The source series without its free text, in which a person may be named."""
    modality = code_string_value(str(value_of(source, "Modality") or ""))
    number = integer_string_value(str(value_of(source, "SeriesNumber")))
    series = f"series {number}" if number is not None else "series without a number"
    made_of = f", {images} image{'s' if images > 1 else ''}" if images else ""
    return f"Source: {f'{modality} ' if modality else ''}{series}{made_of}"


def _few_lines(text: str, width: float) -> list[str]:
    """Text in as many lines as it takes, the last of the most that are allowed cut."""
    lines = wrapped(text, TEXT, width)
    kept = lines[: _SUBJECT_LINES - 1]
    rest = " ".join(lines[_SUBJECT_LINES - 1 :])
    return [*kept, cut(rest, TEXT, width)] if rest else kept


def _draw_notice(sheet: Sheet, notice: str) -> Box:
    """Write the notice in a frame at the upper right."""
    size = LARGE if text_width(plain(notice), LARGE) <= _NOTICE_WIDTH else SMALL
    lines = wrapped(notice, size, _NOTICE_WIDTH)
    if not lines:
        return Box(PAGE.right, PAGE.top, 0, 0)
    width = round(max(text_width(line, size) for line in lines)) + 2 * _NOTICE_PAD
    height = len(lines) * line_height(size) + _NOTICE_PAD
    box = Box(PAGE.right - width, PAGE.top, width, height)
    corners = (box.left, box.top, box.right - 1, box.bottom - 1)
    sheet.draw.rectangle(corners, outline=ATTENTION, width=2)
    sheet.write_lines(box.left + _NOTICE_PAD, box.top + _NOTICE_PAD // 2, lines, size, ATTENTION)
    return box
