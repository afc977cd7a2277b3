"""A chest CT of a real scanner (Lung_Dx-A0002), where the shared data is at hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.encode import ResultContext
from pipeline.findings import DerivedVolume, LabelMap
from pipeline.instance import read_instance
from pipeline.volume import Volume, build_volume
from tests.support.encoding import encode

FOLDER = Path(__file__).parents[5] / "shared/data/chest_ct_lungdx_a0002_b40f"


@pytest.fixture(scope="module")
def chest() -> Volume:
    if not FOLDER.is_dir():
        pytest.skip(f"{FOLDER} is not here")
    return build_volume([read_instance(path) for path in FOLDER.glob("*.dcm")]).volume


def test_results_have_no_error_and_sit_on_the_source(
    *,
    chest: Volume,
    label_map: LabelMap,
    slab_of: Callable[[Volume], DerivedVolume],
    context: ResultContext,
    errors_of: Callable[..., list[str]],
    write: Callable[..., list[Path]],
) -> None:
    itk = pytest.importorskip("SimpleITK")
    labels = np.zeros(chest.voxels.shape, np.uint8)
    labels[3:20, 100:300, 60:200] = 1
    labels[5:25, 120:280, 310:460] = 2
    found = replace(label_map, labels=labels)
    seg = write("seg", encode(found, chest, context))
    slab = slab_of(chest)
    mip = write("mip", encode(slab, chest, context))
    assert [errors_of("dciodvfy", [path]) for path in (*seg, *mip)] == [[]] * 31
    assert errors_of("dcentvfy", [*seg, *mip, *FOLDER.glob("*.dcm")]) == source_errors(errors_of)
    source, derived = (
        itk.ReadImage(itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
        for folder in (FOLDER, mip[0].parent)
    )
    for attribute in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(derived, attribute)() == getattr(source, attribute)()
    np.testing.assert_array_equal(itk.GetArrayViewFromImage(derived), slab.voxels)


def source_errors(errors_of: Callable[..., list[str]]) -> list[str]:
    """What the source alone is told off for: it refers to a localizer that is not here."""
    return errors_of("dcentvfy", FOLDER.glob("*.dcm"))
