"""Each algorithm's results keep their series numbers."""

import numpy as np

from pipeline.algorithms import registry
from pipeline.findings import DerivedVolume, LabelMap
from pipeline.products import Form, Product
from pipeline.series_numbers import NOTE_OFFSET, PICTURE_OFFSET, Block, page_number

MASK = LabelMap("mask", np.zeros((1, 1, 1), np.uint8), (), "Mask")
IMAGES = DerivedVolume(
    name="mip",
    voxels=np.zeros((1, 1, 1), np.int16),
    image_type="MIP",
    derivation=(),
    source_slices=((0,),),
    locations_preserved=False,
    slab_mm=1.0,
    description="MIP",
)


def test_the_objects_of_a_mask_and_its_report_have_places_of_their_own() -> None:
    """Whichever of them a destination takes, the others do not move."""
    block = Block(registry.find("lungs"))
    mask, report = block.place_of(MASK), block.place_of_report()
    kinds = (Product.SEG, Product.LABELMAP, Product.FRACTIONAL, Product.RTSTRUCT)
    assert [mask.number(kind, Form(), 0) for kind in kinds] == [9100, 9101, 9102, 9103]
    reports = (Product.SR, Product.SR_ON_LABELMAP, Product.SR_ALONE)
    assert {report.number(kind, Form(), 0) for kind in reports} == {9104}


def test_a_repeated_step_goes_on_in_the_block() -> None:
    block = Block(registry.find("sliding-mip"))
    first, _, second = block.place_of(IMAGES), block.place_of_report(), block.place_of(IMAGES)
    assert [place.number(Product.SERIES, Form(), 0) for place in (first, second)] == [9300, 9302]


def test_many_masks_run_on_into_the_next_block() -> None:
    """Two series of one number are legal; no two of one step share one."""
    block = Block(registry.find("lungs"))
    numbers = [block.place_of(MASK).number(Product.SEG, Form(), 0) for _ in range(26)]
    assert len(set(numbers)) == len(numbers)
    assert numbers[25] == Block(registry.find("brain")).place_of(MASK).number(
        Product.SEG, Form(), 0
    )


def test_each_volume_of_a_series_is_a_thousand_further() -> None:
    place = Block(registry.find("brain")).place_of(MASK)
    assert place.number(Product.SEG, Form(), 2) == 11200
    assert page_number(PICTURE_OFFSET, Form(), 2) == 11000


def test_a_site_moves_all_blocks_or_one() -> None:
    form = Form(first_series_number=500, series_number_offsets=(("lungs", 40),))
    assert Block(registry.find("lungs")).place_of(MASK).number(Product.SEG, form, 0) == 540
    assert Block(registry.find("brain")).place_of(MASK).number(Product.SEG, form, 0) == 700
    assert page_number(NOTE_OFFSET, form) == 501


def test_installed_algorithms_share_no_block() -> None:
    offsets = [item.series_number_offset for item in registry.installed().values()]
    assert len(set(offsets)) == len(offsets)
    assert all(offset % 100 == 0 and 0 < offset < 1000 for offset in offsets)
