"""Text of a source header: without control characters, and no longer than the standard allows.

What identifies someone or something stays as it is, even where it is too long: a cut identifier
is another one. So does a code, which a cut would make mean something else, and so does the length
of a name.

Source: PS3.5 6.1.3 (control characters), 6.2 (value representations).
"""

import re
from copy import deepcopy

from pydicom.dataelem import DataElement

# Characters of one value.
_LONGEST = {"SH": 16, "LO": 64, "ST": 1024, "LT": 10240}
_ONE_LINE = frozenset({"LO", "PN", "SH", "UC"})
_PARAGRAPHS = frozenset({"LT", "ST", "UT"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROLS_OF_PARAGRAPHS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
# How keywords of identifiers and codes end.
_IDENTIFIERS = ("ID", "Number", "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion")


def clean_text(element: DataElement) -> DataElement:
    """A copy of an element whose text a result may hold; one of another kind as it is."""
    is_text = element.VR in _ONE_LINE | _PARAGRAPHS
    if not is_text or element.is_empty or element.keyword.endswith(_IDENTIFIERS):
        return deepcopy(element)
    values = [str(value) for value in element.value] if element.VM > 1 else [str(element.value)]
    kept = [_clean(value, element.VR) for value in values]
    if kept == values:
        return deepcopy(element)
    return DataElement(element.tag, element.VR, kept if len(kept) > 1 else kept[0])


def _clean(value: str, vr: str) -> str:
    controls = _CONTROLS_OF_PARAGRAPHS if vr in _PARAGRAPHS else _CONTROLS
    return controls.sub("", value)[: _LONGEST.get(vr)].rstrip()
