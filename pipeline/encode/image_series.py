"""What the images of a derived series share, and how one of them is made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from pipeline.encode.codes import SOURCE_IMAGE, code_item
from pipeline.encode.context import ResultContext
from pipeline.encode.encoded import encoded, encoded_items, encoded_sequence
from pipeline.encode.header import (
    copy_attributes,
    drop_unusable_window,
    fill_missing,
    result_header,
)
from pipeline.encode.image_attributes import SLICE
from pipeline.encode.image_class import ImageClass, image_class_of
from pipeline.encode.laterality import settle_laterality
from pipeline.encode.mr import settle_mr
from pipeline.encode.part10 import set_file_meta
from pipeline.encode.pet import settle_pet, settle_pet_image
from pipeline.encode.references import source_reference
from pipeline.encode.stored_values import StoredForm, stored_form
from pipeline.encode.values import decimal_string, own_text
from pipeline.findings import DerivedVolume, RotatingProjection
from pipeline.volume import Frame, Volume

_SHORT_TEXT = 1024
_SOURCES = "SourceImageSequence"


@dataclass(frozen=True, eq=False, slots=True)
class ImageSeries:
    """A derived series whose images are yet to be made.

    Parameters
    ----------
    name
        Of the finding.
    image_class
        Of every image.
    header
        The attributes that are the same in every image, encoded.
    form
        How values are stored.
    """

    name: str
    context: ResultContext
    image_class: ImageClass
    header: Dataset
    form: StoredForm

    def image(
        self,
        number: int,
        pixels: npt.NDArray[Any],
        source: Dataset,
        keywords: Sequence[str] = (),
    ) -> Dataset:
        """An image, but for its place and sources. It shares no element that could be changed.

        Parameters
        ----------
        number
            In the series, from 1.
        pixels
            (row, column) in the volume's unit.
        source
            The header of the source slice that it takes attributes from.
        keywords
            What it takes from there beside what images of its class take.
        """
        image = self.header[:]
        kind = self.image_class
        copy_attributes(source, image, (*SLICE, *kind.slice_attributes, *keywords))
        drop_unusable_window(image)
        fill_missing(image, kind.required)
        assumed = kind.assume(image)
        if kind.modality == "PT":
            assumed += settle_pet_image(image)
        if assumed:
            image.DerivationDescription = _with_assumed(image.DerivationDescription, assumed)
        for keyword in kind.numbered:
            setattr(image, keyword, number)
        image.SOPInstanceUID = self.context.instance_uid(self.name, number)
        self.form.add_pixels(image, pixels)
        set_file_meta(image)
        return image


def image_series(
    finding: DerivedVolume | RotatingProjection,
    volume: Volume,
    context: ResultContext,
    voxels: npt.NDArray[Any],
    *,
    thickness_mm: float,
    between_mm: float | None = None,
) -> ImageSeries:
    """Begin the series of a finding.

    Parameters
    ----------
    voxels
        All of its values, the images along the first axis.
    thickness_mm
        That one image stands for.
    between_mm
        From one image to the next, where these are parallel.

    Raises
    ------
    EncodingError
        The source is no CT, MR or PET, or the values cannot be stored.
    """
    kind = image_class_of(volume)
    header = result_header(finding, volume, context, kind.acquisition)
    match kind.modality:
        case "MR":
            settle_mr(header)
        case "PT":
            reprojected = isinstance(finding, RotatingProjection)
            settle_pet(header, volume, len(voxels), reprojected=reprojected)
    settle_laterality(header)
    _describe(header, finding, kind, context)
    header.SliceThickness = decimal_string(thickness_mm)
    if between_mm is not None:
        header.SpacingBetweenSlices = decimal_string(between_mm)
    blank = finding.padding if isinstance(finding, DerivedVolume) else None
    form = stored_form(volume, voxels, blank)
    form.describe(header, *voxels.shape[1:])
    return ImageSeries(finding.name, context, kind, encoded(header), form)


def _describe(
    header: Dataset,
    finding: DerivedVolume | RotatingProjection,
    kind: ImageClass,
    context: ResultContext,
) -> None:
    """What the images show, and how it came about."""
    header.SOPClassUID = kind.sop_class_uid
    header.Modality = kind.modality
    projected = isinstance(finding, RotatingProjection) or not finding.locations_preserved
    kind_of_image = kind.projected_image_type if projected else kind.image_type
    header.ImageType = [*kind_of_image, finding.image_type]
    header.DerivationDescription = own_text(
        f"{finding.description}; {context.author}", limit=_SHORT_TEXT
    )
    header.DerivationCodeSequence = [code_item(code) for code in finding.derivation]


def references(sources: Iterable[Frame], *, preserved: bool) -> list[bytes]:
    """An item of Source Image Sequence (0008,2112) for each source slice, encoded.

    Parameters
    ----------
    preserved
        Whether pixels of the result lie where those of the source do.
    """
    shared = Dataset()
    shared.SpatialLocationsPreserved = "YES" if preserved else "NO"
    shared.PurposeOfReferenceCodeSequence = [code_item(SOURCE_IMAGE)]
    shared = encoded(shared)
    items = []
    for source in sources:
        items.append(item := shared[:])
        item.update(source_reference(source))
    return encoded_items(items)


def source_images(items: Iterable[bytes]) -> RawDataElement:
    """Source Image Sequence (0008,2112) of some `references`."""
    return encoded_sequence(_SOURCES, items)


def _with_assumed(derivation: str, assumed: list[str]) -> str:
    text = f"{derivation}; not said by the source and filled in: {', '.join(assumed)}"
    return own_text(text, limit=_SHORT_TEXT)
