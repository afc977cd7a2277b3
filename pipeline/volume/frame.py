"""One image plane of a series, whether an instance of its own or a frame of a multi-frame one."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from pipeline.instance import Instance


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """An image plane.

    Parameters
    ----------
    instance
        The instance that holds it.
    header
        What a single-frame instance of this plane would say: for a frame of a multi-frame
        instance, its functional groups lifted to the top. Not to be changed: copy it first.
    number
        Frame number from 1 in a multi-frame instance, None in a single-frame one.
    """

    instance: Instance
    header: Dataset
    number: int | None = None

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
        return (
            self.sop_instance_uid
            if self.number is None
            else f"{self.sop_instance_uid}#{self.number}"
        )
