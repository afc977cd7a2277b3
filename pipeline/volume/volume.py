"""A rebuilt series: its voxels, where they lie, and what they were made of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry import VolumeGeometry
from pipeline.volume.frame import Frame
from pipeline.volume.receipt import Phase, Receipt


@dataclass(frozen=True, eq=False, slots=True)
class Volume:
    """A rebuilt series.

    Parameters
    ----------
    voxels
        (slice, row, column). CT: int16 Hounsfield Units. Others: the stored values, or float32
        where the header rescales them.
    geometry
        The grid in the patient.
    sources
        One frame per slice, in slice order; for a slice that was interpolated, the one before.
        Position and matrix in their headers are the volume's.
    phase
        Which of several volumes of the series it is; None where there is one.
    resampled
        Whether voxels lie elsewhere than in the sources: slices were interpolated or shifted.
    suv_factor
        What voxels of a PET volume are multiplied with for body-weight SUV (g/mL); None where it
        is not known.
    """

    voxels: npt.NDArray[Any]
    geometry: VolumeGeometry
    sources: tuple[Frame, ...]
    phase: Phase | None = None
    resampled: bool = False
    suv_factor: float | None = None

    @property
    def modality(self) -> str:
        """Modality (0008,0060) of the series."""
        return str(self.sources[0].header.get("Modality", ""))

    @property
    def series_instance_uid(self) -> str:
        """The series it was rebuilt from."""
        return self.sources[0].series_instance_uid

    def in_suv(self) -> npt.NDArray[np.float32] | None:
        """(slice, row, column): body-weight SUV in g/mL; None where the factor is not known."""
        if self.suv_factor is None:
            return None
        suv: npt.NDArray[np.float32] = self.voxels.astype(np.float32) * np.float32(self.suv_factor)
        return suv


@dataclass(frozen=True, eq=False, slots=True)
class VolumeResult:
    """A volume and the receipt of its making."""

    volume: Volume
    receipt: Receipt
