"""kill -9 between the answer to a storage commitment request and its report."""

from pathlib import Path

from pydicom.uid import generate_uid

from pipeline.phantom import chest_phantom, phantom_instances
from scp.demo.watch import free_port
from tests.support.commitment import SENDER, Sender, ask_on
from tests.support.node import Destination, NodeProcess, running
from tests.support.sending import send

CT = "1.2.840.10008.5.1.4.1.1.2"


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
