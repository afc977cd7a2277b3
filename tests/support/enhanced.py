"""Multi-frame instances for tests, made of a phantom's single-frame slices.

A multi-frame instance is built (`enhanced_ct`, `enhanced_mr`, `enhanced_pet`,
`legacy_converted_ct`, `multi_frame_capture`), then frames may be put in another order
(`rearranged`) or into several instances (`split`, `concatenated`)::

    planes = list(phantom_instances(chest_phantom(slices=6, size=32)))
    two_echoes = enhanced_mr(planes, [Pass(echo_time_ms=20), Pass(echo_time_ms=80)])
    first, second = split(rearranged(two_echoes, range(11, -1, -1)), 2)

A `Pass` is one run over all positions. The stored pixels of pass number n (from 0) are those of
the slices plus n, so that a rebuilt volume tells which pass it was made of.

Enhanced instances hold what a rebuild reads, not all that their IODs ask of a scanner; a validator
finds attributes of the acquisition missing, and nothing else.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from highdicom.legacy import LegacyConvertedEnhancedCTImage
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from pipeline.encode.context import uid_from
from pipeline.encode.part10 import set_file_meta

_FIRST_MOMENT = 20240229101600
_NO_RESCALE = {"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "US"}
_MOVED_TO_GROUPS = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SliceLocation",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionNumber",
    "KVP",
    "ConvolutionKernel",
)


@dataclass(frozen=True)
class Pass:
    """What the frames of one run over all positions have in common, where they say it."""

    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    b_value: float | None = None
    gradient: tuple[float, float, float] | None = None
    temporal_position: int | None = None
    trigger_delay_ms: float | None = None


def enhanced_ct(
    slices: Sequence[Dataset], passes: Sequence[Pass] = (Pass(),), *, interleaved: bool = False
) -> Dataset:
    """An Enhanced CT image: pass after pass, or all passes of a position before the next one."""
    image = _enhanced(slices, passes, interleaved=interleaved)
    _become(image, EnhancedCTImageStorage, "CT")
    shared = image.SharedFunctionalGroupsSequence[0]
    shared.CTImageFrameTypeSequence = [_frame_type()]
    shared.CTXRayDetailsSequence = [_item(KVP=120, FocalSpots=[1.2], FilterType="NONE")]
    shared.CTReconstructionSequence = [
        _item(ReconstructionAlgorithm="FILTER_BACK_PROJ", ConvolutionKernel="NONE")
    ]
    shared.PixelValueTransformationSequence = [_rescale(slices[0], 1, "HU")]
    for groups in image.PerFrameFunctionalGroupsSequence:
        height = float(groups.PlanePositionSequence[0].ImagePositionPatient[2])
        groups.CTPositionSequence = [_item(TablePosition=height)]
    return image


def enhanced_mr(
    slices: Sequence[Dataset], passes: Sequence[Pass] = (Pass(),), *, interleaved: bool = False
) -> Dataset:
    """An Enhanced MR image; its stored values are used as they are."""
    image = _enhanced(slices, passes, interleaved=interleaved)
    _become(image, EnhancedMRImageStorage, "MR")
    shared = image.SharedFunctionalGroupsSequence[0]
    shared.MRImageFrameTypeSequence = [_frame_type()]
    shared.MRTimingAndRelatedParametersSequence = [
        _item(RepetitionTime=4000, FlipAngle=90, EchoTrainLength=1)
    ]
    shared.PixelValueTransformationSequence = [_item(**_NO_RESCALE)]
    return image


def enhanced_pet(
    slices: Sequence[Dataset], passes: Sequence[Pass] = (Pass(),), *, interleaved: bool = False
) -> Dataset:
    """An Enhanced PET image; the rescale slope of frame number n (from 1) is n."""
    image = _enhanced(slices, passes, interleaved=interleaved)
    _become(image, EnhancedPETImageStorage, "PT")
    image.DecayCorrected = "YES"
    image.RadiopharmaceuticalInformationSequence = [
        _item(RadiopharmaceuticalStartDateTime="20240229091600", RadionuclideTotalDose=3.7e8)
    ]
    shared = image.SharedFunctionalGroupsSequence[0]
    shared.PETFrameTypeSequence = [_frame_type()]
    shared.PETReconstructionSequence = [
        _item(ReconstructionType="3D", IterativeReconstructionMethod="YES")
    ]
    for number, groups in enumerate(image.PerFrameFunctionalGroupsSequence, start=1):
        groups.PixelValueTransformationSequence = [_item(**{**_NO_RESCALE, "RescaleSlope": number})]
        groups.PETFrameCorrectionFactorsSequence = [_item(DecayFactor=1 + number / 8)]
    return image


def legacy_converted_ct(slices: Sequence[Dataset]) -> Dataset:
    """The slices as a Legacy Converted Enhanced CT image, made by highdicom."""
    source = str(slices[0].SeriesInstanceUID)
    image = LegacyConvertedEnhancedCTImage(
        slices,
        series_instance_uid=uid_from("legacy converted", source),
        series_number=20,
        sop_instance_uid=uid_from("legacy converted instance", source),
        instance_number=1,
    )
    set_file_meta(image)
    return image


def multi_frame_capture(slices: Sequence[Dataset]) -> Dataset:
    """The slices as a multi-frame secondary capture, which knows no functional groups."""
    image = _top(slices)
    _become(image, MultiFrameGrayscaleWordSecondaryCaptureImageStorage, "OT")
    image.NumberOfFrames = len(slices)
    image.FrameIncrementPointer = Tag("PageNumberVector")
    image.PageNumberVector = list(range(1, len(slices) + 1))
    image.PixelData = b"".join(plane.PixelData for plane in slices)
    return image


def rearranged(image: Dataset, order: Iterable[int]) -> Dataset:
    """The same instance with only these frames (numbers from 0), in this order."""
    groups, planes = image.PerFrameFunctionalGroupsSequence, _planes(image)
    chosen = list(order)
    result = copy.deepcopy(image)
    result.NumberOfFrames = len(chosen)
    result.PerFrameFunctionalGroupsSequence = [copy.deepcopy(groups[index]) for index in chosen]
    result.PixelData = planes[chosen].tobytes()
    return result


def split(image: Dataset, parts: int) -> list[Dataset]:
    """Its frames in several instances of one series, with Instance Numbers from 1."""
    pieces = np.array_split(np.arange(image.NumberOfFrames), parts)
    return [
        _renamed(rearranged(image, piece), number) for number, piece in enumerate(pieces, start=1)
    ]


def concatenated(image: Dataset, parts: int) -> list[Dataset]:
    """Its frames as the parts of a concatenation, which share their Instance Number."""
    instances, offset = split(image, parts), 0
    for number, instance in enumerate(instances, start=1):
        instance.InstanceNumber = image.InstanceNumber
        instance.ConcatenationUID = uid_from("concatenation", image.SOPInstanceUID)
        instance.SOPInstanceUIDOfConcatenationSource = image.SOPInstanceUID
        instance.InConcatenationNumber = number
        instance.InConcatenationTotalNumber = parts
        instance.ConcatenationFrameOffsetNumber = offset
        offset += instance.NumberOfFrames
    return instances


def _enhanced(slices: Sequence[Dataset], passes: Sequence[Pass], *, interleaved: bool) -> Dataset:
    """What the three kinds have in common."""
    image = _top(slices)
    places = [(which, index) for which in range(len(passes)) for index in range(len(slices))]
    if interleaved:
        places.sort(key=lambda place: (place[1], place[0]))
    image.NumberOfFrames = len(places)
    image.AcquisitionDateTime = str(_FIRST_MOMENT)
    image.SharedFunctionalGroupsSequence = [_shared_groups(slices[0])]
    image.PerFrameFunctionalGroupsSequence = [
        _frame_groups(slices[index], passes[which], which, index) for which, index in places
    ]
    image.PixelData = np.stack(
        [_stored(slices[index]) + np.uint16(which) for which, index in places]
    ).tobytes()
    _add_dimensions(image)
    return image


def _top(slices: Sequence[Dataset]) -> Dataset:
    """What a slice says of the whole series."""
    image = copy.deepcopy(slices[0])
    for keyword in _MOVED_TO_GROUPS:
        delattr(image, keyword)
    image.SeriesInstanceUID = uid_from("enhanced", image.SeriesInstanceUID)
    image.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    image.PixelPresentation = "MONOCHROME"
    image.VolumetricProperties = "VOLUME"
    image.VolumeBasedCalculationTechnique = "NONE"
    image.ContentQualification = "RESEARCH"
    image.PresentationLUTShape = "IDENTITY"
    image.LossyImageCompression = "00"
    image.AcquisitionContextSequence = []
    return _renamed(image, 1)


def _renamed(image: Dataset, instance_number: int) -> Dataset:
    image.InstanceNumber = instance_number
    image.SOPInstanceUID = uid_from("part", image.SeriesInstanceUID, instance_number)
    set_file_meta(image)
    return image


def _become(image: Dataset, sop_class_uid: str, modality: str) -> None:
    image.SOPClassUID, image.Modality = sop_class_uid, modality
    set_file_meta(image)


def _add_dimensions(image: Dataset) -> None:
    organization = uid_from("dimensions", image.SeriesInstanceUID)
    image.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    image.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=Tag(keyword),
            FunctionalGroupPointer=Tag("FrameContentSequence"),
        )
        for keyword in ("FrameAcquisitionNumber", "InStackPositionNumber")
    ]


def _shared_groups(plane: Dataset) -> Dataset:
    groups = Dataset()
    groups.PixelMeasuresSequence = [
        _item(PixelSpacing=plane.PixelSpacing, SliceThickness=plane.SliceThickness)
    ]
    groups.PlaneOrientationSequence = [_item(ImageOrientationPatient=plane.ImageOrientationPatient)]
    groups.FrameVOILUTSequence = [
        _item(WindowCenter=plane.WindowCenter, WindowWidth=plane.WindowWidth)
    ]
    return groups


def _frame_groups(plane: Dataset, run: Pass, which: int, index: int) -> Dataset:
    """The functional groups of the frame of run number ``which`` at place ``index``."""
    groups = Dataset()
    groups.PlanePositionSequence = [_item(ImagePositionPatient=plane.ImagePositionPatient)]
    content = _item(
        FrameAcquisitionNumber=which + 1,
        FrameAcquisitionDateTime=f"{_FIRST_MOMENT + which}.{index:06d}",
        FrameReferenceDateTime=f"{_FIRST_MOMENT + which}.{index:06d}",
        FrameAcquisitionDuration=250.0,
        StackID="1",
        InStackPositionNumber=index + 1,
        DimensionIndexValues=[which + 1, index + 1],
    )
    if run.temporal_position is not None:
        content.TemporalPositionIndex = run.temporal_position
        groups.TemporalPositionSequence = [
            _item(TemporalPositionTimeOffset=2.5 * (run.temporal_position - 1))
        ]
    groups.FrameContentSequence = [content]
    if run.echo_time_ms is not None:
        groups.MREchoSequence = [_item(EffectiveEchoTime=run.echo_time_ms)]
    if run.inversion_time_ms is not None:
        groups.MRModifierSequence = [_item(InversionTimes=[run.inversion_time_ms])]
    if run.trigger_delay_ms is not None:
        groups.CardiacSynchronizationSequence = [
            _item(NominalCardiacTriggerDelayTime=run.trigger_delay_ms)
        ]
    if run.b_value is not None:
        groups.MRDiffusionSequence = [_diffusion(run)]
    return groups


def _diffusion(run: Pass) -> Dataset:
    if run.gradient is None:
        return _item(DiffusionBValue=run.b_value, DiffusionDirectionality="NONE")
    return _item(
        DiffusionBValue=run.b_value,
        DiffusionDirectionality="DIRECTIONAL",
        DiffusionGradientDirectionSequence=[_item(DiffusionGradientOrientation=list(run.gradient))],
    )


def _frame_type() -> Dataset:
    return _item(
        FrameType=["ORIGINAL", "PRIMARY", "AXIAL", "NONE"],
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )


def _rescale(plane: Dataset, slope: float, kind: str) -> Dataset:
    return _item(RescaleSlope=slope, RescaleIntercept=plane.RescaleIntercept, RescaleType=kind)


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _stored(plane: Dataset) -> np.ndarray:
    return np.frombuffer(plane.PixelData, "<u2").reshape(plane.Rows, plane.Columns)


def _planes(image: Dataset) -> np.ndarray:
    return np.frombuffer(image.PixelData, "<u2").reshape(-1, image.Rows, image.Columns)
