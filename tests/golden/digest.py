"""Digests of arrays, and of what our algorithms make of a case, in the shape of the JSON file."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.lung import lung_masks
from pipeline.algorithms.lung_prepare import prepare
from pipeline.errors import NothingFoundError
from pipeline.phantom import ChestPhantom

Entry = dict[str, Any]


def digest(array: npt.NDArray[Any]) -> str:
    """SHA-256 (hex) of type, shape and values of an array."""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return hashlib.sha256(
        f"{little.dtype.str}{little.shape}".encode() + little.tobytes()
    ).hexdigest()


def chest_entry(
    masks: tuple[npt.NDArray[np.bool_], ...], box: npt.NDArray[Any], prepared: npt.NDArray[Any]
) -> Entry:
    """What is kept of a chest's results."""
    return {
        "voxels": [int(mask.sum()) for mask in masks],
        "masks": digest(np.stack(masks)),
        "box": box.tolist(),
        "prepared": digest(prepared.astype(np.uint8)),
    }


def our_chest_entry(chest: ChestPhantom) -> Entry:
    """The same of our own results; the error's base where there are none."""
    spacing_mm = chest.spacing.as_array()
    try:
        masks = lung_masks(chest.voxels_hu, spacing_mm)
    except NothingFoundError:
        return {"error": NothingFoundError.__name__}
    result = prepare(chest.voxels_hu, *masks, spacing_mm)
    return chest_entry(masks, result.box, result.voxels)
