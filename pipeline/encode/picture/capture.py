"""A page as a Secondary Capture image.

Source: PS3.3 A.8.1 (Secondary Capture Image IOD), C.8.6.1 (SC Equipment), C.7.6.1 (General
Image), C.12.4 (General Reference), C.12.2 (Common Instance Reference).
"""

from dataclasses import dataclass

from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from pipeline.encode.attributes import SERIES
from pipeline.encode.context import ResultContext
from pipeline.encode.header import document_header
from pipeline.encode.laterality import settle_laterality
from pipeline.encode.part10 import set_file_meta
from pipeline.encode.values import own_text

_SHORT_TEXT = 1024


@dataclass(frozen=True, slots=True)
class Capture:
    """What a page is called.

    Parameters
    ----------
    name
        Goes into the UIDs of its series.
    instance_name
        Goes into the UID of the page itself.
    description
        A few words for the series list.
    derivation
        What was drawn of what, in a sentence.
    """

    name: str
    instance_name: str
    description: str
    derivation: str


def secondary_capture(
    page: Image.Image,
    capture: Capture,
    source: Dataset,
    context: ResultContext,
) -> Dataset:
    """Make the image of a page, one in a series of its own in the source's study.

    Its modality is OT: it is no acquisition of the source's modality, and no rule for such images
    must take it for one. No patient is named in its pixels, so it has no burned-in annotation; a
    caller whose source has some says so afterwards.

    Parameters
    ----------
    page
        RGB.
    source
        A header of the source series.

    Raises
    ------
    EncodingError
        The source has no Study Instance UID.
    """
    image = document_header(capture, source, context, SERIES)
    settle_laterality(image)
    image.SOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID = context.instance_uid(capture.instance_name, 1)
    image.Modality = "OT"
    image.ConversionType = "WSD"
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.InstanceNumber = 1
    image.PatientOrientation = None
    image.BurnedInAnnotation = "NO"
    image.DerivationDescription = own_text(capture.derivation, limit=_SHORT_TEXT)
    _add_pixels(image, page)
    set_file_meta(image)
    return image


def refer(image: Dataset, keyword: str, reference: Dataset, series_instance_uid: str) -> None:
    """Refer to one image of the source: in a sequence of references, and by its series.

    Parameters
    ----------
    keyword
        The sequence: Source Image or Referenced Image Sequence.
    """
    instance = Dataset()
    instance.ReferencedSOPClassUID = reference.ReferencedSOPClassUID
    instance.ReferencedSOPInstanceUID = reference.ReferencedSOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = series_instance_uid
    series.ReferencedInstanceSequence = [instance]
    setattr(image, keyword, [reference])
    image.ReferencedSeriesSequence = [series]


def _add_pixels(image: Dataset, page: Image.Image) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation = 3, "RGB"
    image.PlanarConfiguration = 0
    image.Columns, image.Rows = page.size
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.PixelRepresentation = 0
    image.PixelData = page.tobytes()
