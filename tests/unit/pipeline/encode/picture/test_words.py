"""What is said beside the pictures, and how it is cut to fit."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.encode.picture.column import Key, Row, key_lines, table, value_text
from pipeline.encode.picture.content import PictureContent, found_on
from pipeline.encode.picture.sheet import (
    SMALL,
    TEXT,
    Box,
    cut,
    plain,
    shortened,
    text_width,
    wrapped,
)
from pipeline.encode.picture.words import words_of
from pipeline.errors import EncodingError
from pipeline.findings import Code, DerivedVolume, LabelMap, Measurement, ProbabilityMap
from pipeline.geometry import Spacing
from pipeline.volume import Dropped, Receipt, Volume
from tests.support.pictures import mask_of, measured, volume_of


@pytest.fixture
def volume() -> Volume:
    return volume_of(np.zeros((6, 8, 10), np.uint16), Spacing(1.0, 1.0, 1.0))


@pytest.fixture
def labels() -> np.ndarray:
    """Segment 1 in few voxels, segment 2 in a single one."""
    labels = np.zeros((6, 8, 10), np.uint8)
    labels[1:3, 2:4, 2:4] = 1
    labels[5, 7, 9] = 2
    return labels


@pytest.fixture
def receipt() -> Receipt:
    return Receipt(
        series_instance_uid="1.2.3.2",
        phase=None,
        rule="The lowest Instance Number is kept.",
        kept=("1.2.3.4.1", "1.2.3.4.2"),
        dropped=(Dropped("1.2.3.4.9", "shares a position"),),
        shape=(6, 8, 10),
        spacing_mm=(1.0, 1.0, 1.0),
        spacing_rule="",
        slice_thickness_mm=1.0,
        affine=(),
        rescale="",
        padding=(),
        suv=None,
        warnings=("1 slice is missing.",),
    )


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (5234.567, "ml", "5234.6 ml"),
        (-850.34, "[hnsf'U]", "-850.3 HU"),
        (9.8765, "%", "9.88 %"),
        (0.001234, "ml", "0.00123 ml"),
        (0.0, "ml", "0 ml"),
        (1.5e9, "ml", "1.5e+09 ml"),
        (float("nan"), "ml", "nan ml"),
    ],
)
def test_value_is_said_in_three_digits_or_to_a_tenth(value: float, unit: str, text: str) -> None:
    code = Code("V", "99TEST", "Value")
    assert value_text(Measurement(code, value, Code(unit, "UCUM", unit), "")) == text


def test_group_has_the_colours_of_its_segments() -> None:
    groups = (measured("Left", 4), measured("Both", 4, (1, 2)), measured("Else", 4, (9,)))
    rows = table(groups, {("parts", 1): (1, 1, 1), ("parts", 2): (2, 2, 2)})
    assert [row.colours for row in rows if not row.value] == [
        ((1, 1, 1),),
        ((1, 1, 1), (2, 2, 2)),
        (),
    ]
    assert rows[1] == Row(groups[0].measurements[0].name.meaning, "0.001 ml")


@pytest.mark.parametrize(
    ("count", "room", "shown", "left_out"), [(3, 3, 3, 0), (4, 3, 2, 2), (9, 1, 0, 9), (2, 0, 0, 2)]
)
def test_what_is_left_out_is_counted(count: int, room: int, shown: int, left_out: int) -> None:
    """The count takes a place too."""
    items, hidden = shortened(range(count), room)
    assert (len(items), hidden) == (shown, left_out)


def test_remarks_are_of_the_volume_then_of_what_was_found(
    volume: Volume, labels: np.ndarray, receipt: Receipt
) -> None:
    found = mask_of(labels, "One", "Two", "Three", remarks=("They touch.",))
    content = PictureContent(("own 1",), (found, measured("One", 4)))
    words = words_of(found_on(volume, content), receipt)
    assert words.remarks == [
        "2 images used, 1 left out: The lowest Instance Number is kept.",
        "1 slice is missing.",
        "Not found: Three.",
        "They touch.",
    ]
    assert [key.text for key in words.keys] == ["One", "Two", "Three"]
    assert len(words.rows) == 5


def test_empty_mask_is_said_to_be_empty(volume: Volume, labels: np.ndarray) -> None:
    found = mask_of(np.zeros_like(labels), *(f"Part {number}" for number in range(1, 12)))
    words = words_of(found_on(volume, PictureContent(("own 1",), (found,))), None)
    (remark,) = words.remarks
    assert remark.startswith("Not found: Part 1, Part 2, ")
    assert remark.endswith("Part 8 and 3 more.")


def test_nothing_found_leaves_nothing_to_say(volume: Volume) -> None:
    assert words_of(found_on(volume, PictureContent(("own 1",), ())), None).are_none


def test_words_fit_or_do_not(volume: Volume, labels: np.ndarray) -> None:
    found = mask_of(labels, "One", "Two", remarks=("They touch. " * 20,))
    content = PictureContent(("own 1",), (found, measured("One", 10)))
    words = words_of(found_on(volume, content), None)
    assert words.fit(Box(0, 0, 450, 700))
    assert not words.fit(Box(0, 0, 450, 300))


def test_projections_that_are_not_shown_are_counted(volume: Volume) -> None:
    slab = slab_of(volume)
    shown = replace(slab, locations_preserved=True, name="masked")
    findings = (slab, shown, *(replace(slab, name=f"mip {number}") for number in range(3)))
    words = words_of(found_on(volume, PictureContent(("own 1",), findings)), None)
    assert words.remarks == ["Projections not shown here: 2."]


def slab_of(volume: Volume) -> DerivedVolume:
    return DerivedVolume("mip", volume.voxels, "MIP", (), ((0,),) * 6, False, 3.0, "MIP")


def test_probabilities_are_drawn_where_a_segment_is_likely(
    volume: Volume, labels: np.ndarray
) -> None:
    probabilities = np.stack([(labels == 1) * 0.9, (labels == 2) * 0.4]).astype(np.float32)
    described = mask_of(labels, "One", "Two")
    likely = ProbabilityMap("parts", probabilities, described.segments, "Parts")
    found = found_on(volume, PictureContent(("own 1",), (likely,)))
    np.testing.assert_array_equal(found.label_maps[0].labels, labels == 1)
    assert [segment.label for segment in found.missing] == ["Two"]


@pytest.mark.parametrize("kind", ["mask", "slab"])
def test_finding_on_another_grid_is_refused(kind: str, volume: Volume, labels: np.ndarray) -> None:
    finding: LabelMap | DerivedVolume = mask_of(labels[:-1], "One", "Two")
    if kind == "slab":
        finding = replace(slab_of(volume), voxels=volume.voxels[:, :-1])
    with pytest.raises(EncodingError, match=r"is \(.*\); to be drawn it must be \(6, 8, 10\)"):
        found_on(volume, PictureContent(("own 1",), (finding,)))


def test_text_is_broken_between_words_and_in_words_that_are_too_long() -> None:
    text = "A UID " + "1.2.826.0.1.3680043." * 5 + " and more words"
    lines = wrapped(text, TEXT, 300)
    assert all(text_width(line, TEXT) <= 300 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_line_is_cut_where_it_must_be() -> None:
    assert cut("short", SMALL, 300) == "short"
    long = cut("a line that is too long for its place", SMALL, 100)
    assert long.startswith("a line")
    assert long.endswith("...")
    assert text_width(long, SMALL) <= 100
    assert cut("no room", SMALL, 3) == ""


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Nur für Prüfzwecke, größer", "Nur fur Prufzwecke, grosser"),
        ("Čeština à côté", "Cestina a cote"),
        ("研究用\tonly\n", "??? only"),
        ("\x00bell\x07", "bell"),
    ],
)
def test_letters_that_the_font_lacks_are_said_in_others(text: str, drawn: str) -> None:
    assert plain(text) == drawn


def test_keys_go_on_in_lines_that_fit() -> None:
    keys = [Key((1, 2, 3), f"Segment {number}") for number in range(9)]
    lines = key_lines([*keys, Key((1, 2, 3), "Name " * 90)], 300)
    assert sum(map(len, lines)) == 10
    assert len(lines) > 3
    assert text_width(lines[-1][0].text, TEXT) < 300
