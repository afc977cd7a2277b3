"""Spool and index after a crash."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from pipeline.phantom import chest_phantom, phantom_instances
from scp import recover
from scp.ledger import Ledger
from scp.ledger.series import all_series
from scp.receive.identifiers import UnusableDataSetError, glance, read_identifiers
from scp.recover import reconcile
from scp.spool import Reception, Spool, part10_header
from tests.support.data_units import CT, EXPLICIT
from tests.support.raw_instances import raw_instance


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Spool, Ledger]]:
    """A spool with three instances that no index knows, and a temporary."""
    spool, ledger = Spool(tmp_path / "spool"), Ledger(tmp_path / "ledger.sqlite")
    spool.prepare()
    ledger.migrate()
    for dataset in phantom_instances(chest_phantom(slices=3, size=16)):
        path = tmp_path / "one.dcm"
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        reception = Reception(
            sop_class_uid=str(dataset.SOPClassUID),
            sop_instance_uid=str(dataset.SOPInstanceUID),
            transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
            calling_ae_title="SENDER",
            called_ae_title="HOUNSFIELD",
        )
        meta_length = int(pydicom.dcmread(path).file_meta.FileMetaInformationGroupLength)
        spool.store(reception, path.read_bytes()[144 + meta_length :])
    (tmp_path / "spool" / "incoming" / "9-9.part").write_bytes(part10_header(reception))
    yield spool, ledger
    ledger.close()


def test_instances_without_a_row_are_found_again(world: tuple[Spool, Ledger]) -> None:
    """The files tell all that the index needs; a second start finds nothing new."""
    spool, ledger = world
    assert reconcile(spool, ledger) == 3
    assert reconcile(spool, ledger) == 0
    with ledger.read() as connection:
        ((series, count),) = all_series(connection)
    assert (count, series.modality) == (3, "CT")
    assert (series.calling_ae_title, series.called_ae_title) == ("SENDER", "HOUNSFIELD")


def test_a_damaged_file_does_not_stop_the_start(
    world: tuple[Spool, Ledger], tmp_path: Path
) -> None:
    """It is set aside for inspection; the others are indexed."""
    spool, ledger = world
    name = next(spool.names())
    spool.path(name).write_bytes(b"damaged")
    assert reconcile(spool, ledger) == 2
    assert (tmp_path / "spool" / "damaged" / f"{name}.dcm").read_bytes() == b"damaged"
    assert name not in list(spool.names())
    assert not list((tmp_path / "spool" / "incoming").iterdir())


def test_what_the_receiver_took_is_found_again_though_pydicom_cannot_read_it(
    world: tuple[Spool, Ledger],
) -> None:
    """The identifiers stand at the top level, behind a sequence with an element that overflows."""
    spool, ledger = world
    instance = raw_instance()
    data_set = overflowing_item() + instance.data_set
    assert glance(data_set, EXPLICIT) is not None
    with pytest.raises(UnusableDataSetError):
        read_identifiers(data_set, EXPLICIT)
    stored = spool.store(
        Reception(
            sop_class_uid=CT,
            sop_instance_uid=instance.sop_instance,
            transfer_syntax_uid=EXPLICIT,
            calling_ae_title="SENDER",
            called_ae_title="HOUNSFIELD",
        ),
        data_set,
    )
    assert reconcile(spool, ledger) == 4
    assert spool.path(stored.name).exists()


def overflowing_item() -> bytes:
    """(0004,1220) with an item whose only element is said to be longer than the item."""
    overflow = b"\x04\x00\x30\x14LO\xff\x7f"
    return (
        b"\x04\x00\x20\x12SQ\0\0\xff\xff\xff\xff"
        b"\xfe\xff\x00\xe0\x08\0\0\0" + overflow + b"\xfe\xff\xdd\xe0\0\0\0\0"
    )


def test_a_file_that_cannot_be_read_now_stays_for_the_next_start(
    world: tuple[Spool, Ledger], tmp_path: Path
) -> None:
    """What the disk refuses is not damaged: it may have been acknowledged."""
    spool, ledger = world
    path = spool.path(next(spool.names()))
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    assert reconcile(spool, ledger) == 2
    path.rmdir()
    path.write_bytes(content)
    assert reconcile(spool, ledger) == 1
    assert not (tmp_path / "spool" / "damaged").exists()


def test_names_are_durable_before_they_are_indexed(
    world: tuple[Spool, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver may have died between giving a name and syncing its folder."""
    spool, ledger = world
    synced: set[Path] = set()

    def sync(folder: Path) -> None:
        with ledger.read() as connection:
            assert not all_series(connection)
        synced.add(folder)

    monkeypatch.setattr(recover, "sync_folder", sync)
    assert reconcile(spool, ledger) == 3
    assert synced == {spool.path(name).parent for name in spool.names()}
