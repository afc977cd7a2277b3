"""What a site wants done with a series that is no plain stack of slices."""

from dataclasses import dataclass
from enum import StrEnum


class Phases(StrEnum):
    """What becomes of a series that holds several phases, echoes, b-values or time points."""

    EACH = "each"
    FIRST = "first"
    LAST = "last"
    REFUSE = "refuse"


class Fill(StrEnum):
    """What becomes of a stack in which slices are missing."""

    REFUSE = "refuse"
    INTERPOLATE = "interpolate"
    LONGEST_RUN = "longest-run"


class Tilt(StrEnum):
    """What becomes of a stack whose slices shift sideways, as with a tilted gantry."""

    REFUSE = "refuse"
    RESAMPLE = "resample"


@dataclass(frozen=True, slots=True)
class RebuildPolicy:
    """How far the rebuild may go before it refuses a series.

    The defaults change no voxel: whatever would need values that no scanner measured is refused.

    Parameters
    ----------
    phases
        Which volumes are made of a series that holds several.
    phase
        The one that is wanted, as KEYWORD=VALUE of an attribute that tells them apart, such as
        ``EchoNumbers=2``; goes before ``phases`` unless empty.
    fill
        What is done about missing slices.
    tilt
        What is done about gantry tilt.
    tolerance_mm, tolerance_share
        How far a slice may lie from where an even stack has it: the larger of a length and a share
        of the spacing. Scanners round positions in the header, some to 0.1 mm; a slice and the two
        ends of its stack, each rounded so, are off by 0.1 mm together. Nothing in the plane of a
        clinical image is finer, and a missing slice is off by a whole spacing.
    """

    phases: Phases = Phases.EACH
    phase: str = ""
    fill: Fill = Fill.REFUSE
    tilt: Tilt = Tilt.REFUSE
    tolerance_mm: float = 0.1
    tolerance_share: float = 0.01

    def __post_init__(self) -> None:
        if self.phase and self.wanted_phase is None:
            raise ValueError(
                f"phase is {self.phase!r}; it is KEYWORD=VALUE, such as EchoNumbers=2, or empty"
            )
        for name in ("tolerance_mm", "tolerance_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is a number from 0 to 1")

    @property
    def wanted_phase(self) -> tuple[str, str] | None:
        """Keyword and value of the one phase that is wanted, None where none is named."""
        keyword, sign, value = (part.strip() for part in self.phase.partition("="))
        return (keyword, value) if keyword and sign and value else None

    def tolerance_for(self, spacing_mm: float) -> float:
        """How far off, in mm, a slice may lie in a stack of this spacing."""
        tolerance = max(self.tolerance_mm, self.tolerance_share * spacing_mm)
        return min(tolerance, _MOST_OF_SPACING * spacing_mm)


# In a stack finer than the tolerance a missing slice would else pass unseen: of four slices with
# distances of 2, 1 and 2, none lies farther off than a fifth of the mean.
_MOST_OF_SPACING = 0.15
