"""The choice of the lungs: by hand, and against the method written out with scikit-image."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import measure

from pipeline.algorithms.lung_regions import find_lungs
from pipeline.errors import NoLungFoundError

SPACING = np.array([8, 7, 7], dtype=np.float32)


def lungs_as_in_the_reference(air, spacing_mm):
    """The reference's ``all_slice_analysis`` in its loop; none where it finds none."""
    for cut in range(0, len(air), 2):
        lungs = chosen_below(air, cut, spacing_mm)
        if lungs.any():
            return regrown(lungs, air, cut) if cut else lungs
    return None


def chosen_below(air, cut, spacing_mm):
    seen = air.copy()
    seen[len(air) - cut :] = False
    labels = measure.label(seen, connectivity=1)
    around = labels[np.ix_((0, -1 - cut), (0, -1), (0, labels.shape[2] // 2, -1))]
    distance_mm = distance_from_centre_mm(labels.shape[1:], spacing_mm)
    chosen = np.zeros_like(air)
    for region in measure.regionprops(labels):
        volume_mm3 = region.area * spacing_mm.prod()
        if region.label in around or not 0.68e6 <= volume_mm3 <= 7.5e6:
            continue
        part = labels == region.label
        large = np.count_nonzero(part, axis=(1, 2)) * np.prod(spacing_mm[1:]) > 6e3
        if large.any() and np.mean([distance_mm[plane].min() for plane in part[large]]) < 62:
            chosen |= part
    return chosen


def distance_from_centre_mm(shape, spacing_mm):
    """(row, column); on a square slice with the spacings the other way round, as there."""
    if shape[0] == shape[1]:
        spacing_mm = spacing_mm[[0, 2, 1]]
    row_mm, column_mm = (
        (np.arange(size) - (size - 1) / 2) * mm
        for size, mm in zip(shape, spacing_mm[1:], strict=True)
    )
    return np.sqrt(row_mm[:, np.newaxis] ** 2 + column_mm**2)


def regrown(lungs, air, cut):
    candidates = lungs.copy()
    candidates[-cut:] = air[-cut:] & ndimage.binary_dilation(lungs, iterations=cut)[-cut:]
    labels = measure.label(candidates, connectivity=1)
    return np.isin(labels, labels[lungs])


def air_of_a_chest(random, *, square):
    """Two ellipsoids of air in a body, speckled, most often with a way out at the top."""
    slices, rows = random.integers(8, 24), random.integers(36, 52)
    columns = rows if square else random.integers(36, 52)
    spacing = random.uniform(5, 8, 3).astype(np.float32)
    half_mm = np.array([slices, rows, columns]) * spacing / 2
    z, y, x = np.indices((slices, rows, columns)) * spacing[:, None, None, None]
    z, y, x = z - half_mm[0], y - half_mm[1], x - half_mm[2]
    air = (y / half_mm[1] / 0.9) ** 2 + (x / half_mm[2] / 0.95) ** 2 >= 1
    for side in (-1, 1):
        centre = side * random.uniform(0.25, 0.45) * half_mm[2]
        axes = random.uniform((0.5, 0.4, 0.2), (1.3, 0.75, 0.4)) * half_mm
        air |= (z / axes[0]) ** 2 + (y / axes[1]) ** 2 + ((x - centre) / axes[2]) ** 2 < 1
    if random.random() < 0.8:
        column = int(columns * random.uniform(0.2, 0.8))
        air[-random.integers(1, slices // 2) :, : rows // 2, column : column + 4] = True
    return air ^ (random.random(air.shape) < random.choice([0, 0.01, 0.1])), spacing


@pytest.mark.parametrize("square", [True, False], ids=["square", "not square"])
def test_lungs_are_the_references(square):
    found = cut = 0
    for seed in range(24):
        air, spacing = air_of_a_chest(np.random.default_rng(seed), square=square)
        before = air.copy()
        expected = lungs_as_in_the_reference(air, spacing)

        if expected is None:
            with pytest.raises(NoLungFoundError):
                find_lungs(air, spacing)
        else:
            np.testing.assert_array_equal(find_lungs(air, spacing), expected, err_msg=str(seed))
            found += 1
            cut += not chosen_below(air, 0, spacing).any()
        np.testing.assert_array_equal(air, before)
    assert found > 10
    assert cut > 5


def block_of_air():
    """A box of 1.1 litres in the middle of nothing."""
    air = np.zeros((12, 40, 40), dtype=bool)
    air[2:10, 10:30, 11:29] = True
    return air


def test_air_space_in_the_middle_is_lung():
    np.testing.assert_array_equal(find_lungs(block_of_air(), SPACING), block_of_air())


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 20), (-1, -1), (-1, 20)])
def test_air_space_that_shows_at_the_rim_of_the_lowest_slice_is_no_lung(row, column):
    air = block_of_air()
    air[0, row, :] = True
    air[0, :, column] = True
    air[:3, 20, :] = True

    with pytest.raises(NoLungFoundError, match="apart from the air around"):
        find_lungs(air, SPACING)


@pytest.mark.parametrize("spacing_mm", [(2, 7, 7), (60, 40, 40)], ids=["too small", "too large"])
def test_air_space_of_another_size_is_no_lung(spacing_mm):
    """Too large: even a single slice of it, when all above are left out."""
    with pytest.raises(NoLungFoundError):
        find_lungs(block_of_air(), np.array(spacing_mm, dtype=np.float32))


@pytest.mark.parametrize("column", [28, 29])
def test_air_space_at_the_side_is_lung_as_long_as_it_comes_near_the_centre(column):
    """At 7 mm, column 28 is 59.5 mm from the centre and column 29 is 66.5 mm: the limit is 62."""
    air = np.zeros((12, 40, 40), dtype=bool)
    air[2:10, 4:36, column:39] = True

    if column == 28:
        np.testing.assert_array_equal(find_lungs(air, SPACING), air)
    else:
        with pytest.raises(NoLungFoundError):
            find_lungs(air, SPACING)


def test_way_out_at_the_top_is_cut_off_and_given_back_as_far_as_there_were_slices_left_out():
    air = block_of_air()
    air[9:, :13, 20] = True  # in the top three slices: four must be left out

    lungs = find_lungs(air, SPACING)

    expected = block_of_air()
    expected[9, 8:13, 20] = True  # four steps from the block in slice 7
    expected[10, 9:13, 20] = True
    expected[11, 10:13, 20] = True
    np.testing.assert_array_equal(lungs, expected)
    np.testing.assert_array_equal(lungs, lungs_as_in_the_reference(air, SPACING))


@pytest.mark.parametrize("slices", [0, 1, 3])
def test_slices_without_air_show_no_lung(slices):
    with pytest.raises(NoLungFoundError, match="No lung was found"):
        find_lungs(np.zeros((slices, 20, 20), dtype=bool), SPACING)
