"""Receiving over loopback: the receiver in this process, pynetdicom as the sender."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGLSLossless
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.events import Event
from pynetdicom.presentation import build_context

from config import AeTitle, NodeSettings, PeerAddress, Settings
from pipeline.instance import data_set_digest
from pipeline.phantom import chest_phantom, phantom_instances
from scp.association import AssociationError
from scp.demo.stand_in import AE_TITLE, StandInPacs
from scp.ledger.associations import EndedAssociation
from scp.ledger.series import ReceivedInstance
from scp.receive.contexts import IMAGE_CLASSES, TRANSFER_SYNTAXES, VERIFICATION
from scp.receive.server import Receiver
from scp.receive.store import StoreHandler
from scp.send import StoreAssociation, echo
from scp.spool import Spool
from scp.status import Status
from tests.support.data_units import (
    AFFECTED_CLASS,
    AFFECTED_INSTANCE,
    ANSWERED_ID,
    C_STORE_RQ,
    COMMAND_FIELD,
    DATA_SET_TYPE,
    EVENT_TYPE,
    MESSAGE_ID,
    N_EVENT_REPORT_RQ,
    NO_DATA_SET,
    RESPONSE,
    STATUS,
    ProposedContext,
    command_set,
    message,
    store_command,
    ui,
    us,
)
from tests.support.raw_instances import raw_instance
from tests.support.upper_layer import UpperLayerAssociation
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


COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
N_ACTION_RQ = 0x0130


class NoIndex:
    """Takes index rows and does nothing with them."""

    def add(self, row: ReceivedInstance) -> None:
        """Take one row over."""
        assert row.name

    def end(self, ended: EndedAssociation) -> None:
        """Take over how an association ended."""
        assert ended.id


@contextmanager
def receiving(folder: Path, *handlers: tuple[Any, ...]) -> Iterator[tuple[Receiver, Spool]]:
    """A receiver with further handlers."""
    spool = Spool(folder)
    spool.prepare()
    settings = Settings(node=NodeSettings(port=0))
    receiver = Receiver(settings, StoreHandler(spool, NoIndex()), handlers=handlers)
    receiver.start()
    yield receiver, spool
    receiver.stop(2.0)


def test_a_report_goes_out_on_the_association_that_brings_instances(tmp_path: Path) -> None:
    """Another thread of ours sends N-EVENT-REPORT while the peer goes on with its requests."""
    reported: list[int] = []

    def report(association: Association) -> None:
        status, _ = association.send_n_event_report(None, 1, COMMITMENT, COMMITMENT_INSTANCE)
        reported.append(status.Status)

    def act(event: Event) -> tuple[int, None]:
        Thread(target=report, args=(event.assoc,)).start()
        return 0x0000, None

    with receiving(tmp_path / "spool", (evt.EVT_N_ACTION, act)) as (receiver, spool):
        with UpperLayerAssociation(receiver.port) as peer:
            peer.associate((ProposedContext(1, CT), ProposedContext(5, COMMITMENT)))
            instance = raw_instance()
            store = command_set(store_command(CT, instance.sop_instance, 2))
            peer.send(message(5, action(1)) + message(1, store, instance.data_set))
            came = {peer.read_response().command_field for _ in range(3)}
            assert came == {N_ACTION_RQ | RESPONSE, C_STORE_RQ | RESPONSE, N_EVENT_REPORT_RQ}
            peer.send(message(5, report_response()))
            wait_for("the response", lambda: reported == [0x0000])
            assert peer.store(CT, instance.sop_instance, instance.data_set).status == 0x0000
            peer.release()
        assert len(list(spool.names())) == 1


def action(message_id: int) -> bytes:
    """The command set of an N-ACTION request without information."""
    return command_set(
        {
            0x0003: ui(COMMITMENT),
            COMMAND_FIELD: us(N_ACTION_RQ),
            MESSAGE_ID: us(message_id),
            DATA_SET_TYPE: us(NO_DATA_SET),
            0x1001: ui(COMMITMENT_INSTANCE),
            0x1008: us(1),
        }
    )


def report_response() -> bytes:
    """The command set of a good N-EVENT-REPORT response."""
    return command_set(
        {
            AFFECTED_CLASS: ui(COMMITMENT),
            COMMAND_FIELD: us(N_EVENT_REPORT_RQ | RESPONSE),
            ANSWERED_ID: us(1),
            DATA_SET_TYPE: us(NO_DATA_SET),
            STATUS: us(0),
            AFFECTED_INSTANCE: ui(COMMITMENT_INSTANCE),
            EVENT_TYPE: us(1),
        }
    )


def test_requests_may_be_sent_ahead_of_the_answers(tmp_path: Path, slices: list[Path]) -> None:
    """Stores and echoes without waiting in between: all are answered, each request once."""
    with receiving(tmp_path / "spool") as (receiver, spool):
        entity = ApplicationEntity("TEST")
        entity.add_requested_context(CT, ExplicitVRLittleEndian)
        entity.add_requested_context(VERIFICATION)
        answers: list[DIMSEMessage] = []
        association = entity.associate(
            "127.0.0.1",
            receiver.port,
            ae_title="HOUNSFIELD",
            evt_handlers=[(evt.EVT_DIMSE_RECV, lambda event: answers.append(event.message))],
        )
        for number, path in enumerate(slices * 10):
            association.dimse.send_msg(store_primitive(path, number), 1)
            echo_primitive = C_ECHO()
            echo_primitive.MessageID = 1000 + number
            echo_primitive.AffectedSOPClassUID = VERIFICATION
            association.dimse.send_msg(echo_primitive, 3)
        wait_for("all answers", lambda: len(answers) == 60)
        association.release()
        statuses = {
            answer.command_set.MessageIDBeingRespondedTo: answer.command_set.Status
            for answer in answers
        }
        assert statuses == dict.fromkeys([*range(30), *range(1000, 1030)], 0)
        assert len(list(spool.names())) == 3


def store_primitive(path: Path, message_id: int) -> C_STORE:
    """A C-STORE request of a file."""
    dataset = pydicom.dcmread(path)
    request = C_STORE()
    request.MessageID = message_id
    request.AffectedSOPClassUID = dataset.SOPClassUID
    request.AffectedSOPInstanceUID = dataset.SOPInstanceUID
    request.Priority = 2
    request.DataSet = BytesIO(encode(dataset, False, True) or b"")
    return request


@pytest.fixture
def plain_pacs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInPacs]:
    """A receiver on a pynetdicom whose hooks are not as ours needs them."""
    monkeypatch.setattr("scp.receive.server.missing_hooks", lambda: ["Association.gone"])
    with StandInPacs(tmp_path / "plain") as receiver:
        yield receiver


def test_the_plain_way_keeps_the_promises(plain_pacs: StandInPacs, slices: list[Path]) -> None:
    """By the library's own server: titles judged, bits kept, bad instances refused."""
    test_echo_is_answered(plain_pacs)
    test_acknowledged_instances_are_kept_bit_for_bit(plain_pacs, slices)
    noise = Dataset()
    noise.SOPClassUID, noise.SOPInstanceUID = CT, "1.2.3"
    noise.file_meta = pydicom.dataset.FileMetaDataset()
    noise.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    association = _associate(plain_pacs)
    assert association.send_c_store(noise).Status == Status.CANNOT_UNDERSTAND
    association.release()
