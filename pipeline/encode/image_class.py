"""The single-frame image classes that derived series are made of, and what each of them asks for.

Source: PS3.3 A.3 (CT Image IOD), A.4 (MR Image IOD), A.21 (PET Image IOD), C.8.2.1, C.8.3.1,
C.8.9.1, C.8.9.4.
"""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from pipeline.encode.image_attributes import (
    CT_ACQUISITION,
    MR_ACQUISITION,
    PT_ACQUISITION,
    PT_SLICE,
    REQUIRED_OF_CT,
    REQUIRED_OF_MR,
    REQUIRED_OF_PT,
)
from pipeline.errors import EncodingError
from pipeline.volume import Volume


@dataclass(frozen=True, eq=False, slots=True)
class ImageClass:
    """A class of single-frame images.

    Parameters
    ----------
    sop_class_uid, modality
        Of its images.
    source_classes
        What a source may be: the class itself and its multi-frame kin.
    image_type
        Image Type (0008,0008) of a derived image, up to what it shows.
    projected_image_type
        The same for a projection.
    acquisition
        Taken over where all slices of the source agree.
    slice_attributes
        Taken from a slice beside what all classes take.
    required
        Type 2, in every image.
    assumed
        Type 1, with what is said where the source does not: the value that claims least.
    numbered
        Attributes that hold the number of the image in its series.
    """

    sop_class_uid: UID
    modality: str
    source_classes: frozenset[str]
    image_type: tuple[str, ...]
    projected_image_type: tuple[str, ...]
    acquisition: tuple[str, ...]
    required: tuple[str, ...]
    slice_attributes: tuple[str, ...] = ()
    assumed: tuple[tuple[str, str], ...] = ()
    numbered: tuple[str, ...] = ("InstanceNumber",)

    def assume(self, image: Dataset) -> list[str]:
        """Say what is assumed where an image says nothing; which attributes that were."""
        missing = [pair for pair in self.assumed if image.get(pair[0]) in (None, "")]
        for keyword, value in missing:
            setattr(image, keyword, value)
        return [keyword for keyword, _ in missing]


_CT = ImageClass(
    sop_class_uid=CTImageStorage,
    modality="CT",
    source_classes=frozenset(
        {CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage}
    ),
    image_type=("DERIVED", "SECONDARY", "AXIAL"),
    projected_image_type=("DERIVED", "SECONDARY", "AXIAL"),
    acquisition=CT_ACQUISITION,
    required=REQUIRED_OF_CT,
)
_MR = ImageClass(
    sop_class_uid=MRImageStorage,
    modality="MR",
    source_classes=frozenset(
        {MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage}
    ),
    image_type=("DERIVED", "SECONDARY", "OTHER"),
    projected_image_type=("DERIVED", "SECONDARY", "PROJECTION IMAGE"),
    acquisition=MR_ACQUISITION,
    required=REQUIRED_OF_MR,
    assumed=(("ScanningSequence", "RM"), ("SequenceVariant", "NONE")),
)
_PT = ImageClass(
    sop_class_uid=PositronEmissionTomographyImageStorage,
    modality="PT",
    source_classes=frozenset(
        {
            PositronEmissionTomographyImageStorage,
            EnhancedPETImageStorage,
            LegacyConvertedEnhancedPETImageStorage,
        }
    ),
    image_type=("DERIVED", "PRIMARY"),
    projected_image_type=("DERIVED", "PRIMARY"),
    acquisition=PT_ACQUISITION,
    slice_attributes=PT_SLICE,
    required=REQUIRED_OF_PT,
    assumed=(
        ("Units", "NONE"),
        ("CountsSource", "EMISSION"),
        ("DecayCorrection", "NONE"),
        ("FrameReferenceTime", "0"),
    ),
    numbered=("InstanceNumber", "ImageIndex"),
)
_CLASSES = (_CT, _MR, _PT)


def image_class_of(volume: Volume) -> ImageClass:
    """The class of images that a volume's derived series are made of: its source's own.

    Raises
    ------
    EncodingError
        The source is of no such class, or of several.
    """
    classes = {str(source.header.get("SOPClassUID", "")) for source in volume.sources}
    for image_class in _CLASSES:
        if classes <= image_class.source_classes:
            return image_class
    names = sorted(UID(uid).name or "objects of no SOP Class" for uid in classes)
    raise EncodingError(
        f"Series {volume.series_instance_uid} is {', '.join(names)}; a derived series is made of "
        "CT, MR or PET images only. Take this step out of the route for such series."
    )
