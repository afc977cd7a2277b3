"""What is said on a summary picture: outlines, measurements, remarks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.encode.picture.choice import MOST_PROJECTIONS
from pipeline.encode.picture.column import (
    Key,
    Row,
    below,
    key_lines,
    lines_in,
    remark_lines,
    table,
    write_heading,
    write_keys,
    write_remarks,
    write_table,
)
from pipeline.encode.picture.content import Found
from pipeline.encode.picture.layout import Layout
from pipeline.encode.picture.sheet import GAP, LARGE, TEXT, Box, Sheet, line_height
from pipeline.volume import Receipt

_KEY_LINES = 4
_REMARKS_SHARE = 0.4
_NAMED_MISSING = 8
_HEADING = line_height(LARGE)


@dataclass(frozen=True, slots=True)
class Words:
    """All that is said beside the pictures.

    Parameters
    ----------
    keys
        What outlines are.
    rows
        What was measured.
    remarks
        What to know; a sentence each.
    """

    keys: Sequence[Key]
    rows: Sequence[Row]
    remarks: Sequence[str]

    @property
    def are_none(self) -> bool:
        """Whether there is nothing to say."""
        return not (self.keys or self.rows or self.remarks)

    def fit(self, box: Box) -> bool:
        """Whether a box has room for all of it."""
        counts = (
            min(len(key_lines(self.keys, box.width)), _KEY_LINES),
            len(self.rows),
            remarks_length(self.remarks, box),
        )
        needed = [_HEADING + count * line_height(TEXT) + GAP for count in counts if count]
        return sum(needed) <= box.height


def words_of(found: Found, receipt: Receipt | None) -> Words:
    """What is to be said of findings and of how their volume was made."""
    keys = [
        Key(segment.rgb, segment.label) for item in found.label_maps for segment in item.segments
    ]
    rows = table(found.measurements, found.colours)
    return Words(keys, rows, [*_remarks_on_volume(receipt), *_remarks_on_findings(found)])


def write_words(sheet: Sheet, words: Words, layout: Layout) -> None:
    """Write all of it; what there is no room for is counted."""
    if layout.words is None:
        return
    rest = _write_keys(sheet, layout.words, words.keys)
    if layout.remarks is not None:
        _write_rows(sheet, rest, words.rows)
        _write_remarks(sheet, layout.remarks, words.remarks)
        return
    kept = 0
    if words.remarks:
        needed = _HEADING + remarks_length(words.remarks, rest) * line_height(TEXT)
        kept = min(needed, round(_REMARKS_SHARE * rest.height)) + GAP
    rows_box = Box(rest.left, rest.top, rest.width, rest.height - kept)
    used = rows_box.height - _write_rows(sheet, rows_box, words.rows).height
    _write_remarks(sheet, below(rest, used), words.remarks)


def remarks_length(remarks: Sequence[str], box: Box) -> int:
    """How many lines they take."""
    return sum(len(remark_lines(remark, box.width)) for remark in remarks)


def _remarks_on_volume(receipt: Receipt | None) -> Iterator[str]:
    if receipt is None:
        return
    if receipt.dropped:
        used, left_out = len(receipt.kept), len(receipt.dropped)
        yield f"{used} images used, {left_out} left out: {receipt.rule}"
    yield from receipt.warnings


def _remarks_on_findings(found: Found) -> Iterator[str]:
    missing = [segment.label for segment in found.missing]
    if missing:
        named, more = ", ".join(missing[:_NAMED_MISSING]), len(missing) - _NAMED_MISSING
        yield f"Not found: {named}{f' and {more} more' if more > 0 else ''}."
    for label_map in found.label_maps:
        yield from label_map.remarks
    unseen = len(found.projections) - MOST_PROJECTIONS
    if unseen > 0:
        yield f"Projections not shown here: {unseen}."


def _write_keys(sheet: Sheet, box: Box, keys: Sequence[Key]) -> Box:
    if not keys:
        return box
    box = write_keys(sheet, write_heading(sheet, box, "Outlines"), keys, _KEY_LINES)
    return below(box, GAP)


def _write_rows(sheet: Sheet, box: Box, rows: Sequence[Row]) -> Box:
    if not rows:
        return box
    box = write_heading(sheet, box, "Measurements")
    return below(write_table(sheet, box, rows, lines_in(box.height)), GAP)


def _write_remarks(sheet: Sheet, box: Box, remarks: Sequence[str]) -> None:
    if remarks:
        write_remarks(sheet, write_heading(sheet, box, "Remarks"), remarks)
