"""Where pictures and words go."""

from itertools import combinations

import numpy as np
import pytest

from pipeline.encode.picture import encode_note, encode_picture
from pipeline.encode.picture.layout import Layout, laid_out
from pipeline.encode.picture.sheet import GROUND, HEIGHT, MARGIN, PAGE, WIDTH, Box
from tests.support.pictures import PICTURES, context_of, page_of, thick_oblique


def boxes_of(layout: Layout) -> list[Box]:
    further = [box for box in (layout.words, layout.remarks) if box is not None]
    return [*layout.planes, *layout.projections, *further]


@pytest.mark.parametrize("projections", [0, 1, 2])
@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("remarks", [True, False])
def test_boxes_lie_on_the_page_and_not_on_one_another(
    projections: int, *, words: bool, remarks: bool
) -> None:
    layout = laid_out(PAGE, projections, words=words, remarks=remarks and words)
    boxes = boxes_of(layout)
    assert len(layout.projections) == projections
    assert (layout.words is not None) == words
    for box in boxes:
        assert PAGE.left <= box.left < box.right <= PAGE.right
        assert PAGE.top <= box.top < box.bottom <= PAGE.bottom
        assert box.width > 150
        assert box.height > 150
    for one, other in combinations(boxes, 2):
        apart = (
            one.right < other.left
            or other.right < one.left
            or one.bottom < other.top
            or other.bottom < one.top
        )
        assert apart, (one, other)


@pytest.mark.parametrize("name", ["tiny", "one-slice", "thick-oblique"])
def test_nothing_is_drawn_in_the_margin(name: str) -> None:
    """However much there is to say, and however little."""
    volume, content = PICTURES[name]()
    notice = "Not for any use " * 60
    (image,) = encode_picture(content, volume, context_of(notice=notice))
    assert margin_is_empty(np.array(page_of(image)))


def test_note_keeps_the_margin_whatever_it_says() -> None:
    volume, _ = thick_oblique()
    source = volume.sources[0].header
    for refusal in ("No.", "Series 1.2.3 makes no volume: " * 200, "1." * 4000):
        (image,) = encode_note(source, refusal, context_of(), algorithms=("algorithm 1",) * 90)
        page = np.array(page_of(image))
        assert page.shape == (HEIGHT, WIDTH, 3)
        assert margin_is_empty(page)


def margin_is_empty(page: np.ndarray) -> bool:
    """Letters may hang over it by a pixel or two."""
    inner = MARGIN - 3
    page = page.copy()
    page[inner:-inner, inner:-inner] = GROUND
    return bool((page == GROUND).all())
