"""The networks' input: against its steps in scipy and scikit-image, and the document."""

import importlib.util
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import convex_hull_image

from pipeline.algorithms.lung_prepare import NO_NODULES, prepare
from pipeline.errors import NothingFoundError
from pipeline.geometry import Spacing, VolumeGeometry
from pipeline.phantom import chest_phantom

ORACLE = Path(__file__).parents[4].parent / "shared" / "tools" / "grt123_oracle.py"
SIX_NEIGHBOURS = ndimage.generate_binary_structure(3, 1)


def zone(mask):
    """The hull of every slice that is no more than twice the slice, ten steps larger."""
    hulls = mask.copy()
    for plane in hulls:
        if plane.any():
            hull = convex_hull_image(plane)
            if hull.sum() <= 2 * plane.sum():
                plane[...] = hull
    return ndimage.binary_dilation(hulls, SIX_NEIGHBOURS, iterations=10)


def prepared_plainly(voxels_hu, first, second, spacing_mm):
    """On the whole volume: the extended box, and the voxels in it."""
    lungs, zones = first | second, zone(first) | zone(second)
    windowed = (np.clip((voxels_hu + 1200.0) / 1800.0, 0, 1) * 255).astype(np.uint8)
    windowed[~zones | (zones & ~lungs & (windowed > 210))] = 170
    shape = np.round(np.array(voxels_hu.shape) * spacing_mm)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy speaks of axes with a single voxel
        at_1_mm = ndimage.zoom(windowed, shape / voxels_hu.shape, order=1, mode="nearest")
    inner = np.array([(axis.min(), axis.max()) for axis in np.nonzero(lungs)])
    inner = np.floor(inner * spacing_mm[:, np.newaxis].astype(float)).astype(int)
    box = np.column_stack((inner[:, 0] - 5, inner[:, 1] + 10))
    box = np.clip(box, 0, np.array(at_1_mm.shape)[:, np.newaxis])
    return box, at_1_mm[tuple(slice(*extent) for extent in box)]


def random_mask(random, shape):
    """Noise, blobs, an ellipsoid, an arc or a few voxels, in some of the slices."""
    match random.integers(5):
        case 0:
            mask = random.random(shape) < random.choice([0.5, 0.01])
        case 1:
            noise = random.standard_normal(shape)
            mask = ndimage.gaussian_filter(noise, random.uniform(0.5, 4)) > random.choice([0, 0.1])
        case 2:
            centre, radius = random.random((2, 3)) * shape
            offsets = np.indices(shape).T - centre
            mask = (((offsets / (radius + 1)) ** 2).sum(axis=-1) < 1).T
        case 3:
            row, column = np.indices(shape[1:])
            distance = np.hypot(row - shape[1] / 2, column - shape[2] / 2) / min(shape[1:])
            arc = (abs(distance - 0.4) < 0.05) & (column < shape[2] * random.uniform(0.4, 1))
            mask = np.repeat(arc[np.newaxis], shape[0], axis=0)
        case _:
            mask = np.zeros(shape, dtype=bool)
            mask[tuple(random.integers(0, size, 3) for size in shape)] = True
    mask[random.random(shape[0]) < random.choice([0, 0.5])] = False
    return mask


def random_case(random):
    """Voxels, two masks apart from each other and a spacing; the masks may be empty."""
    shape = tuple(int(size) for size in random.integers(1, (20, 60, 80)))
    spacing_mm = np.exp(random.uniform(np.log(0.4), np.log(6), 3)).astype(np.float32)
    if random.random() < 0.4:
        spacing_mm = random.choice([0.5, 1, 2, 2.5], 3).astype(np.float32)
    values = [-32768, -2000, -1200, -1000, 40, 284, 285, 290, 600, 601, 32767]
    voxels_hu = random.choice(values, shape).astype(np.int16)
    if random.random() < 0.5:
        voxels_hu = random.integers(-1300, 700, shape).astype(np.int16)
    first = random_mask(random, shape)
    return voxels_hu, first, random_mask(random, shape) & ~first, spacing_mm


@pytest.fixture(scope="module")
def phantom():
    return chest_phantom(slices=40, size=128)


@pytest.fixture(scope="module")
def document():
    """The document's own ``savenpy`` from the masks on, without its files."""
    if not ORACLE.exists():
        pytest.skip("the reference (shared/tools) is not on this machine")
    spec = importlib.util.spec_from_file_location("grt123_oracle", ORACLE)
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    text = oracle.DOCUMENT.read_text(encoding="utf-8").partition("def savenpy(")[2]
    body = "        Mask" + text.partition("        Mask")[2].partition("        np.save(")[0]
    names = vars(oracle.reference()) | {"np": np, "resolution": np.array([1, 1, 1])}

    def run(voxels_hu, first, second, spacing_mm):
        case = {"im": voxels_hu.copy(), "m1": first, "m2": second, "spacing": spacing_mm}
        scope = names | case
        exec(textwrap.dedent(body), scope)  # noqa: S102 - the reference itself
        return scope["extendbox"], scope["sliceim"][0]

    return run


@pytest.mark.filterwarnings("ignore:Input image is entirely zero")
def test_every_byte_is_that_of_the_plain_formulation():
    random = np.random.default_rng(37)
    compared = 0
    while compared < 80:
        case = random_case(random)
        size_mm = np.array(case[0].shape) * case[3]
        if not (case[1] | case[2]).any() or size_mm.min() < 0.6 or size_mm.prod() > 3e5:
            continue
        compared += 1
        box, voxels = prepared_plainly(*case)

        prepared = prepare(*case)

        np.testing.assert_array_equal(prepared.box, box)
        np.testing.assert_array_equal(prepared.voxels, voxels)
        assert prepared.voxels.dtype == voxels.dtype


