"""The durable spool."""

import errno
import os
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian

from pipeline.instance import data_set_digest
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
    """Behind our header the file holds what was received, and its name the digest of that."""
    stored = spool.store(reception(), data_set)
    content = spool.path(stored.name).read_bytes()
    assert content == part10_header(reception()) + data_set
    assert stored.name.startswith(data_set_digest(content))


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
    """The order is: file synced, renamed, folder synced."""
    steps: list[str] = []
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("sync folder" if target.is_dir() else "sync file")
        real_fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    spool.store(reception(), b"abc")
    assert steps == ["sync file", "rename", "sync folder"]


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, SpoolFullError), (errno.EIO, SpoolError)]
)
def test_a_failing_disk_leaves_nothing_behind(
    spool: Spool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[SpoolError],
) -> None:
    """A write that fails is told, and neither file nor temporary stays."""

    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind):
        spool.store(reception(), b"abc")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_reserve_is_kept_free(tmp_path: Path) -> None:
    """Below the free-space reserve nothing is taken."""
    spool = Spool(tmp_path, reserve_bytes=2**60)
    spool.prepare()
    with pytest.raises(SpoolFullError, match="free_space_mb"):
        spool.store(reception(), b"abc")


def test_temporaries_of_a_crash_are_removed(spool: Spool, tmp_path: Path) -> None:
    """What was never acknowledged goes at the next start."""
    (tmp_path / "incoming" / "1-0.part").write_bytes(b"half")
    assert spool.discard_temporaries() == 1
    assert not list((tmp_path / "incoming").iterdir())
