"""Segmentations against the truth: by hand, beside SimpleITK, in NIfTI and in SEG."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from highdicom.seg import SegmentationTypeValues

from pipeline.dataset.batch import perform
from pipeline.dataset.evaluate import evaluate, plan_evaluation
from pipeline.dataset.measures import Measures
from pipeline.phantom import ChestPhantom, chest_phantom, write_phantom
from tests.support import nifti
from tests.support.segmentation import affine_of, write_seg

SHARED = Path(__file__).parents[5] / "shared" / "data" / "seg_dcmqi"
SHAPE = (10, 10, 10)


def box(start: tuple[int, int, int], size: int = 4) -> np.ndarray:
    """A cube on the grid of (x, y, z)."""
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[tuple(slice(first, first + size) for first in start)] = 1
    return voxels


def measures(predicted: Path, truth: Path) -> dict[int, Measures]:
    return {item.label: item.measures for item in evaluate(predicted, truth).labels}


def test_a_cube_moved_by_one_voxel_gives_what_the_hand_computes(tmp_path: Path) -> None:
    """64 voxels each, 48 in common, of 1000; one step along z is 4 mm, a voxel 0.024 ml.

    Of the 56 surface voxels 16 lie 4 mm from the other cube's surface (the far face); the middle
    4 of the near face are inside of the other cube, 4 mm from its near face, too.
    """
    predicted = nifti.write_nifti(tmp_path / "p.nii.gz", box((2, 3, 4)))
    truth = nifti.write_nifti(tmp_path / "t.nii", box((2, 3, 5)).astype(np.float32))
    (item,) = evaluate(predicted, truth).labels
    found = item.measures
    assert (item.label, item.name) == (1, "")
    assert found.dice == 96 / 128
    assert found.jaccard == 48 / 80
    assert found.sensitivity == 48 / 64
    assert found.specificity == 920 / 936
    assert found.hausdorff_mm == pytest.approx(4.0)
    assert found.hausdorff95_mm == pytest.approx(4.0)
    assert found.predicted_ml == found.truth_ml == pytest.approx(64 * 0.024)


def test_the_95th_percentile_forgives_a_stray_voxel(tmp_path: Path) -> None:
    """One of 57 surface voxels lies four steps of 4 mm off."""
    stray = box((2, 3, 4))
    stray[2, 3, 0] = 1
    predicted = nifti.write_nifti(tmp_path / "p.nii", stray)
    truth = nifti.write_nifti(tmp_path / "t.nii", box((2, 3, 4)))
    (found,) = measures(predicted, truth).values()
    assert found.hausdorff_mm == pytest.approx(16.0)
    assert found.hausdorff95_mm == 0


def test_labels_of_one_side_alone_have_no_distance(tmp_path: Path) -> None:
    """Dice is 0; what divides by nothing is not defined."""
    predicted = nifti.write_nifti(tmp_path / "p.nii", box((0, 0, 0)))
    truth = nifti.write_nifti(tmp_path / "t.nii", 7 * box((5, 5, 5)))
    found = measures(predicted, truth)
    assert found[1].dice == found[1].jaccard == 0
    assert found[1].sensitivity is None
    assert found[1].specificity == 936 / 1000
    assert found[7].sensitivity == 0
    assert found[7].specificity == 1
    assert found[7].predicted_ml == 0
    assert {found[label].hausdorff_mm for label in (1, 7)} == {None}
    assert {found[label].hausdorff95_mm for label in (1, 7)} == {None}


def test_two_empty_segmentations_agree_on_nothing(tmp_path: Path) -> None:
    """No lesion predicted, none there: no label, and no failure."""
    path = nifti.write_nifti(tmp_path / "a.nii", np.zeros(SHAPE, np.uint8))
    assert evaluate(path, path).labels == ()


@pytest.mark.parametrize("seed", range(12))
def test_measures_are_simpleitks(tmp_path: Path, seed: int) -> None:
    """Overlap, rates, and the Hausdorff distance of the contours, for blobs of several labels."""
    shape = (17, 15, 19)
    sides = [
        np.digitize(nifti.smooth_voxels(shape, seed=2 * seed + side), [1000, 2000]).astype(np.int16)
        for side in (0, 1)
    ]
    paths = [
        nifti.write_nifti(tmp_path / f"{side}.nii.gz", labels, nifti.OBLIQUE)
        for side, labels in enumerate(sides)
    ]
    found = measures(*paths)
    assert sorted(found) == [1, 2]
    predicted, truth = (SimpleITK.ReadImage(path) for path in paths)
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(predicted, truth)
    for label, ours in found.items():
        assert ours.dice == pytest.approx(overlap.GetDiceCoefficient(label), abs=1e-12)
        assert ours.jaccard == pytest.approx(overlap.GetJaccardCoefficient(label), abs=1e-12)
        assert ours.sensitivity == pytest.approx(1 - overlap.GetFalseNegativeError(label))
        assert ours.specificity == pytest.approx(
            ((sides[0] != label) & (sides[1] != label)).sum() / (sides[1] != label).sum()
        )
        hausdorff = SimpleITK.HausdorffDistanceImageFilter()
        hausdorff.Execute(contour(truth == label), contour(predicted == label))
        assert ours.hausdorff_mm == pytest.approx(hausdorff.GetHausdorffDistance(), rel=1e-5)
        assert ours.hausdorff95_mm == pytest.approx(
            percentile_by_distance_maps(truth == label, predicted == label), rel=1e-5
        )


def contour(mask: SimpleITK.Image) -> SimpleITK.Image:
    """The voxels with a face outside; beyond the image is outside."""
    framed = SimpleITK.ConstantPad(mask, [1] * 3, [1] * 3, 0)
    inner = SimpleITK.BinaryErode(framed, [1] * 3, SimpleITK.sitkCross, 0.0, 1.0)
    return SimpleITK.Crop(framed - inner, [1] * 3, [1] * 3)


def percentile_by_distance_maps(one: SimpleITK.Image, other: SimpleITK.Image) -> float:
    """The larger of the two directed 95th percentiles, by SimpleITK's distance maps."""
    surfaces = contour(one), contour(other)
    directed = []
    for start, goal in (surfaces, surfaces[::-1]):
        distance = SimpleITK.Abs(
            SimpleITK.SignedMaurerDistanceMap(goal, squaredDistance=False, useImageSpacing=True)
        )
        values = SimpleITK.GetArrayViewFromImage(distance)[
            SimpleITK.GetArrayViewFromImage(start) != 0
        ]
        directed.append(float(np.percentile(values, 95)))
    return max(directed)


