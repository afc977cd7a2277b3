"""One lung without scattered pieces and holes. Against the reference: see `test_lung_split`."""

import numpy as np

from pipeline.algorithms.lung_tidy import tidied
from pipeline.kernels.runs import paint
from tests.support.packing import packed


def tidy(mask):
    runs = tidied(packed(mask), mask.shape[2])
    return paint(runs, np.ones(runs.starts.size, dtype=bool))


def test_pieces_beyond_the_share_that_is_to_be_covered_go():
    mask = np.zeros((1, 30, 60), dtype=bool)
    mask[0, 2:22, 2:22] = True
    whole = mask.copy()
    mask[0, 25:29, 40:44] = True  # 16 of 416: the large one covers 95 %

    np.testing.assert_array_equal(tidy(mask), whole)


def test_a_piece_in_the_hull_of_the_main_one_stays_if_it_hangs_together_with_another_slice():
    mask = np.zeros((2, 30, 30), dtype=bool)
    mask[:, 2:28, 2:28] = True
    mask[0, 4:28, 8:28] = False  # an L, and in its notch
    mask[0, 8:10, 10:12] = True

    tidied_mask = tidy(mask)

    assert tidied_mask[0, 8:10, 10:12].all()
    assert not tidied_mask[0, 20:28, 20:28].any()


def test_of_equally_large_parts_the_first_stays():
    mask = np.zeros((5, 4, 4), dtype=bool)
    mask[0, :2, :2] = mask[4, 1:3, 1:3] = True

    first = tidy(mask)

    assert first[0].sum() == 4
    assert not first[1:].any()


def test_holes_are_filled_slice_by_slice_and_bays_are_not():
    mask = np.ones((2, 9, 9), dtype=bool)
    mask[0, 3:5, 3:5] = False
    mask[1, 0:5, 4] = False

    filled = tidy(mask)

    assert filled[0].all()
    np.testing.assert_array_equal(filled[1], mask[1])


def test_nothing_stays_nothing():
    assert tidied(packed(np.zeros((2, 3, 4), dtype=bool)), 4) is None
