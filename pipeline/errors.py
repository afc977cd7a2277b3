"""Why a series gives no result.

::

    PipelineError
    ├── UnreadableInstanceError   a file is no DICOM instance, or changed since it was received
    ├── NotAnImageError           the objects hold no image slices (SEG, SR, ...)
    ├── PixelDecodeError          pixel data does not decode, or its values do not fit
    ├── SeriesGeometryError       the slices make no volume
    ├── NotApplicableError        the algorithm is not meant for this series
    ├── NothingFoundError         the algorithm ran and found nothing to report
    │   └── NoLungFoundError      the slices show no air space that can be a lung
    ├── UnknownAlgorithmError     no installed algorithm has this name
    └── EncodingError             a finding cannot be said in DICOM

Each message is one or two sentences for a person: what happened, to what, and what to do. It
carries UIDs and tag names, never a value that could identify a patient.
"""


class PipelineError(Exception):
    """Base of everything the pipeline refuses, with a reason fit to show to a user."""


class UnreadableInstanceError(PipelineError):
    """A file holds no DICOM instance that can be read."""


class NotAnImageError(PipelineError):
    """The instances are no image slices."""


class PixelDecodeError(PipelineError):
    """The pixel data of an instance cannot be turned into the values it stands for."""


class SeriesGeometryError(PipelineError):
    """The slices of a series make no volume.

    Parameters
    ----------
    series_instance_uid
        The series that was refused.
    reason
        What is wrong with its geometry, and what to do.
    """

    def __init__(self, series_instance_uid: str, reason: str) -> None:
        super().__init__(series_instance_uid, reason)
        self.series_instance_uid = series_instance_uid
        self.reason = reason

    def __str__(self) -> str:
        return f"Series {self.series_instance_uid} makes no volume: {self.reason}"


class NotApplicableError(PipelineError):
    """The algorithm is not meant for a series of this kind."""


class NothingFoundError(PipelineError):
    """The algorithm ran, and what it looks for is not there."""


class NoLungFoundError(NothingFoundError):
    """The slices show no air space that can be a lung."""


class UnknownAlgorithmError(PipelineError):
    """No installed package offers an algorithm of this name."""


class EncodingError(PipelineError):
    """A finding cannot be said as the DICOM object that was asked for."""
