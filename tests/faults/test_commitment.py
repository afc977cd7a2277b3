"""Storage commitment under fire: kill -9 before the report, a flood of requests."""

from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path

from pydicom.uid import generate_uid
from pynetdicom.dimse_primitives import N_ACTION
from pynetdicom.dsutils import encode

from pipeline.phantom import chest_phantom, phantom_instances
from scp.ledger import Ledger
from scp.ledger.commitments import all_commitments
from scp.receive.contexts import STORAGE_COMMITMENT
from scp.state_folder import StateFolder
from tests.support.commitment import INSTANCE, SENDER, Sender, ask_on, request
from tests.support.node import Destination, NodeProcess, running
from tests.support.ports import free_port
from tests.support.receivers import LoneReceiver, receiving
from tests.support.sending import send
from tests.support.waiting import wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"
FLOOD = 200


def test_a_report_comes_after_the_restart(tmp_path: Path) -> None:
    """The request was answered, so it was safe, as are the instances it is about."""
    slices = list(phantom_instances(chest_phantom(slices=3, size=32)))
    asked = [(CT, str(each.SOPInstanceUID)) for each in slices]
    sender, port = Sender(), free_port()
    with running(NodeProcess(tmp_path / "node", Destination(SENDER, port))) as node:
        send(tmp_path / "sent", slices, node.port)
        association = sender.associate(node.port)
        uid = generate_uid()
        assert ask_on(association, asked, uid) == 0x0000
        node.kill(group=True)
        association.abort()
        assert not sender.reports
        with sender.listening(port):
            node.start()
            report = sender.wait_for_report()
        assert (report.event_type, report.transaction_uid) == (1, uid)
        assert report.committed == asked
        assert report.on_new_association


def test_a_flood_of_requests_takes_no_threads_and_no_memory(tmp_path: Path) -> None:
    """Sent ahead of all answers: each is kept, or the association cut off; others are heard."""
    with receiving(LoneReceiver(tmp_path)) as receiver:
        sender = Sender()
        flooding = sender.associate(receiver.port)
        before = receiver.use
        with suppress(OSError):
            for number in range(FLOOD):
                flooding.dimse.send_msg(_n_action(number), 1)
        wait_for("the end", lambda: flooding.is_aborted or _kept(receiver) == FLOOD, 30.0)
        assert receiver.use.threads - before.threads < 5
        assert receiver.use.rss_mb - before.rss_mb < 30
        other = sender.associate(receiver.port)
        assert ask_on(other, [(CT, "1.2.3")], generate_uid()) == 0x0000
        other.release()
        flooding.abort()


def _kept(receiver: LoneReceiver) -> int:
    """How many requests are in the ledger."""
    with closing(Ledger(StateFolder(receiver.state).ledger)) as ledger, ledger.read() as rows:
        return len(all_commitments(rows))


def _n_action(number: int) -> N_ACTION:
    """A request of its own."""
    asked = request([(CT, f"1.2.{number}")], f"1.9.{number}")
    action = N_ACTION()
    action.MessageID = number
    action.RequestedSOPClassUID = STORAGE_COMMITMENT
    action.RequestedSOPInstanceUID = INSTANCE
    action.ActionTypeID = 1
    action.ActionInformation = BytesIO(encode(asked, True, True) or b"")
    return action