@pytest.mark.parametrize("codes", ["RAS", "LPI", "SAR", "PIL"])
def test_the_order_of_axes_does_not_matter(tmp_path: Path, codes: str) -> None:
    """The same measures after one side is turned round."""
    values = nifti.smooth_voxels((11, 12, 13), seed=5)
    labels = np.digitize(values, [1500, 2500]).astype(np.uint8)
    truth = nifti.write_nifti(tmp_path / "t.nii", labels, nifti.OBLIQUE)
    predicted = nifti.write_nifti(tmp_path / "p.nii", np.roll(labels, 1, 0), nifti.OBLIQUE)
    image = nibabel.load(predicted)
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(codes)
    )
    nibabel.save(image.as_reoriented(turn), tmp_path / "turned.nii")
    straight, turned = measures(predicted, truth), measures(tmp_path / "turned.nii", truth)
    swapped = measures(truth, tmp_path / "turned.nii")
    for label, expected in straight.items():
        assert turned[label].dice == swapped[label].dice == expected.dice
        assert turned[label].specificity == expected.specificity
        assert turned[label].hausdorff_mm == pytest.approx(expected.hausdorff_mm, abs=1e-4)
        assert swapped[label].hausdorff95_mm == pytest.approx(expected.hausdorff95_mm, abs=1e-4)


def moved(affine: np.ndarray, by_mm: float) -> np.ndarray:
    changed = affine.copy()
    changed[0, 3] += by_mm
    return changed


