"""Receiving over loopback: the receiver in this process, pynetdicom as the sender."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGLSLossless
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from config import AeTitle, PeerAddress
from pipeline.instance import data_set_digest
from pipeline.phantom import chest_phantom, phantom_instances
from scp.demo.stand_in import AE_TITLE, StandInPacs
from scp.receive.contexts import IMAGE_CLASSES, TRANSFER_SYNTAXES
from scp.send import AssociationError, StoreAssociation, echo
from scp.status import Status
from tests.support.waiting import wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[StandInPacs]:
    """A receiver with a spool of its own."""
    with StandInPacs(tmp_path / "pacs") as receiver:
        yield receiver


@pytest.fixture
def slices(tmp_path: Path) -> list[Path]:
    """A few CT slices."""
    paths = []
    for number, dataset in enumerate(phantom_instances(chest_phantom(slices=3, size=32))):
        paths.append(tmp_path / f"{number}.dcm")
        pydicom.dcmwrite(paths[-1], dataset, enforce_file_format=True)
    return paths


def address(pacs: StandInPacs, ae_title: str = AE_TITLE) -> PeerAddress:
    """Where the receiver listens."""
    return PeerAddress(AeTitle(ae_title), "127.0.0.1", pacs.port)


def test_echo_is_answered(pacs: StandInPacs) -> None:
    """C-ECHO succeeds with the right called AE title and is rejected with another."""
    assert echo("TEST", address(pacs), 5.0) is None
    with pytest.raises(AssociationError, match="rejected the association"):
        echo("TEST", address(pacs, "SOMEONE"), 5.0)


def test_nobody_there_is_said_so() -> None:
    """A port that nothing listens on."""
    with pytest.raises(AssociationError, match="cannot be reached"):
        echo("TEST", PeerAddress(AeTitle("NOBODY"), "127.0.0.1", 1), 2.0)


def test_acknowledged_instances_are_kept_bit_for_bit(pacs: StandInPacs, slices: list[Path]) -> None:
    """What the sender encoded is in the spool's file, byte for byte."""
    with StoreAssociation("TEST", address(pacs), [CT], 10.0, ExplicitVRLittleEndian) as sender:
        assert [sender.send(path, CT) for path in slices] == [0, 0, 0]
    kept = {row.sop_instance_uid: path.read_bytes() for row, path in pacs.instances()}
    for path in slices:
        uid = str(pydicom.dcmread(path).SOPInstanceUID)
        assert data_set_digest(kept[uid]) == data_set_digest(path.read_bytes())


def test_a_compressed_instance_is_kept_in_its_syntax(pacs: StandInPacs) -> None:
    """Nothing is decoded or transcoded on receipt."""
    path = Path(pydicom.data.get_testdata_file("MR_small_jpeg_ls_lossless.dcm"))
    with StoreAssociation("TEST", address(pacs), [MR], 10.0, JPEGLSLossless) as sender:
        assert sender.send(path, MR) == 0
    ((row, kept),) = pacs.instances()
    assert row.transfer_syntax_uid == JPEGLSLossless
    assert pydicom.dcmread(kept).PixelData == pydicom.dcmread(path).PixelData


def test_a_bad_instance_is_refused_and_the_association_goes_on(
    pacs: StandInPacs, slices: list[Path]
) -> None:
    """One instance without a Series Instance UID among good ones: C000 for it alone."""
    datasets = [pydicom.dcmread(path) for path in slices]
    del datasets[1].SeriesInstanceUID
    association = _associate(pacs)
    responses = [association.send_c_store(dataset) for dataset in datasets]
    association.release()
    assert [response.Status for response in responses] == [0, Status.CANNOT_UNDERSTAND, 0]
    assert responses[1].ErrorComment == "SeriesInstanceUID missing"
    assert len(pacs.instances()) == 2


def test_a_message_that_is_no_data_set_is_refused(pacs: StandInPacs) -> None:
    """Noise in place of a data set gets C000, and the receiver lives."""
    noise = Dataset()
    noise.SOPClassUID, noise.SOPInstanceUID = CT, "1.2.3"
    noise.file_meta = pydicom.dataset.FileMetaDataset()
    noise.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    association = _associate(pacs)
    response = association.send_c_store(noise)
    association.release()
    assert response.Status == Status.CANNOT_UNDERSTAND
    assert echo("TEST", address(pacs), 5.0) is None


def test_a_sender_that_vanishes_leaves_nothing(
    pacs: StandInPacs, tmp_path: Path, slices: list[Path]
) -> None:
    """An association aborted in the middle: no temporary stays, others are served."""
    with socket.create_connection(("127.0.0.1", pacs.port)) as raw:
        raw.sendall(b"\x01\x00\x00\x00\x01\x00half a request")
    association = _associate(pacs)
    association.send_c_store(pydicom.dcmread(slices[0]))
    association.abort()
    wait_for("the instance to be kept", lambda: len(pacs.instances()) == 1)
    assert not list((tmp_path / "pacs" / "incoming").iterdir())
    assert echo("TEST", address(pacs), 5.0) is None


def test_a_class_that_was_not_accepted_is_told_apart(pacs: StandInPacs, slices: list[Path]) -> None:
    """Sending on an association without that class gives the status, not an exception."""
    with StoreAssociation("TEST", address(pacs), [MR], 10.0) as sender:
        assert sender.send(slices[0], CT) == Status.SOP_CLASS_NOT_SUPPORTED


def _associate(pacs: StandInPacs) -> Association:
    entity = ApplicationEntity("TEST")
    entity.add_requested_context(CT, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", pacs.port, ae_title=AE_TITLE)
    assert association.is_established
    return association


@pytest.mark.parametrize("sop_class", IMAGE_CLASSES, ids=IMAGE_CLASSES.get)
def test_every_image_class_is_taken_in_every_syntax(pacs: StandInPacs, sop_class: str) -> None:
    """CT, MR, PET and their enhanced forms, compressed or not."""
    entity = ApplicationEntity("TEST")
    entity.requested_contexts = [build_context(sop_class, syntax) for syntax in TRANSFER_SYNTAXES]
    association = entity.associate("127.0.0.1", pacs.port, ae_title=AE_TITLE)
    accepted = [context.transfer_syntax[0] for context in association.accepted_contexts]
    association.release()
    assert accepted == list(TRANSFER_SYNTAXES)


def test_a_deflated_syntax_is_not_negotiated(pacs: StandInPacs) -> None:
    """A small message could inflate without bound."""
    entity = ApplicationEntity("TEST")
    entity.requested_contexts = [build_context(CT, DeflatedExplicitVRLittleEndian)]
    association = entity.associate("127.0.0.1", pacs.port, ae_title=AE_TITLE)
    assert association.accepted_contexts == []
