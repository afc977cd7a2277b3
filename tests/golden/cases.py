"""The volumes that the references were run on: phantoms of ours, the same on every machine."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.geometry import Spacing
from pipeline.phantom import ChestPhantom, chest_phantom
from tests.phantoms import (
    with_circular_padding,
    with_mixed_padding,
    with_nodules_at_the_wall,
    with_open_top,
    with_rows_cut,
    with_table,
    with_touching_lungs,
    without_left_lung,
    without_lungs,
    without_right_lung,
)
from tests.support.pet import pet_phantom

ROTATING_ANGLES = 48
SLIDING_WINDOW = 3
HEAD_CLOSING_RADIUS = 1  # their voxels are large: a ball of three would close the skull


class Chest(NamedTuple):
    """A chest, and what is wrong with the reference's result where something is."""

    make: Callable[[], ChestPhantom]
    reference_fails: str = ""


def _plain() -> ChestPhantom:
    return chest_phantom(slices=40, size=128)


CHESTS: dict[str, Chest] = {
    "8 mm slices": Chest(_plain),
    "5 mm slices": Chest(lambda: chest_phantom(slices=64, size=128, slice_mm=5.0)),
    "3 mm slices": Chest(lambda: chest_phantom(slices=100, size=96, slice_mm=3.0)),
    "1 mm slices of a part": Chest(lambda: chest_phantom(slices=150, size=96, slice_mm=1.0)),
    "fine pixels": Chest(lambda: chest_phantom(slices=48, size=176)),
    "odd size": Chest(lambda: chest_phantom(slices=45, size=113)),
    "open top": Chest(lambda: with_open_top(_plain())),
    "touching lungs": Chest(lambda: with_touching_lungs(_plain())),
    "nodules at the wall": Chest(lambda: with_nodules_at_the_wall(_plain())),
    "table": Chest(lambda: with_table(_plain())),
    "padding": Chest(lambda: with_circular_padding(_plain())),
    "padding in some slices": Chest(lambda: with_mixed_padding(_plain())),
    "open top, table and padding": Chest(
        lambda: with_open_top(with_table(with_mixed_padding(_plain())))
    ),
    "touching lungs with nodules": Chest(
        lambda: with_touching_lungs(with_nodules_at_the_wall(_plain()))
    ),
    "one lung that falls into two parts": Chest(
        lambda: without_right_lung(_plain()), "the two parts are given as two lungs"
    ),
    "one lung": Chest(
        lambda: without_left_lung(_plain()),
        "one lung is no pair, but is given as one, with nothing as the second",
    ),
    "no lungs": Chest(
        lambda: without_lungs(_plain()),
        "no lung is found, but two masks are given: empty ones here, the air of the room elsewhere",
    ),
    "not square": Chest(
        lambda: with_rows_cut(_plain()),
        "rows and columns are mixed up",
    ),
}

HEAD_THRESHOLDS: dict[str, tuple[int, int] | None] = {
    "ct plain": (20, 100),
    "ct contrast": (50, 300),
    "ct craniotomy": (20, 100),
    "mr t1": None,
    "mr t2": (100, 500),
    "mr shaded": None,
}


def _counts() -> tuple[npt.NDArray[Any], Spacing]:
    uptake, spacing = pet_phantom(40, 64, seed=5)
    return (uptake * 1000 - 50).astype(np.int16), spacing


PETS: dict[str, Callable[[], tuple[npt.NDArray[Any], Spacing]]] = {
    "plain": pet_phantom,
    "odd size": lambda: pet_phantom(35, 57, seed=3),
    "without lesions": lambda: pet_phantom(40, 64, seed=11, balls=()),
    "stored counts": _counts,
}
