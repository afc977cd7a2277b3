"""How slices are shared out."""

import pytest

from pipeline.kernels import slabs
from pipeline.kernels.slabs import in_slabs


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("slices", [0, 1, 2, 6, 7, 8, 100])
def test_every_slice_is_in_one_slab_and_answers_keep_their_order(monkeypatch, threads, slices):
    monkeypatch.setattr(slabs, "threads", lambda: threads)

    answers = in_slabs(range, slices)

    assert [index for slab in answers for index in slab] == list(range(slices))
    assert len(answers) == max(1, min(threads, slices))


def test_what_the_work_raises_is_raised():
    def fail(first, _last):
        raise RuntimeError(f"slab from {first}")

    with pytest.raises(RuntimeError, match="slab from 0"):
        in_slabs(fail, 4)
