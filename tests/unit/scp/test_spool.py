"""The durable spool."""

import errno
import os
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isal import isal_zlib
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from scp.spool import Reception, Spool, SpoolError, SpoolFullError, part10_header

CT = "1.2.840.10008.5.1.4.1.1.2"


def reception(**changes: str) -> Reception:
    """How an instance came."""
    values = {
        "sop_class_uid": CT,
        "sop_instance_uid": "1.2.3",
        "transfer_syntax_uid": str(ExplicitVRLittleEndian),
        "calling_ae_title": "SENDER",
        "called_ae_title": "HOUNSFIELD",
    }
    return Reception(**values | changes)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    spool = Spool(tmp_path)
    spool.prepare()
    return spool


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data_set=st.binary(max_size=300))
def test_the_data_set_is_kept_bit_for_bit(spool: Spool, data_set: bytes) -> None:
    """Behind our header the file holds what was received."""
    stored = spool.store(reception(), data_set)
    content = spool.path(stored.name).read_bytes()
    assert content == part10_header(reception()) + data_set
    assert stored.size_bytes == len(data_set)


def test_the_header_is_part_10_with_a_zero_preamble(spool: Spool) -> None:
    """Pydicom reads the meta information; both AE titles are in it."""
    stored = spool.store(reception(), b"")
    path = spool.path(stored.name)
    assert path.read_bytes()[:132] == bytes(128) + b"DICM"
    meta = pydicom.filereader.read_file_meta_info(path)
    assert meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert meta.SendingApplicationEntityTitle == "SENDER"
    assert meta.ReceivingApplicationEntityTitle == "HOUNSFIELD"


def test_the_same_bytes_are_kept_once(spool: Spool) -> None:
    """A duplicate is told from a new instance."""
    first = spool.store(reception(), b"abc")
    second = spool.store(reception(), b"abc")
    assert (first.is_new, second.is_new) == (True, False)
    assert first.name == second.name
    assert list(spool.names()) == [first.name]


@pytest.mark.parametrize(
    ("change", "data_set"),
    [
        ({}, b"abd"),
        ({"called_ae_title": "OTHER"}, b"abc"),
        ({"transfer_syntax_uid": "1.2.840.10008.1.2"}, b"abc"),
    ],
    ids=["other bytes", "other called AE title", "other transfer syntax"],
)
def test_what_differs_is_kept_beside(spool: Spool, change: dict[str, str], data_set: bytes) -> None:
    """Other bytes, another called AE title or another syntax is another file."""
    spool.store(reception(), b"abc")
    assert spool.store(reception(**change), data_set).is_new
    assert len(list(spool.names())) == 2


def test_file_and_folder_are_synced_before_the_return(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is: file synced, named, folder synced."""
    steps: list[str] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("sync folder" if target.is_dir() else "sync file")
        real_fsync(descriptor)

    def link(*paths: Any, **options: Any) -> None:
        steps.append("name")
        real_link(*paths, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    spool.store(reception(), b"abc")
    assert steps == ["sync file", "name", "sync folder"]


def test_without_durability_nothing_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a benchmark compares with."""
    spool = Spool(tmp_path, durable=False)
    spool.prepare()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: pytest.fail("synced"))
    assert spool.path(spool.store(reception(), b"abc").name).exists()


@pytest.fixture
def without_unnamed_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows no files without a name, as NFS."""
    real_open = os.open

    def refuse(path: Any, flags: int, *mode: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)


@pytest.mark.usefixtures("without_unnamed_files")
def test_without_unnamed_files_a_temporary_serves(spool: Spool, tmp_path: Path) -> None:
    """It is gone when the instance is stored, and when it is discarded."""
    stored = spool.store(reception(), b"abc")
    assert spool.path(stored.name).read_bytes().endswith(b"abc")
    incoming = spool.begin(reception(sop_instance_uid="1.2.4"))
    incoming.write([b"half"])
    assert len(list((tmp_path / "incoming").iterdir())) == 1
    incoming.discard()
    assert not list((tmp_path / "incoming").iterdir())


def test_one_checksum_is_not_taken_for_one_instance(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same UID, size and checksum: the bytes are compared."""
    monkeypatch.setattr(isal_zlib, "crc32", lambda _piece, _before: 0)
    stored = [spool.store(reception(), content) for content in (b"abc", b"abd", b"abc", b"abd")]
    assert [each.is_new for each in stored] == [True, True, False, False]
    assert [spool.path(each.name).read_bytes()[-3:] for each in stored[:2]] == [b"abc", b"abd"]


def test_a_file_that_was_cut_off_is_no_duplicate(spool: Spool) -> None:
    """What comes again is kept beside it, whole."""
    torn = spool.store(reception(), bytes(5_000))
    os.truncate(spool.path(torn.name), 3_000)
    again = spool.store(reception(), bytes(5_000))
    assert again.is_new
    assert again.name != torn.name
    assert spool.path(again.name).read_bytes().endswith(bytes(5_000))


@given(
    pieces=st.lists(st.binary(max_size=50), max_size=20),
    titles=st.tuples(st.text("ABC 1", max_size=16), st.text("ABC 1", max_size=16)),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_header_is_what_pydicom_writes(
    spool: Spool, pieces: list[bytes], titles: tuple[str, str]
) -> None:
    """Our encoding of the file meta information, and a data set in pieces behind it."""
    came = reception(calling_ae_title=titles[0].strip(), called_ae_title=titles[1].strip())
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(CT)
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    meta.SourceApplicationEntityTitle = came.calling_ae_title
    meta.SendingApplicationEntityTitle = came.calling_ae_title
    meta.ReceivingApplicationEntityTitle = came.called_ae_title
    expected = DicomBytesIO()
    expected.write(bytes(128) + b"DICM")
    write_file_meta_info(expected, meta, enforce_standard=True)
    incoming = spool.begin(came)
    for piece in pieces:
        incoming.write([piece, b""])
    kept = spool.path(incoming.commit().name).read_bytes()
    assert kept.endswith(b"".join(pieces))
    assert part10_header(came) == expected.getvalue()


@pytest.mark.parametrize("step", ["fsync", "writev", "link"])
@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, SpoolFullError), (errno.EIO, SpoolError)]
)
def test_a_failing_disk_leaves_nothing_behind(
    spool: Spool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    number: int,
    kind: type[SpoolError],
    step: str,
) -> None:
    """A write that fails is told, and neither file nor temporary stays."""

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(kind):
        spool.store(reception(), b"abc")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("reserve", [{"reserve_bytes": 2**60}, {"reserve_percent": 100.0}])
def test_the_reserve_is_kept_free(tmp_path: Path, reserve: dict[str, Any]) -> None:
    """Below the free-space reserve, in bytes or as a share of the disk, nothing is taken."""
    spool = Spool(tmp_path, **reserve)
    spool.prepare()
    with pytest.raises(SpoolFullError, match="free_space_mb"):
        spool.store(reception(), b"abc")


def test_temporaries_of_a_crash_are_removed(spool: Spool, tmp_path: Path) -> None:
    """What was never acknowledged goes at the next start."""
    (tmp_path / "incoming" / "1-0.part").write_bytes(b"half")
    assert spool.discard_temporaries() == 1
    assert not list((tmp_path / "incoming").iterdir())
