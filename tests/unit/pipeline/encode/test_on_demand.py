"""Images that are made when they are asked for."""

import pytest
from pydicom.dataset import Dataset

from pipeline.encode.on_demand import ImagesOnDemand


class Maker:
    """Makes an image that has its number, and remembers which were made."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, index: int) -> Dataset:  # noqa: D102 - the class says it
        self.made.append(index)
        image = Dataset()
        image.InstanceNumber = index + 1
        return image


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def images(maker: Maker) -> ImagesOnDemand:
    return ImagesOnDemand(range(4), maker)


def test_nothing_is_made_before_it_is_asked_for(images: ImagesOnDemand, maker: Maker) -> None:
    assert len(images) == 4
    assert images[-1].InstanceNumber == 4
    assert maker.made == [3]


def test_iterating_makes_each_image_once_and_in_order(images: ImagesOnDemand, maker: Maker) -> None:
    assert [image.InstanceNumber for image in images] == [1, 2, 3, 4]
    assert maker.made == [0, 1, 2, 3]


def test_each_access_gives_an_image_of_its_own(images: ImagesOnDemand) -> None:
    one = images[1]
    one.InstanceNumber = 77
    assert images[1].InstanceNumber == 2


def test_a_part_keeps_its_place_in_the_series(images: ImagesOnDemand, maker: Maker) -> None:
    part = images[1::2]
    assert not maker.made
    assert [image.InstanceNumber for image in part] == [2, 4]


@pytest.mark.parametrize("index", [4, -5])
def test_there_is_nothing_beyond_the_last(images: ImagesOnDemand, index: int) -> None:
    with pytest.raises(IndexError):
        images[index]