def test_grids_are_the_same_up_to_a_micrometre(tmp_path: Path) -> None:
    """Rounded headers are not another grid."""
    path = nifti.write_nifti(tmp_path / "a.nii", box((1, 1, 1)))
    near = nifti.write_nifti(tmp_path / "b.nii", box((1, 1, 1)), moved(nifti.PLAIN, 5e-4))
    assert measures(path, near)[1].dice == 1


@pytest.mark.parametrize(
    ("affine", "shape", "words"),
    [
        (moved(nifti.PLAIN, 0.002), SHAPE, "apart"),
        (moved(nifti.PLAIN, 2.0), SHAPE, "different parts"),
        (nifti.PLAIN, (10, 10, 9), "different parts"),
        (np.diag([2.0, 3.0, 4.001, 1.0]), SHAPE, "apart"),
        (np.diag([2.0, 3.0, 8.0, 1.0]), SHAPE, "voxel size"),
        (nifti.OBLIQUE, SHAPE, "direction"),
    ],
    ids=["shifted", "by a voxel", "cropped", "stretched", "resampled", "turned"],
)
def test_other_grids_are_refused(
    tmp_path: Path, affine: np.ndarray, shape: tuple[int, int, int], words: str
) -> None:
    """Nothing is resampled in secret; both files are named."""
    one = nifti.write_nifti(tmp_path / "one.nii", box((1, 1, 1)))
    other = nifti.write_nifti(tmp_path / "other.nii", np.ones(shape, np.uint8), affine)
    for pair in ((one, other), (other, one)):
        with pytest.raises(ValueError, match=words) as caught:
            evaluate(*pair)
        assert "one.nii" in str(caught.value)
        assert "other.nii" in str(caught.value)


@pytest.mark.parametrize("value", [0.5, -1, 70000, np.nan])
def test_values_that_are_no_labels_are_refused(tmp_path: Path, value: float) -> None:
    """An image, or probabilities."""
    voxels = box((1, 1, 1)).astype(np.float32)
    voxels[0, 0, 0] = value
    path = nifti.write_nifti(tmp_path / "image.nii", voxels)
    with pytest.raises(ValueError, match=r"image\.nii.*no labels"):
        evaluate(path, path)


@pytest.fixture(scope="module")
def phantom() -> ChestPhantom:
    return chest_phantom(slices=12, size=32)


def masks(phantom: ChestPhantom) -> dict[str, np.ndarray]:
    """Two masks in slices 4 to 8 of 12, which overlap."""
    shape = phantom.voxels_hu.shape
    one, other = np.zeros(shape, bool), np.zeros(shape, bool)
    one[4:8, 3:20, 4:15] = True
    other[5:9, 10:25, 8:30] = True
    other[6] = False
    return {"One": one, "Other": other}


def test_a_seg_is_placed_by_its_positions(tmp_path: Path, phantom: ChestPhantom) -> None:
    """It has slices 4 to 8 without 6 of a NIfTI's 12; overlapping segments are read apart."""
    drawn = masks(phantom)
    seg = write_seg(tmp_path / "seg.dcm", phantom, drawn)
    labels = np.where(drawn["One"], 1, 0).astype(np.uint8)
    truth = nifti.write_nifti(tmp_path / "one.nii.gz", labels.T, affine_of(phantom))
    for predicted, wanted in ((seg, truth), (truth, seg)):
        one, other = evaluate(predicted, wanted).labels
        assert (one.label, one.name, one.measures.dice) == (1, "One", 1.0)
        assert one.measures.hausdorff_mm == 0
        assert one.measures.specificity == 1
        assert (other.label, other.name, other.measures.dice) == (2, "Other", 0.0)
    assert other.measures.specificity is not None
    predicted_ml = drawn["Other"].sum() * phantom.spacing.voxel_volume_mm3 / 1000
    (_, other) = evaluate(seg, truth).labels
    assert other.measures.predicted_ml == pytest.approx(predicted_ml)
    assert other.measures.specificity == 1 - drawn["Other"].sum() / drawn["Other"].size


