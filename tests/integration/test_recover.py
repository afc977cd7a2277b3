"""Spool and index after a crash."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from pipeline.phantom import chest_phantom, phantom_instances
from scp.ledger import Ledger
from scp.ledger.series import all_series
from scp.recover import reconcile
from scp.spool import Reception, Spool, part10_header


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
