"""A derived volume as a CT series: one image per slice, on the source's grid.

Source: PS3.3 A.3 (CT Image IOD), C.7.6.1 (General Image), C.12.4 (General Reference).
"""

from copy import copy
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from pipeline.encode.attributes import CT_ACQUISITION, REQUIRED_OF_CT, SLICE
from pipeline.encode.codes import SOURCE_IMAGE, code_item
from pipeline.encode.context import ResultContext
from pipeline.encode.header import (
    copy_attributes,
    drop_half_window,
    fill_missing,
    result_header,
)
from pipeline.encode.part10 import set_file_meta
from pipeline.encode.references import source_reference
from pipeline.encode.stored_values import StoredForm, stored_form
from pipeline.encode.values import decimal_string, own_text
from pipeline.errors import EncodingError
from pipeline.findings import DerivedVolume
from pipeline.volume import Frame, Volume

_SHORT_TEXT = 1024
_CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)


def encode_derived_volume(
    finding: DerivedVolume, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Say a derived volume as CT images, in slice order.

    Raises
    ------
    EncodingError
        The source is no CT, the volume is not on its grid, or its values do not fit.
    """
    _check(finding, volume)
    series = _Series(
        finding=finding,
        volume=volume,
        context=context,
        header=_series_header(finding, volume, context),
        form=stored_form(volume, finding.voxels),
        references=tuple(
            _reference(source, preserved=finding.locations_preserved and not volume.resampled)
            for source in volume.sources
        ),
    )
    return tuple(series.image(index) for index in range(len(finding.voxels)))


@dataclass(frozen=True, eq=False, slots=True)
class _Series:
    """What the images of one derived series share.

    Parameters
    ----------
    header
        The attributes that are the same in every image.
    form
        How values are stored.
    references
        For each source slice its item of Source Image Sequence.
    """

    finding: DerivedVolume
    volume: Volume
    context: ResultContext
    header: Dataset
    form: StoredForm
    references: tuple[Dataset, ...]

    def image(self, index: int) -> Dataset:
        """The image of one slice, counted from 0."""
        image = Dataset()
        for element in self.header:
            image.add(copy(element))
        copy_attributes(self.volume.sources[index].header, image, SLICE)
        drop_half_window(image)
        fill_missing(image, REQUIRED_OF_CT)
        image.InstanceNumber = index + 1
        image.SOPInstanceUID = self.context.instance_uid(self.finding.name, index + 1)
        image.SourceImageSequence = [
            self.references[source] for source in self.finding.source_slices[index]
        ]
        self.form.add_to(image, self.finding.voxels[index])
        set_file_meta(image)
        return image


def _check(finding: DerivedVolume, volume: Volume) -> None:
    others = sorted(
        {
            UID(str(source.header.get("SOPClassUID", ""))).name or "objects of no SOP Class"
            for source in volume.sources
            if source.header.get("SOPClassUID") not in _CT_CLASSES
        }
    )
    if others:
        raise EncodingError(
            f"Series {volume.series_instance_uid} is {', '.join(others)}; a derived series is "
            "made of CT images only. Take this step out of the route for such series."
        )
    if finding.voxels.shape != volume.voxels.shape:
        raise EncodingError(
            f"Finding {finding.name!r} has the shape {finding.voxels.shape}, its source "
            f"{volume.voxels.shape}: it is not slice for slice on the source's grid."
        )
    if len(finding.source_slices) != len(finding.voxels) or not all(finding.source_slices):
        raise EncodingError(
            f"Finding {finding.name!r} does not name the source slices of each of its slices."
        )


def _series_header(finding: DerivedVolume, volume: Volume, context: ResultContext) -> Dataset:
    header = result_header(finding, volume, context, CT_ACQUISITION)
    if "BodyPartExamined" not in header:
        fill_missing(header, ("Laterality",))
    header.SOPClassUID = CTImageStorage
    header.Modality = "CT"
    header.ImageType = ["DERIVED", "SECONDARY", *finding.image_type]
    header.DerivationDescription = own_text(
        f"{finding.description}; {context.author}", limit=_SHORT_TEXT
    )
    header.DerivationCodeSequence = [code_item(code) for code in finding.derivation]
    header.SliceThickness = decimal_string(finding.slab_mm)
    header.SpacingBetweenSlices = decimal_string(volume.geometry.spacing.slice_mm)
    return header


def _reference(source: Frame, *, preserved: bool) -> Dataset:
    """An item of Source Image Sequence (0008,2112)."""
    item = source_reference(source)
    item.SpatialLocationsPreserved = "YES" if preserved else "NO"
    item.PurposeOfReferenceCodeSequence = [code_item(SOURCE_IMAGE)]
    return item
