"""Findings that answer questions about themselves."""

import numpy as np
import pytest

from pipeline.errors import EncodingError
from pipeline.findings import Code, LabelMap, ProbabilityMap, Segment

SEGMENTS = tuple(
    Segment(number, f"Part {number}", Code("1", "X", "x"), Code("2", "X", "y"), None, (1, 2, 3))
    for number in (1, 2)
)


def probabilities(*parts: list[float]) -> ProbabilityMap:
    """One row of voxels."""
    array = np.array(parts, np.float32)[:, None, None, :]
    return ProbabilityMap("parts", array, SEGMENTS, "Parts", ("A remark.",))


def test_the_most_likely_segment_has_a_voxel() -> None:
    likely = probabilities([0.9, 0.5, 0.2, 0.6, 0.49], [0.1, 0.2, 0.7, 0.8, 0.49])
    assert likely.label_map().labels.ravel().tolist() == [1, 1, 2, 2, 0]


def test_the_first_of_equally_likely_segments_has_it() -> None:
    assert probabilities([0.5], [0.5]).label_map().labels.item() == 1


@pytest.mark.parametrize(
    ("threshold", "labels"), [(0.1, [1, 2, 1]), (0.55, [1, 0, 0]), (0.9, [0, 0, 0])]
)
def test_below_the_threshold_is_background(threshold: float, labels: list[int]) -> None:
    likely = probabilities([0.7, 0.2, 0.3], [0.1, 0.5, 0.2])
    assert likely.label_map(threshold).labels.ravel().tolist() == labels


def test_label_map_of_probabilities_is_named_as_they_are() -> None:
    label_map = probabilities([0.7], [0.1]).label_map()
    assert label_map.labels.dtype == np.uint8
    assert (label_map.name, label_map.description) == ("parts", "Parts")
    assert (label_map.segments, label_map.remarks) == (SEGMENTS, ("A remark.",))


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.5])
def test_what_is_no_probability_makes_no_empty_mask(value: float) -> None:
    """A model that failed is not taken for one that found nothing."""
    with pytest.raises(EncodingError, match="must be a number from 0 to 1"):
        probabilities([0.7, value], [0.1, 0.1]).label_map()


def test_each_segment_has_its_probabilities() -> None:
    with pytest.raises(EncodingError, match=r"\(3, 1, 1, 1\).*its 2 segments"):
        probabilities([0.7], [0.1], [0.2]).label_map()


def test_label_map_knows_what_it_holds() -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    label_map = LabelMap("parts", labels, SEGMENTS, "Parts")
    assert label_map.is_empty
    labels[2, 3, 4] = 2
    assert not label_map.is_empty
    assert (label_map.has_voxels_of(1), label_map.has_voxels_of(2)) == (False, True)
