"""DICOM Segmentations for tests, written by highdicom."""

from pathlib import Path

import highdicom
import numpy as np
import numpy.typing as npt
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from pipeline.phantom import ChestPhantom, phantom_instances


def write_seg(
    path: Path,
    phantom: ChestPhantom,
    segments: dict[str, npt.NDArray[np.bool_]],
    kind: SegmentationTypeValues = SegmentationTypeValues.BINARY,
) -> Path:
    """Write masks (slice, row, column) on the phantom's slices; slices without any are left out."""
    descriptions = [
        SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=Code("123037004", "SCT", "Anatomical Structure"),
            segmented_property_type=Code("39607008", "SCT", "Lung"),
            algorithm_type="MANUAL",
        )
        for number, name in enumerate(segments, start=1)
    ]
    seg = Segmentation(
        source_images=list(phantom_instances(phantom)),
        pixel_array=np.stack(list(segments.values()), axis=-1).astype(np.uint8),
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=highdicom.UID(),
        series_number=1,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    seg.save_as(path)
    return path


def affine_of(phantom: ChestPhantom) -> npt.NDArray[np.float64]:
    """4 x 4: (column, row, slice, 1) of the phantom to RAS mm."""
    spacing = phantom.spacing
    affine = np.diag([-spacing.column_mm, -spacing.row_mm, spacing.slice_mm, 1.0])
    x, y, z = phantom.origin_mm
    affine[:3, 3] = -x, -y, z
    return affine
