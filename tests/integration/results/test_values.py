"""Values, uptake, padding and loss: what a derived series takes from its source."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from pipeline.products import Product
from tests.integration.results.conftest import ResultsOn
from tests.support.every_kind import CUBE, KINDS, Source, body, results_of
from tests.support.image_kinds import HALF_LIFE_S, INJECTED_BQ, WEIGHT_KG, values

IMAGES = (Product.SEG, Product.LABELMAP, Product.FRACTIONAL, Product.SERIES, Product.PICTURE)
INJECTED_TO_SERIES_S = 3600
BRIGHTEST = 3000


@pytest.mark.parametrize("kind", KINDS)
def test_brightest_value_of_every_derived_series_is_the_sources(
    kind: str, results_on: ResultsOn
) -> None:
    """To half a step of what is stored; CT and MR are stored as the source stores them."""
    results = results_on(kind)
    sources = [pydicom.dcmread(path) for path in results.sources]
    expected = max(values(source).max() for source in sources)
    for series in {item.SeriesInstanceUID for item in results.read(Product.SERIES)}:
        images = [i for i in results.read(Product.SERIES) if i.SeriesInstanceUID == series]
        step = float(images[0].get("RescaleSlope", 1)) if kind == "PT" else 0
        brightest = max(values(image).max() for image in images)
        assert brightest == pytest.approx(expected, abs=step / 2 * (1 + 1e-6))


def suv_factor(image: Dataset) -> float:
    """Per Bq/ml, by body weight (QIBA's recipe for decay corrected to the start of the series)."""
    (isotope,) = image.RadiopharmaceuticalInformationSequence
    start = isotope.RadiopharmaceuticalStartDateTime
    assert (image.Units, image.DecayCorrection) == ("BQML", "START")
    assert image.SeriesDate == start[:8]
    waited_s = seconds(image.SeriesTime) - seconds(start[8:])
    remaining = float(isotope.RadionuclideTotalDose) * 2 ** (
        -waited_s / float(isotope.RadionuclideHalfLife)
    )
    return float(image.PatientWeight) * 1000 / remaining


def seconds(time: str) -> float:
    return int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:])


def test_suv_of_every_derived_pet_series_is_the_sources(results_on: ResultsOn) -> None:
    expected = WEIGHT_KG * 1000 / (INJECTED_BQ * 2 ** (-INJECTED_TO_SERIES_S / HALF_LIFE_S))
    images = results_on("PT").read(Product.SERIES)
    sources = [pydicom.dcmread(path) for path in results_on("PT").sources]
    assert len({float(source.RescaleSlope) for source in sources}) == len(sources)
    for image in (*sources, *images):
        assert suv_factor(image) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("padding", [2500, 4000])
@pytest.mark.parametrize("kind", KINDS)
def test_high_padding_enters_no_projection(kind: str, padding: int, tmp_path: Path) -> None:
    """Nor is there any of it left, which a reader would take for the patient.

    Of PET each slice has a slope of its own, so that padding is another value in each.
    """
    values_of_source = body()
    values_of_source[:, :2, :] = values_of_source[:, :, -1] = padding

    def edit(dataset: Dataset, _index: int) -> None:
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, -1).copy()
        stored[:2] = stored[:, -1] = padding
        dataset.PixelData = stored.tobytes()
        dataset.add_new("PixelPaddingValue", "US", padding)

    source = Source(tmp_path / "source", kind, edit=edit, values=values_of_source)
    results = results_of(source, tmp_path / "results")
    projections = [item for item in results.read(Product.SERIES) if "MIP" in item.SeriesDescription]
    highest = [values(item).max() - KINDS[kind].offset for item in projections]
    assert len({item.SeriesInstanceUID for item in projections}) == 4
    assert max(highest) == pytest.approx(BRIGHTEST) == body()[CUBE].max()
    for image in projections:
        if "MIP axial" in image.SeriesDescription:
            blank = image.pixel_array == image.PixelPaddingValue
            assert blank[:2].all()
            assert blank[:, -1].all()
            assert not blank[2:, :-1].any()


def test_loss_and_text_in_pixels_are_inherited_by_every_image(tmp_path: Path) -> None:
    """Of one slice of the source: it may be the one that a result is made of."""

    def edit(dataset: Dataset, index: int) -> None:
        if index == 2:
            dataset.LossyImageCompression = "01"
            dataset.LossyImageCompressionRatio = "10"
            dataset.LossyImageCompressionMethod = "ISO_15444_1"
            dataset.BurnedInAnnotation = "YES"

    source = Source(tmp_path / "source", edit=edit)
    results = results_of(source, tmp_path / "results")
    for product in IMAGES:
        for image in results.read(product):
            assert image.LossyImageCompression == "01"
            assert float(image.LossyImageCompressionRatio) == 10
            assert image.LossyImageCompressionMethod == "ISO_15444_1"
    for image in results.read(Product.SERIES):
        assert image.BurnedInAnnotation == "YES"


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_keep_the_form_of_the_source(kind: str, results_on: ResultsOn) -> None:
    """Hounsfield Units and units of uptake stay what they are."""
    results = results_on(kind)
    source = pydicom.dcmread(results.sources[0])
    for image in results.read(Product.SERIES):
        assert image.SOPClassUID == source.SOPClassUID
        assert image.get("Units") == source.get("Units")
        if kind != "PT":
            for keyword in ("RescaleSlope", "RescaleIntercept", "BitsStored"):
                assert image.get(keyword) == source.get(keyword)
    assert np.unique([item.Rows for item in results.read(Product.SERIES)]).size > 1
