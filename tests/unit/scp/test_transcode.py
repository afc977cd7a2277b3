"""Results in the transfer syntax that a destination accepted."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    SegmentationStorage,
)

from pipeline.phantom import chest_phantom, phantom_instances
from scp.transcode import in_accepted_syntax, offers

COMPRESSED = [RLELossless, JPEGLSLossless, JPEG2000Lossless]
PLAIN = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


def written(dataset: Dataset) -> Dataset:
    """The data set as a file says it."""
    content = BytesIO()
    pydicom.dcmwrite(content, dataset, enforce_file_format=True)
    content.seek(0)
    return pydicom.dcmread(content)


def signed_slice() -> Dataset:
    """A CT slice of signed values."""
    dataset = next(iter(phantom_instances(chest_phantom(slices=1, size=64))))
    hu = dataset.pixel_array.astype(np.int16)
    hu[0, :2] = (-1024, 3071)
    dataset.PixelRepresentation = 1
    dataset.PixelData = hu.tobytes()
    return written(dataset)


@pytest.mark.parametrize("syntax", [*PLAIN, *COMPRESSED])
@pytest.mark.parametrize("own", [ExplicitVRLittleEndian, *COMPRESSED])
def test_every_pixel_survives(own: UID, syntax: UID) -> None:
    """From each syntax to each other, under the same SOP Instance UID."""
    source = signed_slice()
    pixels, uid = source.pixel_array.copy(), source.SOPInstanceUID
    if own.is_compressed:
        source.compress(own, generate_instance_uid=False)
    sent = written(in_accepted_syntax(written(source), [syntax], syntax))
    held = sent.file_meta.TransferSyntaxUID
    assert held == syntax if syntax.is_compressed else held in PLAIN
    assert sent.SOPInstanceUID == uid
    np.testing.assert_array_equal(sent.pixel_array, pixels)


def test_the_preferred_syntax_goes_before_the_objects_own() -> None:
    source = signed_slice()
    sent = in_accepted_syntax(source, [ExplicitVRLittleEndian, RLELossless], RLELossless)
    assert sent.file_meta.TransferSyntaxUID == RLELossless


@pytest.mark.parametrize("own", [ExplicitVRLittleEndian, RLELossless])
def test_an_image_that_the_preferred_syntax_cannot_hold_goes_in_its_own(own: UID) -> None:
    """A reformat of few slices is too low for the steps that JPEG 2000 takes."""
    source = signed_slice()
    source.Rows = 6
    source.PixelData = source.PixelData[: 6 * source.Columns * 2]
    pixels = written(source).pixel_array.copy()
    source = written(source)
    if own.is_compressed:
        source.compress(own, generate_instance_uid=False)
    accepted = [JPEG2000Lossless, own, ExplicitVRLittleEndian]
    sent = written(in_accepted_syntax(source, accepted, JPEG2000Lossless))
    assert sent.file_meta.TransferSyntaxUID == own
    np.testing.assert_array_equal(sent.pixel_array, pixels)


def test_a_segmentation_of_bits_is_never_compressed() -> None:
    """What readers fail on is not offered, and not made where it was accepted."""
    segmentation = pydicom.dcmread(Path(get_testdata_file("liver_1frame.dcm")))
    assert segmentation.SOPClassUID == SegmentationStorage
    assert offers(SegmentationStorage, JPEG2000Lossless) == [PLAIN]
    sent = in_accepted_syntax(segmentation, [JPEG2000Lossless, *PLAIN], JPEG2000Lossless)
    assert sent.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_offers_keep_the_preferred_syntax_in_a_context_of_its_own() -> None:
    """A peer that has it cannot choose another; one that has not takes a plain one."""
    assert offers(CTImageStorage, RLELossless) == [[RLELossless], PLAIN]
    assert offers(CTImageStorage, ImplicitVRLittleEndian) == [PLAIN[::-1]]


def test_an_object_that_no_accepted_syntax_can_hold_is_an_error() -> None:
    source = signed_slice()
    with pytest.raises(ValueError, match="none of the accepted"):
        in_accepted_syntax(source, [JPEGLSLossless])
