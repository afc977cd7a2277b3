"""The SOP Classes and transfer syntaxes that the node takes.

Instances are kept in the syntax they came in. Objects that hold no slices (SEG, SR, ...) are
taken too: auto-forward rules send whole studies, and a refused object would break the
association's other transfers. Deflated syntaxes are not negotiated: a small message can inflate
without bound.
"""

from pynetdicom.presentation import PresentationContext, build_context

IMAGE_CLASSES: dict[str, str] = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR",
    "1.2.840.10008.5.1.4.1.1.4.3": "Enhanced MR Color",
    "1.2.840.10008.5.1.4.1.1.4.4": "Legacy Converted Enhanced MR",
    "1.2.840.10008.5.1.4.1.1.128": "PET",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET",
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET",
}

OTHER_CLASSES: dict[str, str] = {
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture",
    "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture",
    "1.2.840.10008.5.1.4.1.1.7.3": "Multi-frame Grayscale Word Secondary Capture",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture",
    "1.2.840.10008.5.1.4.1.1.11.1": "Grayscale Softcopy Presentation State",
    "1.2.840.10008.5.1.4.1.1.66": "Raw Data",
    "1.2.840.10008.5.1.4.1.1.66.1": "Spatial Registration",
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
    "1.2.840.10008.5.1.4.1.1.88.59": "Key Object Selection",
    "1.2.840.10008.5.1.4.1.1.88.67": "X-Ray Radiation Dose SR",
    "1.2.840.10008.5.1.4.1.1.104.1": "Encapsulated PDF",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT Structure Set",
}

VERIFICATION = "1.2.840.10008.1.1"

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")

TRANSFER_SYNTAXES: tuple[str, ...] = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
    "1.2.840.10008.1.2.4.50",  # JPEG Baseline
    "1.2.840.10008.1.2.4.51",  # JPEG Extended
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS Near-lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.201",  # High-Throughput JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.202",  # High-Throughput JPEG 2000 with RPCL, lossless
    "1.2.840.10008.1.2.4.203",  # High-Throughput JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE Lossless
)


def supported_contexts(*, with_commitment: bool = False) -> list[PresentationContext]:
    """The presentation contexts that the node accepts, storage commitment where it is offered."""
    storage = [
        build_context(sop_class, list(TRANSFER_SYNTAXES))
        for sop_class in (*IMAGE_CLASSES, *OTHER_CLASSES)
    ]
    commitment = build_context(STORAGE_COMMITMENT, list(COMMITMENT_SYNTAXES))
    commitment.scu_role = commitment.scp_role = True  # senders ask us, destinations report to us
    return [build_context(VERIFICATION), *([commitment] if with_commitment else []), *storage]


def holds_slices(sop_class_uid: str) -> bool:
    """Whether instances of this SOP Class can be slices of a volume."""
    return sop_class_uid in IMAGE_CLASSES


def is_stored(sop_class_uid: str) -> bool:
    """Whether the node keeps instances of this SOP Class."""
    return sop_class_uid in IMAGE_CLASSES or sop_class_uid in OTHER_CLASSES


def class_name(sop_class_uid: str) -> str:
    """What people call the SOP Class."""
    return IMAGE_CLASSES.get(sop_class_uid) or OTHER_CLASSES.get(sop_class_uid) or sop_class_uid
