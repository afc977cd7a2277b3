"""Run the references on the golden cases and keep digests of what they make.

Run it as ``python -m tests.golden.make ORACLE``, with the script that extracts the grt123
document's functions (see `tests.support.references`); nidataset is a test dependency. The tests
need neither: they compare ours with the digests.
"""

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.golden.cases import (
    CHESTS,
    HEAD_CLOSING_RADIUS,
    HEAD_THRESHOLDS,
    PETS,
    ROTATING_ANGLES,
    SLIDING_WINDOW,
    Chest,
)
from tests.golden.digest import Entry, chest_entry, digest, our_chest_entry
from tests.support.heads import head
from tests.support.references import Grt123, Nidataset, scipy_views

FILE = Path(__file__).with_name("digests.json")
_LIBRARIES = ("nidataset", "numpy", "scikit-image", "scipy")
_NOTE = (
    "Made by tests/golden/make.py. Chests: the grt123 document's own functions. Heads and slabs: "
    "nidataset itself. PET: scipy.ndimage.rotate and a maximum, not below 0. Where "
    "'reference_fails' is given, the digests are of our own result, which is defined otherwise."
)


def main() -> None:
    """Make the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("oracle", type=Path)
    grt123 = Grt123(parser.parse_args().oracle)
    content = {
        "note": _NOTE,
        "made_with": {name: version(name) for name in _LIBRARIES}
        | {"python": platform.python_version()},
        "chests": {name: _chest(case, grt123) for name, case in CHESTS.items()},
        "slabs": {name: _slabs(CHESTS[name]) for name in ("8 mm slices", "odd size")},
        "heads": {name: _head(name) for name in HEAD_THRESHOLDS},
        "pets": {name: _pet(name) for name in PETS},
    }
    FILE.write_text(json.dumps(content, indent=2) + "\n")


def _chest(case: Chest, grt123: Grt123) -> Entry:
    chest = case.make()
    kept = {"input": digest(chest.voxels_hu)}
    if case.reference_fails:
        made = _attempt(chest, grt123)
        return (
            kept
            | {"reference_fails": case.reference_fails, "reference": made}
            | our_chest_entry(chest)
        )
    spacing_mm = chest.spacing.as_array()
    masks = grt123.masks(chest.voxels_hu, spacing_mm)
    return kept | chest_entry(masks, *grt123.prepared(chest.voxels_hu, *masks, spacing_mm))


def _attempt(chest: Any, grt123: Grt123) -> str:
    """What the reference does where its result is not to be had."""
    try:
        masks = grt123.masks(chest.voxels_hu, chest.spacing.as_array())
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is told
        return f"raises {type(error).__name__}"
    return f"gives masks of {' and '.join(str(int(mask.sum())) for mask in masks)} voxels"


def _slabs(case: Chest) -> Entry:
    voxels = case.make().voxels_hu
    reference = Nidataset(voxels)
    views = {
        view: digest(reference.mip(SLIDING_WINDOW, view).astype(voxels.dtype))
        for view in ("axial", "coronal", "sagittal")
    }
    return {"input": digest(voxels)} | views


def _head(name: str) -> Entry:
    voxels = head(name).voxels
    mask = Nidataset(voxels).brain_mask(HEAD_THRESHOLDS[name], HEAD_CLOSING_RADIUS)
    return {"input": digest(voxels), "voxels": int(mask.sum()), "mask": digest(mask)}


def _pet(name: str) -> Entry:
    voxels, _spacing = PETS[name]()
    return {"input": digest(voxels), "views": digest(scipy_views(voxels, ROTATING_ANGLES))}


if __name__ == "__main__":
    main()