def test_two_segs_share_the_slices_of_both(tmp_path: Path, phantom: ChestPhantom) -> None:
    """Shifted by two slices: the distance is theirs, the grid the union."""
    mask = np.zeros(phantom.voxels_hu.shape, bool)
    mask[2:6, 5:10, 5:10] = True
    one = write_seg(tmp_path / "one.dcm", phantom, {"A": mask})
    other = write_seg(tmp_path / "other.dcm", phantom, {"A": np.roll(mask, 2, 0)})
    (found,) = measures(one, other).values()
    assert found.dice == 0.5
    assert found.hausdorff_mm == pytest.approx(2 * phantom.spacing.slice_mm)
    outside = 6 * 32 * 32 - 100
    assert found.specificity == (outside - 50) / outside


def test_a_fractional_seg_is_refused(tmp_path: Path, phantom: ChestPhantom) -> None:
    """Which fraction counts would be a guess."""
    path = write_seg(
        tmp_path / "seg.dcm", phantom, masks(phantom), SegmentationTypeValues.FRACTIONAL
    )
    with pytest.raises(ValueError, match=r"seg\.dcm.*fractions"):
        evaluate(path, path)


def test_dicom_of_another_kind_is_refused(tmp_path: Path, phantom: ChestPhantom) -> None:
    """An image, or a damaged file, by name."""
    image = write_phantom(tmp_path, phantom)[0]
    with pytest.raises(ValueError, match=image.name):
        evaluate(image, image)
    seg = write_seg(tmp_path / "seg.dcm", phantom, masks(phantom))
    seg.write_bytes(seg.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"seg\.dcm"):
        evaluate(seg, seg)
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ValueError, match=r"notes\.txt"):
        evaluate(tmp_path / "notes.txt", seg)


@pytest.mark.parametrize(
    ("seg", "label_map"),
    [("liver.dcm", "liver_seg.nrrd"), ("24x38x3/seg/label.seg", "24x38x3/nrrd/label.nrrd")],
)
def test_dcmqis_segs_are_their_label_maps(tmp_path: Path, seg: str, label_map: str) -> None:
    """A SEG of another maker, and the image it was made of as SimpleITK writes it to NIfTI."""
    if not SHARED.exists():
        pytest.skip("the shared data is not beside this checkout")
    SimpleITK.WriteImage(SimpleITK.ReadImage(SHARED / label_map), tmp_path / "a.nii.gz")
    (item,) = evaluate(SHARED / seg, tmp_path / "a.nii.gz").labels
    assert item.measures.dice == 1
    assert item.measures.hausdorff_mm == 0


def test_folders_are_paired_by_name(tmp_path: Path, phantom: ChestPhantom) -> None:
    """In any format; what has no partner, or two, fails by name."""
    predicted, truth = tmp_path / "p", tmp_path / "t"
    mask = masks(phantom)["One"]
    labels = mask.astype(np.uint8).T
    for path in (truth / "a.nii.gz", truth / "b.nii", predicted / "b.nii.gz"):
        nifti.write_nifti(path, labels, affine_of(phantom))
    nifti.write_nifti(predicted / "only.nii", labels)
    nifti.write_nifti(truth / "missing.nii", labels)
    nifti.write_nifti(truth / "twice.nii", labels)
    for path in (predicted / "twice.nii", predicted / "twice.nii.gz"):
        nifti.write_nifti(path, labels)
    write_seg(predicted / "a.dcm", phantom, {"A": mask})
    (predicted / "notes.txt").write_text("not compared")
    a, b, missing, only, twice = (perform(job) for job in plan_evaluation(predicted, truth))
    for outcome in (a, b):
        assert outcome.result is not None
        assert outcome.result.labels[0].measures.dice == 1
    assert "missing.nii" in missing.reason
    assert "no prediction" in missing.reason
    assert "only.nii" in only.reason
    assert "no truth" in only.reason
    assert "several" in twice.reason


def test_a_file_is_not_compared_with_a_folder(tmp_path: Path) -> None:
    """Nor with nothing."""
    path = nifti.write_nifti(tmp_path / "in" / "a.nii", box((1, 1, 1)))
    with pytest.raises(ValueError, match="a file is compared"):
        plan_evaluation(path, tmp_path)
    with pytest.raises(FileNotFoundError, match="missing"):
        plan_evaluation(path, tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="no NIfTI"):
        plan_evaluation(tmp_path / "in", tmp_path)
