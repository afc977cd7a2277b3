"""One image plane of a series, whether an instance of its own or a frame of a multi-frame one."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from pipeline.elements import DAMAGED_ELEMENT_ERRORS, Value, plain_value
from pipeline.errors import UnreadableInstanceError
from pipeline.instance import Instance


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """An image plane.

    Parameters
    ----------
    instance
        The instance that holds it.
    own_header
        What a single-frame instance of this plane would say, where the instance itself does not
        say it: for a frame of a multi-frame instance, its functional groups lifted to the top.
    number
        Frame number from 1 in a multi-frame instance, None in a single-frame one.
    """

    instance: Instance
    own_header: Dataset | None = None
    number: int | None = None

    @property
    def header(self) -> Dataset:
        """What a single-frame instance of this plane says. Not to be changed: copy it first."""
        return self.instance.header if self.own_header is None else self.own_header

    def has(self, attribute: str | int) -> bool:
        """Whether the header has an attribute, named by its keyword or its tag."""
        if self.own_header is None:
            return self.instance.elements.has(attribute)
        return attribute in self.own_header

    def get(self, keyword: str) -> Value:
        """An attribute as a number, text or tuple; None where it is missing or empty."""
        if self.own_header is None:
            return self.instance.elements.get(keyword)
        return plain_value(self.own_header.get(keyword))

    def items_of(self, keyword: str) -> list[Dataset]:
        """The items of a sequence; none where it is missing.

        Raises
        ------
        UnreadableInstanceError
            It does not decode.
        """
        if not self.has(keyword):
            return []
        try:
            return list(self.header.get(keyword) or ())
        except DAMAGED_ELEMENT_ERRORS as error:
            raise UnreadableInstanceError(
                f"{keyword} of instance {self.name} is damaged ({type(error).__name__}). Check the "
                "series where it was made."
            ) from error

    def number_of(self, keyword: str) -> float | None:
        """An attribute as a number; None where it is missing, empty or no number."""
        value = self.get(keyword)
        return float(value) if isinstance(value, int | float) else None

    def numbers_of(self, keyword: str) -> tuple[float, ...]:
        """An attribute as numbers; none where it is missing or has anything else."""
        value = self.get(keyword)
        values = value if isinstance(value, tuple) else (value,)
        numbers = tuple(float(item) for item in values if isinstance(item, int | float))
        return numbers if len(numbers) == len(values) else ()

    def text_of(self, keyword: str) -> str:
        """An attribute as text; empty where it is missing."""
        value = self.get(keyword)
        return "" if value is None else str(value)

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID (0008,0018) of the instance that holds it."""
        return self.instance.sop_instance_uid

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID (0020,000E)."""
        return self.instance.series_instance_uid

    @property
    def name(self) -> str:
        """SOP Instance UID, with the frame number behind ``#`` where there is one."""
        uid = self.sop_instance_uid
        return uid if self.number is None else f"{uid}#{self.number}"
