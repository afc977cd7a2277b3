"""A node that takes series for complete by evidence, as a sender and an operator see it."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from pipeline.phantom import chest_phantom, phantom_instances
from scp.ledger import Ledger
from scp.ledger.series import find_series
from scp.state_folder import StateFolder
from scp.story import Story
from tests.support.node import AE_TITLE, NodeProcess, running
from tests.support.sending import send
from tests.support.waiting import wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"
BY_EVIDENCE = 'finish = "evidence"\nat_limit = "hold"\n'


def slices(seed: str, count: int = 8) -> list[pydicom.Dataset]:
    return list(phantom_instances(chest_phantom(slices=count, size=32), study_seed=seed))


def story(node: NodeProcess, series_instance_uid: str) -> dict[str, Any]:
    """What ``hounsfield series --json`` says, without starting a process for it."""
    file = StateFolder(node.state).ledger
    with closing(Ledger(file)) as ledger, ledger.read() as connection:
        (series,) = find_series(connection, series_instance_uid)
        return Story.read(connection, series).as_document()


def associated(port: int) -> Association:
    entity = AE("CT_ROOM_1")
    entity.add_requested_context(CT, ExplicitVRLittleEndian)
    return entity.associate("127.0.0.1", port, ae_title=AE_TITLE)


def test_a_whole_series_runs_at_once_and_one_that_was_broken_off_waits(tmp_path: Path) -> None:
    """With a quiet time of ten minutes: only the evidence can have ended the wait.

    The broken series is left by a sender whose node is killed under it, and sent again later.
    """
    node = NodeProcess(tmp_path, quiet_time_s=600, match='{ modality = "CT" }\n' + BY_EVIDENCE)
    whole, broken = slices("whole"), slices("broken")
    with running(node):
        send(tmp_path / "whole", whole, node.port)
        wait_for("a job", lambda: node.jobs()["jobs"], 30.0)
        told = story(node, whole[0].SeriesInstanceUID)
        assert told["jobs"][0]["completeness"]["because"] == "evidence"
        assert [each["end"] for each in told["associations"]] == ["released"]

        association = associated(node.port)
        for image in broken[:4]:
            assert association.send_c_store(image).Status == 0
        wait_for("both series", lambda: len(node.jobs()["series"]) == 2)
        node.kill(group=True)
        node.start()
        left = story(node, broken[0].SeriesInstanceUID)
        assert [each["end"] for each in left["associations"]] == ["lost"]
        assert (left["state"], left["instances"], left["jobs"]) == ("receiving", 4, [])

        send(tmp_path / "broken", broken, node.port)
        wait_for("its job", lambda: len(node.jobs()["jobs"]) == 2, 30.0)
        told = story(node, broken[0].SeriesInstanceUID)
        assert [each["end"] for each in told["associations"]] == ["lost", "released"]
        assert told["jobs"][0]["completeness"]["because"] == "evidence"
        assert told["instances"] == 8
