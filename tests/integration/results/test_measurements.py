"""Measurements as dcmqi reads them, beside the source as ITK has it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.products import Product
from tests.integration.results.conftest import ResultsOn
from tests.support.every_kind import KINDS
from tests.support.reports import everything
from tests.support.tools import pixelmed_says

REPORTS = (Product.SR, Product.SR_ON_LABELMAP, Product.SR_ALONE)


def volumes_ml(folder: Path, offset: float) -> list[float]:
    """Of the first segment, the second and both: voxels times their volume."""
    itk = pytest.importorskip("SimpleITK")
    paths = itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = itk.ReadImage(paths, itk.sitkFloat64)
    values = itk.GetArrayFromImage(image) - offset
    counts = [((values >= 900) & (values < 1500)).sum(), (values >= 1500).sum()]
    voxel_ml = float(np.prod(image.GetSpacing())) / 1000
    return [count * voxel_ml for count in (*counts, sum(counts))]


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("kind", KINDS)
def test_volumes_are_voxels_times_their_volume(
    kind: str, report: Product, results_on: ResultsOn, tmp_path: Path
) -> None:
    results = results_on(kind)
    expected = volumes_ml(results.sources[0].parent, KINDS[kind].offset)
    (path,) = results.paths[report]
    out = tmp_path / "read.json"
    program = Path(sys.executable).parent / "tid1500reader"
    command = [program, "--inputDICOM", path, "--outputMetadata", out]
    subprocess.run(command, check=True, capture_output=True)
    groups = json.loads(out.read_text())["Measurements"]
    found = [float(group["measurementItems"][0]["value"]) for group in groups]
    assert found == pytest.approx(expected, rel=1e-9)
    assert min(found) > 0


@pytest.mark.peers
def test_pixelmed_finds_the_templates_followed(results_on: ResultsOn) -> None:
    """By the one report that is tested nowhere else, with an empty mask in it."""
    (path,) = results_on("PT").paths[Product.SR_ON_LABELMAP]
    said = pixelmed_says(path)
    assert "Found Root Template TID_1500" in said
    assert "IOD validation complete" in said
    assert "Error" not in said
    assert "Warning" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_empty_mask_is_a_stated_result(kind: str, results_on: ResultsOn) -> None:
    """There is no object of it, and every report says that nothing was found."""
    results = results_on(kind)
    for mask in (Product.SEG, Product.LABELMAP, Product.RTSTRUCT):
        names = {item.SeriesDescription.partition(" ")[0] for item in results.read(mask)}
        assert names == {"Shapes", "One", "Likely"}
    for product in REPORTS:
        (report,) = results.read(product)
        said = [item.TextValue for item in everything(report) if item.ValueType == "TEXT"]
        assert len([text for text in said if text.startswith("Nothing: nothing was found.")]) == 1
