"""Measurements of segments against numpy in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from pydicom.sr.codedict import codes

from pipeline.algorithms import measure
from pipeline.algorithms.measure import HuSums, measure_brain, measure_lungs, sum_segments
from pipeline.findings import Code, LabelMap, Segment
from pipeline.geometry import Spacing

SPACING = Spacing(2.5, 0.7, 0.8)
LUNG = Code("39607008", "SCT", "Lung")


@pytest.fixture
def scan():
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, (9, 11, 13)).astype(np.uint8)
    return labels, random.integers(-1024, -700, labels.shape).astype(np.int16)


def lungs(labels):
    segments = tuple(
        Segment(number, name, LUNG, LUNG, None, (0, 0, 0))
        for number, name in enumerate(("Right lung", "Left lung"), start=1)
    )
    return LabelMap("lungs", labels, segments, "Lungs")


def values(group):
    return {item.name.value: item.value for item in group.measurements}


def test_sums_are_those_of_each_segments_voxels(scan):
    labels, voxels = scan

    for number, sums in enumerate(sum_segments(labels, voxels, 2), start=1):
        inside = voxels[labels == number].astype(object)
        assert sums.voxels == len(inside)
        assert sums.hu == inside.sum()
        assert sums.hu_squared == (inside**2).sum()
        assert sums.emphysematous == (inside < -950).sum()


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_sums_of_the_largest_values_are_exact(dtype):
    limit = int(np.iinfo(dtype).max)
    labels, voxels = np.ones((20, 30, 40), np.uint8), np.full((20, 30, 40), limit, dtype)

    (sums,) = sum_segments(labels, voxels, 1)

    assert sums == HuSums(24000, 24000 * limit, 24000 * limit**2, 0)


def test_memory_order_changes_no_sum(scan):
    labels, voxels = scan

    assert sum_segments(np.asfortranarray(labels), voxels[::-1], 2) == sum_segments(
        labels, np.ascontiguousarray(voxels[::-1]), 2
    )


def test_each_lung_and_both_are_measured(scan):
    labels, voxels = scan

    groups = measure_lungs(lungs(labels), voxels, SPACING)

    assert [(group.label, group.segments) for group in groups] == [
        ("Right lung", (1,)),
        ("Left lung", (2,)),
        ("Both lungs", (1, 2)),
    ]
    for group in groups:
        inside = voxels[np.isin(labels, group.segments)]
        found = values(group)
        assert group.label_map == "lungs"
        assert found["118565006"] == pytest.approx(len(inside) * 2.5 * 0.7 * 0.8 / 1000)
        assert found["373098007"] == float(Fraction(int(inside.sum(dtype=int)), len(inside)))
        assert found["386136009"] == pytest.approx(inside.std(dtype=np.float64), rel=1e-12)
        assert found["LAA950"] == pytest.approx(100 * (inside < -950).mean())


def test_volume_of_both_is_the_sum_of_each(scan):
    labels, voxels = scan

    right, left, both = (values(group) for group in measure_lungs(lungs(labels), voxels, SPACING))

    assert both["118565006"] == pytest.approx(right["118565006"] + left["118565006"])


def test_voxel_of_minus_950_is_not_emphysema():
    labels = np.ones((1, 1, 4), np.uint8)
    voxels = np.array([-951, -950, -949, -1000], np.int16).reshape(1, 1, 4)

    (sums,) = sum_segments(labels, voxels, 1)

    assert measure.emphysema_index(sums).value == 50


def test_deviation_of_equal_values_is_zero():
    """Sums of squares in floating point would leave a rest, or the root of a negative number."""
    labels, voxels = np.ones((7, 11, 13), np.uint8), np.full((7, 11, 13), -873, np.int16)

    (sums,) = sum_segments(labels, voxels, 1)

    assert measure.standard_deviation_hu(sums).value == 0
    assert measure.mean_hu(sums).value == -873


def test_segment_without_voxels_has_a_volume_and_nothing_else(scan):
    labels, voxels = scan
    labels = np.where(labels == 2, 0, labels).astype(np.uint8)

    right, left, both = measure_lungs(lungs(labels), voxels, SPACING)

    assert values(left) == {"118565006": 0}
    assert values(both) == values(right)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_brain_without_voxels_has_a_volume_and_nothing_else(scan, modality):
    labels, voxels = scan

    group = measure_brain(lungs(np.zeros_like(labels)), voxels, SPACING, modality)

    assert values(group) == {"118565006": 0}


@pytest.mark.parametrize(
    "measured", [measure.mean_hu, measure.standard_deviation_hu, measure.emphysema_index]
)
def test_values_of_no_voxels_are_refused(measured):
    with pytest.raises(ValueError, match="without voxels"):
        measured(HuSums(0, 0, 0, 0))


def test_concepts_and_units_are_the_standards():
    for ours, standard in (
        (measure.VOLUME, codes.SCT.Volume),
        (measure.MEAN, codes.SCT.Mean),
        (measure.STANDARD_DEVIATION, codes.SCT.StandardDeviation),
        (measure.HOUNSFIELD_UNIT, codes.UCUM.HounsfieldUnit),
        (measure.PERCENT, codes.UCUM.Percent),
    ):
        assert (ours.value, ours.scheme, ours.meaning) == standard[:3]


def test_own_concept_fits_a_code_sequence():
    """Coding Scheme Designator and Code Value take 16 characters, Code Meaning 64."""
    code = measure.EMPHYSEMA_INDEX

    assert code.scheme.startswith("99")
    assert max(len(code.scheme), len(code.value)) <= 16
    assert len(code.meaning) <= 64


def test_each_measurement_says_how_it_was_made(scan):
    for group in measure_lungs(lungs(scan[0]), scan[1], SPACING):
        assert all(item.definition for item in group.measurements)


def test_other_grids_and_types_are_refused(scan):
    labels, voxels = scan
    with pytest.raises(ValueError, match="one grid"):
        sum_segments(labels[1:], voxels, 2)
    with pytest.raises(ValueError, match="up to 16 bits"):
        sum_segments(labels, voxels.astype(np.int32), 2)
