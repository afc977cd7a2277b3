"""What a destination takes, and in which form."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from config.arrays import OneOrMore
from config.section import Section

Kind = Literal["seg", "labelmap", "fractional", "rtstruct", "series", "sr", "picture", "note"]
Preset = Literal["standard", "orthanc", "ohif", "no-seg", "images"]
Syntax = Literal["explicit", "implicit", "rle", "jpeg-ls", "jpeg-2000"]

# Orthanc 1.10 refuses Label Map Segmentations. OHIF shows no measurements of segments, so a page
# says them. The last two are for archives and viewers that take no Segmentation, or nothing but
# images.
PRESETS: Mapping[Preset, tuple[Kind, ...]] = {
    "standard": ("seg", "series", "sr"),
    "orthanc": ("seg", "series", "sr"),
    "ohif": ("seg", "series", "sr", "picture"),
    "no-seg": ("rtstruct", "series", "picture"),
    "images": ("series", "picture"),
}
_SYNTAXES: Mapping[Syntax, UID] = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg-ls": JPEGLSLossless,
    "jpeg-2000": JPEG2000Lossless,
}


class DialectSettings(Section):
    """The table ``[peers.NAME.dialect]``: what a destination is sent, and in which form."""

    preset: Preset = "standard"
    """Kinds of results for a known archive or viewer."""

    kinds: OneOrMore[Kind] | None = None
    """Kinds of results, in place of the preset's."""

    transfer_syntax: Syntax = "explicit"
    """Transfer syntax that images are offered in first; Explicit VR Little Endian always too."""

    character_set: Literal["source", "utf-8"] = "source"
    """Character set of the results: the source's where it holds the text, or always UTF-8."""

    first_series_number: Annotated[int | None, Field(ge=1, le=2_000_000_000)] = None
    """Series Number that the blocks are counted from, in place of results.first_series_number."""

    @property
    def wanted(self) -> frozenset[Kind]:
        """The kinds that are sent."""
        return frozenset(PRESETS[self.preset] if self.kinds is None else self.kinds)

    @property
    def transfer_syntax_uid(self) -> UID:
        """The transfer syntax that images are offered in first."""
        return _SYNTAXES[self.transfer_syntax]
