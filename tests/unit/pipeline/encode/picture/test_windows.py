"""Which values are shown black and white."""

import numpy as np
import pytest

from pipeline.encode.picture.windows import Window, spread, volume_window
from pipeline.geometry import Spacing
from pipeline.volume import Volume
from tests.support.pictures import volume_of

RAMP = np.arange(-1000, 1000, 10, dtype=np.int16).reshape(2, 10, 10)


def ct(**attributes: object) -> Volume:
    return volume_of(RAMP, Spacing(1.0, 1.0, 1.0), "CT", **attributes)


def range_of(volume: Volume, *, of_lungs: bool = False) -> tuple[float, float]:
    window = volume_window(volume, list(volume.voxels), of_lungs=of_lungs)
    return window.low, window.high


def test_lungs_have_the_lung_window() -> None:
    assert range_of(ct(WindowCenter=40, WindowWidth=400), of_lungs=True) == (-1350, 150)


@pytest.mark.parametrize(
    ("centre", "width", "expected"),
    [
        (40, 400, (-160, 240)),
        ([300, 40], [1500, 400], (-450, 1050)),
        (None, None, (-160, 240)),
        (300, None, (-160, 240)),
        (300, 0, (-160, 240)),
    ],
)
def test_ct_has_the_first_window_of_its_header(
    centre: object, width: object, expected: tuple[float, float]
) -> None:
    assert range_of(ct(WindowCenter=centre, WindowWidth=width)) == expected


def test_window_of_the_header_that_shows_nothing_is_not_taken() -> None:
    low, high = range_of(ct(WindowCenter=30000, WindowWidth=100))
    assert -1000 <= low < high <= 1000


def test_pet_is_black_on_white_in_uptake() -> None:
    voxels = np.linspace(0, 8, 200, dtype=np.float32).reshape(2, 10, 10)
    volume = volume_of(voxels, Spacing(1.0, 1.0, 1.0), "PT")
    window = volume_window(volume, list(voxels))
    assert (window.text, window.inverted) == ("0 to 8 SUV", True)
    assert window.grey(np.array([[0.0, 8.0]])).tolist() == [[255, 0]]


@pytest.mark.parametrize(("most", "high"), [(0.5, 5), (300.0, 15)])
def test_uptake_shown_has_limits(most: float, high: float) -> None:
    """Noise alone is not blown up, and a bladder does not hide the rest."""
    voxels = np.full((1, 4, 4), most, np.float32)
    volume = volume_of(voxels, Spacing(1.0, 1.0, 1.0), "PT")
    assert range_of(volume) == (0, high)


def test_mr_has_all_but_its_rarest_values() -> None:
    voxels = np.full((1, 100, 100), 500, np.uint16)
    voxels[0, :50], voxels[0, 0, 0] = 0, 60000
    volume = volume_of(voxels, Spacing(1.0, 1.0, 1.0), WindowCenter=5, WindowWidth=1)
    assert range_of(volume) == (0, 500)


def test_monochrome1_is_shown_inverted() -> None:
    volume = volume_of(RAMP, Spacing(1.0, 1.0, 1.0), "OT", PhotometricInterpretation="MONOCHROME1")
    assert volume_window(volume, list(RAMP)).inverted


@pytest.mark.parametrize(
    "values", [[0.0, 0.0], [7.0, 7.0], [np.nan, np.nan], [np.inf, 3.0], [-np.inf, np.nan]]
)
def test_odd_values_give_a_window_and_shades(values: list[float]) -> None:
    pixels = np.array([values], np.float32)
    window = spread([pixels])
    assert np.isfinite([window.low, window.high]).all()
    assert window.low < window.high
    assert window.grey(pixels).shape == (1, 2)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(-1350, 150, "-1350 to 150"), (0, 15130.4, "0 to 15130"), (0.0123, 2e7, "0.0123 to 2e+07")],
)
def test_range_is_said_in_few_digits(low: float, high: float, text: str) -> None:
    assert Window(low, high).text == text
