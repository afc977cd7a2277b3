"""Series numbers: a block of a hundred for each algorithm, the same in every series and year.

::

    first_series_number
      + 1000 for each volume of the series before this one (phases, echoes)
      + the algorithm's offset: 100 lungs, 200 brain, ..., 900 where it has none of its own
      + the place in the block

Each finding has the same places whatever a destination takes: a mask one for each kind of object
that may say it, images one, and what a step measured one after its findings.
"""

from dataclasses import dataclass, field

from pipeline.algorithms.registry import Algorithm
from pipeline.findings import ImageFinding, LabelMap, ProbabilityMap
from pipeline.products import Form, Product

PICTURE_OFFSET = 0
NOTE_OFFSET = 1

_VOLUME = 1000
_MASKS = (Product.SEG, Product.LABELMAP, Product.FRACTIONAL, Product.RTSTRUCT)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an algorithm's block the objects of a finding, or a report, are numbered."""

    algorithm: str
    algorithm_offset: int
    first: int

    def number(self, product: Product, form: Form, volume: int) -> int:
        """Series Number of the object.

        Parameters
        ----------
        product
            What the finding is said as.
        form
            Gives the site's own offsets.
        volume
            Which volume of the source series, from 0.
        """
        offset = dict(form.series_number_offsets).get(self.algorithm, self.algorithm_offset)
        place = self.first + (_MASKS.index(product) if product in _MASKS else 0)
        return form.first_series_number + _VOLUME * volume + offset + place


@dataclass(slots=True)
class Block:
    """Gives out the places of one algorithm's block, step after step."""

    algorithm: Algorithm
    _next: int = field(default=0, init=False)

    def place_of(self, finding: ImageFinding) -> Place:
        """The place of the next finding."""
        return self._take(len(_MASKS) if isinstance(finding, LabelMap | ProbabilityMap) else 1)

    def place_of_report(self) -> Place:
        """The place of a step's measurements; taken whether there are any or not."""
        return self._take(1)

    def _take(self, places: int) -> Place:
        place = Place(self.algorithm.name, self.algorithm.series_number_offset, self._next)
        self._next += places
        return place


def page_number(offset: int, form: Form, volume: int = 0) -> int:
    """Series Number of a page for people: ``PICTURE_OFFSET`` or ``NOTE_OFFSET``."""
    return form.first_series_number + _VOLUME * volume + offset
