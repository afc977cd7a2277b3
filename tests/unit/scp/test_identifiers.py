"""Reading the identifiers of a received data set."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from scp.receive.identifiers import Identifiers, UnusableDataSetError, is_uid, read_identifiers

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)


def data_set() -> Dataset:
    """A data set with its identifiers, a sequence before and pixels behind them."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.Modality = "CT"
    dataset.ReferencedStudySequence = Sequence([Dataset()])
    dataset.PatientName = "Canary^Name"
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.5"
    dataset.PatientComments = "x" * 1000
    return dataset


def encode(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """The encoded bytes."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = syntax.is_implicit_VR
    buffer.is_little_endian = syntax.is_little_endian
    write_dataset(buffer, dataset)
    return buffer.getvalue()


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_identifiers_are_read_in_every_encoding(syntax: UID) -> None:
    """Implicit and explicit, little and big endian."""
    assert read_identifiers(encode(data_set(), syntax), syntax) == Identifiers(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid="1.2.3.4",
        study_instance_uid="1.2.3",
        series_instance_uid="1.2.3.5",
        modality="CT",
    )


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
def test_a_missing_identifier_is_named(keyword: str) -> None:
    """Without one of them the instance has no place."""
    dataset = data_set()
    delattr(dataset, keyword)
    with pytest.raises(UnusableDataSetError, match=f"{keyword} missing"):
        read_identifiers(encode(dataset), ExplicitVRLittleEndian)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # pydicom, on making the input
@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.parametrize("uid", ["../../../etc/x", "1.2\nFORGED", "1.2.a", "1." * 40 + "1"])
def test_what_is_no_uid_is_refused_without_being_quoted(uid: str) -> None:
    """Hostile UIDs do not pass, and do not reach a log through the message."""
    dataset = data_set()
    dataset.SeriesInstanceUID = "1" * len(uid)
    encoded = encode(dataset).replace(b"1" * len(uid), uid.encode())
    with pytest.raises(UnusableDataSetError) as refused:
        read_identifiers(encoded, ExplicitVRLittleEndian)
    assert uid not in str(refused.value)


def test_deep_nesting_is_refused() -> None:
    """A depth bomb of sequences ends in a refusal, not in a RecursionError."""
    opening = b"\x08\x00\x10\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    with pytest.raises(UnusableDataSetError):
        read_identifiers(opening * 5000, ExplicitVRLittleEndian)


@pytest.mark.filterwarnings("ignore:Expected")  # pydicom's guess at the VR; the node ignores it
@given(noise=st.binary(max_size=400), syntax=st.sampled_from(SYNTAXES))
def test_noise_is_never_more_than_unusable(noise: bytes, syntax: UID) -> None:
    """Whatever bytes come, the only error is ours."""
    try:
        found = read_identifiers(noise, syntax)
    except UnusableDataSetError:
        return
    assert is_uid(found.series_instance_uid)


@given(cut=st.integers(0, 200))
def test_a_data_set_cut_short_is_never_more_than_unusable(cut: int) -> None:
    """Truncation before the last identifier is refused."""
    encoded = encode(data_set())
    end = encoded.index(b"1.2.3.5")
    with pytest.raises(UnusableDataSetError):
        read_identifiers(BytesIO(encoded[: max(0, end - cut)]).getbuffer(), ExplicitVRLittleEndian)