def test_chest_is_prepared_as_the_document_prepares_it(phantom, document):
    case = phantom.voxels_hu, phantom.right, phantom.left, phantom.spacing.as_array()

    prepared = prepare(*case)

    box, voxels = document(*case)
    np.testing.assert_array_equal(prepared.box, box)
    np.testing.assert_array_equal(prepared.voxels, voxels)


def test_order_of_the_lungs_makes_no_difference(phantom):
    spacing_mm = phantom.spacing.as_array()

    one = prepare(phantom.voxels_hu, phantom.right, phantom.left, spacing_mm)
    other = prepare(phantom.voxels_hu, phantom.left, phantom.right, spacing_mm)

    np.testing.assert_array_equal(one.voxels, other.voxels)


def test_what_is_given_is_not_changed(phantom):
    given = phantom.voxels_hu, phantom.right, phantom.left
    kept = [array.copy() for array in given]
    read_only = [array.view() for array in given]
    for array in read_only:
        array.setflags(write=False)

    prepare(*read_only, phantom.spacing.as_array())

    for array, copy in zip(given, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_mirrored_view_gives_what_its_copy_gives(phantom):
    mirrored = [array[:, ::-1, ::-1] for array in (phantom.voxels_hu, phantom.right, phantom.left)]
    spacing_mm = phantom.spacing.as_array()

    prepared = prepare(*mirrored, spacing_mm)

    copies = [np.ascontiguousarray(array) for array in mirrored]
    np.testing.assert_array_equal(prepared.voxels, prepare(*copies, spacing_mm).voxels)


def test_voxels_show_what_lies_where_their_affine_says():
    """In a volume whose values grow evenly along each axis, a value tells the position."""
    shape, spacing_mm = (20, 60, 50), np.array([2.5, 0.7, 0.9], dtype=np.float32)
    geometry = VolumeGeometry(
        (-40.0, 10.0, 300.0),
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.0, 0.0, 1.0),
        Spacing(*spacing_mm),
    )
    lungs, rest = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for axis, growth_hu in enumerate((84, 28, 28)):
        windowed_growth = growth_hu * 255 / 1800
        voxels_hu = -1200 + growth_hu * np.indices(shape)[axis].astype(np.int16)

        prepared = prepare(voxels_hu, lungs, rest, spacing_mm)

        indices = np.moveaxis(np.indices(prepared.voxels.shape), 0, -1)
        affine = geometry.affine @ prepared.to_input
        positions_mm = indices @ affine[:3, :3].T + affine[:3, 3]
        along_mm = positions_mm[..., 2 - axis] - geometry.origin_mm[2 - axis]
        expected = along_mm / spacing_mm[axis] * windowed_growth
        # cut off when windowed, rounded when resampled
        np.testing.assert_allclose(prepared.voxels, expected - 0.5, atol=1.001)


def test_spacing_is_the_distance_of_the_voxels(phantom):
    prepared = prepare(phantom.voxels_hu, phantom.right, phantom.left, phantom.spacing.as_array())

    geometry = VolumeGeometry(
        (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), phantom.spacing
    )
    lengths_mm = np.linalg.norm((geometry.affine @ prepared.to_input)[:3, :3], axis=0)
    np.testing.assert_allclose(prepared.spacing_mm, lengths_mm, rtol=1e-6)
    np.testing.assert_allclose(prepared.spacing_mm, 1, atol=0.05)


def test_box_ends_where_the_volume_ends(phantom):
    everywhere = np.ones_like(phantom.right)

    prepared = prepare(phantom.voxels_hu, everywhere, ~everywhere, phantom.spacing.as_array())

    np.testing.assert_array_equal(prepared.box, [(0, size) for size in prepared.whole_shape])


def test_one_mask_may_be_empty(phantom):
    nothing = np.zeros_like(phantom.right)

    prepared = prepare(phantom.voxels_hu, nothing, phantom.left, phantom.spacing.as_array())

    assert (prepared.voxels != 170).any()


def test_empty_masks_are_said_to_be_empty(phantom):
    nothing = np.zeros_like(phantom.right)

    with pytest.raises(NothingFoundError, match="masks of both lungs are empty"):
        prepare(phantom.voxels_hu, nothing, nothing, phantom.spacing.as_array())


def test_volume_thinner_than_a_voxel_is_refused():
    voxels_hu, lung = np.zeros((2, 9, 9), dtype=np.int16), np.ones((2, 9, 9), dtype=bool)

    with pytest.raises(NothingFoundError, match="too thin"):
        prepare(voxels_hu, lung, lung, np.array([0.2, 1, 1], dtype=np.float32))


def test_masks_of_another_shape_are_refused():
    voxels_hu, lung = np.zeros((4, 9, 9), dtype=np.int16), np.ones((5, 9, 9), dtype=bool)

    with pytest.raises(ValueError, match="differ in shape"):
        prepare(voxels_hu, lung, lung, np.ones(3, dtype=np.float32))


def test_case_without_marked_nodules_has_one_row_of_zeros():
    assert NO_NODULES.tolist() == [[0, 0, 0, 0]]
    assert NO_NODULES.dtype == np.int64
