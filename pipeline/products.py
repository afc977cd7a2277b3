"""What can be made of findings, and how it is said: what a destination asks a pipeline for."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum


class Product(StrEnum):
    """A kind of result object.

    A report goes with the masks that its reader has: it names the segments of the Segmentation
    (``SR``), shares tracking UIDs with the Label Map Segmentation (``SR_ON_LABELMAP``), or stands
    alone (``SR_ALONE``).
    """

    SEG = "seg"
    LABELMAP = "labelmap"
    FRACTIONAL = "fractional"
    RTSTRUCT = "rtstruct"
    SERIES = "series"
    SR = "sr"
    SR_ON_LABELMAP = "sr-on-labelmap"
    SR_ALONE = "sr-alone"
    PICTURE = "picture"
    NOTE = "note"


_MASKS = {Product.SR: Product.SEG, Product.SR_ON_LABELMAP: Product.LABELMAP}
USUAL_PRODUCTS = frozenset({Product.SEG, Product.SERIES, Product.SR})


@dataclass(frozen=True, slots=True)
class Form:
    """How objects are said, whatever they are. Another form gives them other UIDs.

    Parameters
    ----------
    first_series_number
        Series Number (0020,0011) that the blocks of all algorithms are counted from.
    series_number_offsets
        Where the block of an algorithm begins after it: pairs of name and offset, for those that
        do not keep their own.
    unicode
        Whether all text is said in UTF-8, else in the source's character set where that holds it.
    """

    first_series_number: int = 9000
    series_number_offsets: tuple[tuple[str, int], ...] = ()
    unicode: bool = False

    @property
    def key(self) -> str:
        """SHA-256 (hex) of it."""
        content = asdict(self) | {"series_number_offsets": sorted(self.series_number_offsets)}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a destination takes, and in which form.

    A report is asked for with the masks that it goes with.
    """

    products: frozenset[Product] = USUAL_PRODUCTS
    form: Form = field(default_factory=Form)

    def __post_init__(self) -> None:
        for report, mask in _MASKS.items():
            if report in self.products and mask not in self.products:
                raise ValueError(f"{report} goes with {mask}, which is not asked for")


def by_form(dialects: tuple[Dialect, ...]) -> dict[Form, frozenset[Product]]:
    """Everything that is wanted in each form; the usual products where nobody asks."""
    wanted: dict[Form, frozenset[Product]] = {}
    for dialect in dialects or (Dialect(),):
        wanted[dialect.form] = wanted.get(dialect.form, frozenset()) | dialect.products
    return wanted


def wishes_digest(dialects: tuple[Dialect, ...]) -> str:
    """SHA-256 (hex) of what is wanted, whoever wants it."""
    wanted = sorted([form.key, sorted(products)] for form, products in by_form(dialects).items())
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()
