"""The pages and projections as a person sees them, in a folder of pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.encode.picture import PictureContent
from pipeline.volume import Volume
from tests.support import pictures


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gallery's kinds of picture, of volumes that are made quickly."""

    def chest() -> tuple[Volume, PictureContent]:
        return pictures.chest(slices=48, size=128)

    kept = {name: pictures.PICTURES[name] for name in ("brain", "body", "tiny")}
    monkeypatch.setattr(pictures, "PICTURES", {"chest": chest, **kept})


@pytest.mark.usefixtures("small")
def test_gallery_has_every_page_and_every_projection(tmp_path: Path) -> None:
    """Open the folder and look: no test can say whether a person would accept them."""
    paths = pictures.write_gallery(tmp_path / "gallery")
    assert {path.stem for path in paths} == {
        "chest",
        "chest-axial-mip",
        "brain",
        "body",
        "body-rotating-mip",
        "tiny",
        "note",
    }
    for path in paths:
        with Image.open(path) as picture:
            assert len(np.unique(np.array(picture))) > 16
