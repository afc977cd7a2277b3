"""Slices of a series to volumes: rebuilt exactly, or refused with the reason."""

from pipeline.volume.frame import Frame
from pipeline.volume.policy import Fill, Phases, RebuildPolicy, Tilt
from pipeline.volume.rebuild import (
    VolumePlan,
    build_volume,
    build_volumes,
    plan_volumes,
    realise,
)
from pipeline.volume.receipt import Dropped, Phase, Receipt
from pipeline.volume.volume import Volume, VolumeResult

__all__ = [
    "Dropped",
    "Fill",
    "Frame",
    "Phase",
    "Phases",
    "RebuildPolicy",
    "Receipt",
    "Tilt",
    "Volume",
    "VolumePlan",
    "VolumeResult",
    "build_volume",
    "build_volumes",
    "plan_volumes",
    "realise",
]
