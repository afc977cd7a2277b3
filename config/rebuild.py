"""How a pipeline's volumes are rebuilt from series that are no plain stack of slices."""

from typing import Literal

from pydantic import Field

from config.section import Section


class RebuildSettings(Section):
    """The table ``[pipelines.NAME.rebuild]``; by default nothing is made up and much is refused."""

    phases: Literal["each", "first", "last", "refuse"] = "each"
    """Of which phase, echo, b-value or time point a volume is made where a series has several."""

    phase: str = Field(default="", pattern=r"^([A-Za-z]+=.+)?$")
    """The one that is wanted, as KEYWORD=VALUE: EchoNumbers=2, say. Goes before phases."""

    fill: Literal["refuse", "interpolate", "longest-run"] = "refuse"
    """What is done about missing slices: up to a quarter of all are interpolated."""

    tilt: Literal["refuse", "resample"] = "refuse"
    """What is done about gantry tilt; slices are shifted back in the plane by interpolation."""

    tolerance_mm: float = Field(default=0.1, ge=0, le=1)
    """How far, in mm, a slice may lie from its place in an even stack."""

    tolerance_share: float = Field(default=0.01, ge=0, le=1)
    """The same as a share of the spacing; the larger of the two counts."""
