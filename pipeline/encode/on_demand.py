"""A series whose images are made one by one: all at once would be as large as the source."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from pydicom.dataset import Dataset


@dataclass(frozen=True, eq=False, slots=True)
class ImagesOnDemand(Sequence[Dataset]):
    """Images in order, each made anew whenever it is asked for, and equal each time.

    Parameters
    ----------
    indices
        Which images, counted from 0 in the whole series.
    make
        Makes the image of an index.
    """

    indices: range
    make: Callable[[int], Dataset]

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> Dataset: ...

    @overload
    def __getitem__(self, index: slice) -> "ImagesOnDemand": ...

    def __getitem__(self, index: int | slice) -> "Dataset | ImagesOnDemand":
        if isinstance(index, slice):
            return ImagesOnDemand(self.indices[index], self.make)
        return self.make(self.indices[index])
