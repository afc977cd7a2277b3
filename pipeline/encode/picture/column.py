"""The words of a summary picture: what the outlines are, what was measured, what to know."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.encode.picture.sheet import (
    ATTENTION,
    FAINT,
    INK,
    LARGE,
    TEXT,
    Box,
    Colour,
    Sheet,
    cut,
    line_height,
    shortened,
    text_width,
    wrapped,
)
from pipeline.findings import Measurement, MeasurementGroup

_UNITS = {"[hnsf'U]": "HU"}
_SWATCH = 12
_SWATCH_ROOM = 20
_INDENT = 20
_BETWEEN = 12
_LARGE_VALUE, _HUGE_VALUE = 10, 1e7


@dataclass(frozen=True, slots=True)
class Key:
    """A colour and what is drawn in it."""

    colour: Colour
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: a heading, or a name and its value."""

    name: str
    value: str = ""
    colours: tuple[Colour, ...] = ()


def lines_in(height: int) -> int:
    """How many lines of text a height has room for."""
    return max(0, height // line_height(TEXT))


def write_heading(sheet: Sheet, box: Box, text: str) -> Box:
    """Write a heading; what is left of the box."""
    sheet.write((box.left, box.top), text, LARGE, INK)
    return below(box, line_height(LARGE))


def below(box: Box, height: int) -> Box:
    """What is left of a box under a height."""
    return Box(box.left, box.top + height, box.width, max(0, box.height - height))


def write_keys(sheet: Sheet, box: Box, keys: Sequence[Key], most_lines: int) -> Box:
    """Write what colours mean, in as many lines as it takes but no more than allowed."""
    shown, left_out = shortened(key_lines(keys, box.width), most_lines)
    height = line_height(TEXT)
    for line in shown:
        left = float(box.left)
        for key in line:
            _swatch(sheet, left, box.top, key.colour)
            sheet.write((left + _SWATCH_ROOM, box.top), key.text, TEXT, INK)
            left += _key_width(key)
        box = below(box, height)
    if left_out:
        hidden = len(keys) - sum(map(len, shown))
        sheet.write((box.left, box.top), f"and {hidden} more", TEXT, FAINT)
        box = below(box, height)
    return box


def table(groups: Sequence[MeasurementGroup], colours: dict[tuple[str, int], Colour]) -> list[Row]:
    """Measurements as lines.

    Parameters
    ----------
    groups
        In their order.
    colours
        By label map and number of a segment.
    """
    rows = []
    for group in groups:
        known = (colours.get((group.label_map, number)) for number in group.segments)
        rows.append(Row(group.label, colours=tuple(filter(None, known))))
        rows += [Row(item.name.meaning, value_text(item)) for item in group.measurements]
    return rows


def value_text(measurement: Measurement) -> str:
    """A value with its unit, as exact as a reader needs; the report has it in full."""
    value, size = measurement.value, abs(measurement.value)
    text = f"{value:.1f}" if _LARGE_VALUE <= size < _HUGE_VALUE else f"{value:.3g}"
    unit = measurement.unit.value
    return f"{text} {_UNITS.get(unit, unit)}"


def write_table(sheet: Sheet, box: Box, rows: Sequence[Row], most_lines: int) -> Box:
    """Write as many lines as allowed, and how many measurements are left out."""
    shown, left_out = shortened(rows, most_lines)
    while left_out and shown and not shown[-1].value:
        shown, left_out = shown[:-1], left_out + 1
    for row in shown:
        _write_row(sheet, box, row)
        box = below(box, line_height(TEXT))
    if left_out:
        hidden = sum(bool(row.value) for row in rows[len(shown) :])
        sheet.write((box.left, box.top), f"and {hidden} more measurements", TEXT, ATTENTION)
        box = below(box, line_height(TEXT))
    return box


def write_remarks(sheet: Sheet, box: Box, remarks: Sequence[str]) -> None:
    """Write sentences as far as there is room, and how many are left out."""
    room = lines_in(box.height)
    broken = [remark_lines(remark, box.width) for remark in remarks]
    shown = list(_fitting(broken, room))
    for lines in shown:
        bottom = sheet.write_lines(box.left, box.top, lines, TEXT, ATTENTION)
        box = below(box, bottom - box.top)
    if len(shown) < len(broken):
        text = f"and {len(broken) - len(shown)} more remarks"
        sheet.write((box.left, box.top), text, TEXT, ATTENTION)


def remark_lines(remark: str, width: int) -> list[str]:
    """A sentence in lines that fit."""
    return wrapped(f"- {remark}", TEXT, width)


def _fitting(broken: Sequence[Sequence[str]], room: int) -> Iterator[Sequence[str]]:
    """The sentences that fit; where others follow, a line is kept to say so."""
    for number, lines in enumerate(broken, start=1):
        kept = 0 if number == len(broken) else 1
        if len(lines) + kept > room:
            return
        room -= len(lines)
        yield lines


def key_lines(keys: Sequence[Key], width: int) -> list[list[Key]]:
    """Keys in lines that fit."""
    lines: list[list[Key]] = []
    used = width + 1.0
    for key in keys:
        fitting = Key(key.colour, cut(key.text, TEXT, width - _SWATCH_ROOM))
        needed = _key_width(fitting)
        if used + needed - _BETWEEN > width:
            lines.append([])
            used = 0.0
        lines[-1].append(fitting)
        used += needed
    return lines


def _key_width(key: Key) -> float:
    return _SWATCH_ROOM + text_width(key.text, TEXT) + _BETWEEN


def _write_row(sheet: Sheet, box: Box, row: Row) -> None:
    left, right = float(box.left), float(box.right)
    if row.value:
        value = cut(row.value, TEXT, box.width / 2)
        sheet.write((right, box.top), value, TEXT, INK, "ra")
        left, right = left + _INDENT, right - text_width(value, TEXT) - _BETWEEN
    for colour in row.colours:
        _swatch(sheet, left, box.top, colour)
        left += _SWATCH_ROOM
    name = cut(row.name, TEXT, right - left)
    sheet.write((left, box.top), name, TEXT, FAINT if row.value else INK)


def _swatch(sheet: Sheet, left: float, top: float, colour: Colour) -> None:
    corner = top + (line_height(TEXT) - _SWATCH) // 2 - 1
    sheet.draw.rectangle((left, corner, left + _SWATCH - 1, corner + _SWATCH - 1), fill=colour)
