"""Elements that are encoded once and written into many files.

Encoding an element costs pydicom far more than writing the bytes of one that is encoded already,
and the images of a series differ in few of theirs. Whoever asks a data set for such an element
gets its value as ever: pydicom decodes it then.

Source: PS3.5 7.1.2 (explicit VR), 7.5 (sequences), A.2 (Explicit VR Little Endian).
"""

from collections.abc import Iterable
from io import BytesIO
from itertools import pairwise

from pydicom.charset import default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset, write_sequence_item
from pydicom.tag import Tag


def encoded(dataset: Dataset) -> Dataset:
    """An equal data set, each of its elements encoded in Explicit VR Little Endian.

    Text is encoded in the data set's own character set.
    """
    buffer = _explicit_little_endian()
    write_dataset(buffer, dataset)
    content = BytesIO(buffer.getvalue())
    read = read_dataset(content, is_implicit_VR=False, is_little_endian=True)
    for element in list(read.elements()):
        if isinstance(element, RawDataElement) and element.value is None:
            # An empty number, which pydicom reads so and could not write.
            read[element.tag] = element._replace(value=b"")
    return read


def encoded_items(items: Iterable[Dataset]) -> list[bytes]:
    """Each item as a sequence holds it; its text is in the default character set."""
    buffer, ends = _explicit_little_endian(), [0]
    for item in items:
        write_sequence_item(buffer, item, [default_encoding])
        ends.append(buffer.tell())
    content = buffer.getvalue()
    return [content[start:end] for start, end in pairwise(ends)]


def encoded_sequence(keyword: str, items: Iterable[bytes]) -> RawDataElement:
    """A sequence of items that are encoded."""
    value = b"".join(items)
    return RawDataElement(
        Tag(keyword),
        "SQ",
        len(value),
        value,
        value_tell=0,
        is_implicit_VR=False,
        is_little_endian=True,
    )


def _explicit_little_endian() -> DicomBytesIO:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    return buffer
