"""A node as a user runs it, with a stand-in PACS: results, bad input, stopping, commands."""

import hashlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from pipeline.phantom import chest_phantom, phantom_instances
from scp.demo.stand_in import AE_TITLE as PACS_AE_TITLE
from scp.demo.stand_in import StandInPacs
from tests.support.node import Destination, NodeProcess, running
from tests.support.ports import free_port
from tests.support.sending import send
from tests.support.waiting import wait_for

SLICES = 48
RESULTS = SLICES + 2
"""A MIP of each slice, a SEG and a report of measurements."""
CANARY = "CANARY^NAME"


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[StandInPacs]:
    """A stand-in PACS."""
    with StandInPacs(tmp_path / "pacs") as receiver:
        yield receiver


@pytest.fixture
def node(tmp_path: Path, pacs: StandInPacs) -> Iterator[NodeProcess]:
    """A node that delivers to the stand-in; its only route takes every series."""
    destination = Destination(PACS_AE_TITLE, pacs.port)
    process = NodeProcess(tmp_path / "node", destination, match="{}", quiet_time_s=0.5)
    with running(process):
        yield process


def chest(seed: str = "test", size: int = 128) -> list[Dataset]:
    """A small chest CT, with a name that must not reach any log."""
    datasets = list(phantom_instances(chest_phantom(slices=SLICES, size=size), study_seed=seed))
    for dataset in datasets:
        dataset.PatientName = CANARY
    return datasets


def digests(paths: list[Path]) -> set[str]:
    """SHA-256 of files."""
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_results_arrive_and_are_those_of_hounsfield_run(
    tmp_path: Path, node: NodeProcess, pacs: StandInPacs
) -> None:
    """SEG, MIP and report come to the PACS; the same files and time give the same bytes by hand."""
    send(tmp_path / "sent", chest(), node.port)
    job = node.wait_for_delivery()
    arrived = [path for _, path in pacs.instances()]
    assert len(arrived) == RESULTS
    assert {pydicom.dcmread(path).Modality for path in arrived} == {"SEG", "CT", "SR"}
    answer = node.command(
        "run",
        str(node.state / "spool" / "instances"),
        str(tmp_path / "out"),
        "--pipeline",
        "chest",
        "--content-time",
        job["content_time"],
    )
    assert answer.returncode == 0, answer.stderr
    assert "no result" not in answer.stdout
    by_hand = sorted((tmp_path / "out").rglob("*.dcm"))
    assert digests(by_hand) == digests(sorted((node.state / "results").rglob("*.dcm")))


def one_slice() -> list[Dataset]:
    """A series of a single slice."""
    return chest("one slice")[:1]


def without_position() -> list[Dataset]:
    """Slices without Image Position (Patient)."""
    datasets = chest("without position")[:4]
    for dataset in datasets:
        del dataset.ImagePositionPatient
    return datasets


def undecodable() -> list[Dataset]:
    """Slices with half of their pixel data."""
    datasets = chest("undecodable")[:4]
    for dataset in datasets:
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 4 * 2]
    return datasets


def odd_object(sop_class: str, modality: str) -> list[Dataset]:
    """An object without slices, in a series of its own."""
    dataset = chest(modality)[0]
    for keyword in ("PixelData", "Rows", "Columns", "ImagePositionPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.Modality = modality
    return [dataset]


def segmentation() -> list[Dataset]:
    """A SEG."""
    return odd_object("1.2.840.10008.5.1.4.1.1.66.4", "SEG")


def report() -> list[Dataset]:
    """A structured report."""
    return odd_object("1.2.840.10008.5.1.4.1.1.88.34", "SR")


def mr_series() -> list[Dataset]:
    """MR slices, which the pipeline's algorithms do not take."""
    datasets = chest("mr")[:4]
    for dataset in datasets:
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = (
            "1.2.840.10008.5.1.4.1.1.4"
        )
        dataset.Modality = "MR"
    return datasets


def damaged_number() -> list[Dataset]:
    """Slices whose pixel spacing is no number."""
    datasets = chest("damaged")[:4]
    for dataset in datasets:
        dataset[0x00280030] = pydicom.DataElement(0x00280030, "LO", "wide\\narrow")
    return datasets


BAD_SERIES = (
    (one_slice, "one slice only"),
    (without_position, "ImagePositionPatient is missing in 4 of 4 instances"),
    (undecodable, "cut short"),
    (segmentation, "holds Segmentation and no image slices"),
    (report, "holds Comprehensive 3D SR and no image slices"),
    (mr_series, "Narrow the route's match"),
    (damaged_number, "is not 2 sound number(s)"),
)


def test_bad_series_fail_with_a_reason_and_the_node_goes_on(
    tmp_path: Path, node: NodeProcess, pacs: StandInPacs
) -> None:
    """Each bad series is a failed job with its reason in ledger and log; a good one follows."""
    for number, (make, words) in enumerate(BAD_SERIES, start=1):
        send(tmp_path / make.__name__, make(), node.port)
        job = node.wait_for_job(number)
        assert job["state"] == "failed", make.__name__
        assert words in job["reason"]
        assert words in node.log_file.read_text()
        assert words in node.command("jobs").stdout
    send(tmp_path / "good", chest(), node.port)
    assert node.wait_for_delivery()["state"] == "done"
    assert len(pacs.instances()) == RESULTS


def test_no_patient_name_reaches_log_or_ledger(tmp_path: Path, node: NodeProcess) -> None:
    """At level debug, for a good and a bad series: the name is in the spool only."""
    send(tmp_path / "good", chest(), node.port)
    send(tmp_path / "bad", undecodable(), node.port)
    node.wait_for_job(1)
    node.wait_for_job(2)
    assert node.terminate() == 0
    assert "stored" in node.log_file.read_text()
    for path in [node.log_file, *node.state.glob("ledger.sqlite*")]:
        assert b"CANARY" not in path.read_bytes()
    spooled = next((node.state / "spool").rglob("*.dcm"))
    assert b"CANARY" in spooled.read_bytes()


def test_our_results_sent_back_start_no_loop(
    tmp_path: Path, node: NodeProcess, pacs: StandInPacs
) -> None:
    """A PACS that forwards everything to us gets no results of results."""
    send(tmp_path / "sent", chest(), node.port)
    node.wait_for_delivery()
    back = [pydicom.dcmread(path) for _, path in pacs.instances()]
    send(tmp_path / "back", back, node.port)
    wait_for(
        "all series to be known as ours",
        lambda: [item["state"] for item in node.jobs()["series"]].count("own_result") == 3,
    )
    assert len(node.jobs()["jobs"]) == 1


def test_a_late_slice_gives_a_second_revision(tmp_path: Path, node: NodeProcess) -> None:
    """The results of all slices replace nothing: they are further series under new UIDs."""
    datasets = chest()
    send(tmp_path / "early", datasets[:-1], node.port)
    node.wait_for_job(1)
    send(tmp_path / "late", datasets[-1:], node.port)
    assert node.wait_for_job(2)["revision"] == 2
    assert node.jobs()["jobs"][1]["inputs"] == SLICES


def test_jobs_and_retry_work_while_the_node_is_stopped(tmp_path: Path, node: NodeProcess) -> None:
    """A done job that is retried gives the same results, and sends none twice."""
    send(tmp_path / "sent", chest(), node.port)
    before = node.wait_for_delivery()
    assert node.terminate() == 0
    answer = node.command("jobs", "--json")
    assert json.loads(answer.stdout)["jobs"] == [json.loads(json.dumps(before))]
    assert node.command("retry", "1").returncode == 0
    assert node.command("retry", "7").returncode == 1
    assert node.jobs()["jobs"][0]["state"] == "queued"
    node.start()
    after = node.wait_for_job()
    assert (after["state"], after["attempts"]) == ("done", 2)
    assert after["content_time"] == before["content_time"]
    assert after["delivered"] == after["deliveries"] == after["results"] == RESULTS
    assert len(list((tmp_path / "pacs").rglob("*.dcm"))) == RESULTS


def test_sigterm_ends_in_order_and_unfinished_work_is_taken_up(
    tmp_path: Path, node: NodeProcess
) -> None:
    """Stopped in the middle of a job, the node ends within 10 s and finishes it afterwards."""
    send(tmp_path / "sent", chest(size=512), node.port)
    wait_for("the job to run", lambda: node.jobs()["jobs"] and node.jobs()["jobs"][0]["stage"])
    began = time.monotonic()
    assert node.terminate() == 0
    assert time.monotonic() - began < 10
    assert node.jobs()["jobs"][0]["state"] in {"running", "queued"}
    node.start()
    assert node.wait_for_delivery()["state"] == "done"


def receivers_of(node: NodeProcess) -> list[psutil.Process]:
    """The node's processes that listen on its port."""
    return [
        child
        for child in psutil.Process(node.pid).children(recursive=True)
        if any(item.laddr.port == node.port for item in child.net_connections("tcp4"))
    ]


def test_a_receiver_that_dies_is_started_anew(tmp_path: Path, node: NodeProcess) -> None:
    """Kill -9 of both receivers: the node answers again, and nothing received is lost."""
    send(tmp_path / "sent", chest()[:2], node.port)
    wait_for("both receivers to listen", lambda: len(receivers_of(node)) == 2)
    for receiver in receivers_of(node):
        receiver.kill()
    wait_for("the node to answer again", node.answers)
    assert node.jobs()["series"][0]["instances"] == 2


def test_a_second_node_on_the_same_state_folder_is_refused(node: NodeProcess) -> None:
    """The message names the folder and what to do."""
    answer = node.command("serve")
    assert answer.returncode == 1
    assert "Another node runs on the state folder" in answer.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path, node: NodeProcess) -> None:
    """A second node with a folder of its own does not share the port in silence."""
    other = NodeProcess(tmp_path / "other", port=node.port)
    other.write_settings()
    answer = other.command("serve")
    assert answer.returncode == 1
    assert f"127.0.0.1:{node.port} cannot be bound" in answer.stderr


def test_serve_without_settings_says_what_it_runs_on(tmp_path: Path) -> None:
    """Embedded defaults: loopback, a folder in the user's data directory, and words about it."""
    port = free_port()
    environment = os.environ | {
        "XDG_DATA_HOME": str(tmp_path),
        "HOUNSFIELD_NODE__PORT": str(port),
        "HOUNSFIELD_LIMITS__FREE_SPACE_MB": "1",
        "HOUNSFIELD_LIMITS__FREE_SPACE_PERCENT": "0",
    }
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "scp", "serve"], stderr=sink, env=environment
        )
    try:
        wait_for("the node to listen", lambda: "listening" in log.read_text())
        send(tmp_path / "sent", chest(), port)
        wait_for(
            "results in the state folder",
            lambda: len(list((tmp_path / "hounsfield" / "results").rglob("*.dcm"))) == RESULTS,
        )
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert "running on embedded defaults" in log.read_text()


def test_a_series_is_encoded_as_sent(tmp_path: Path, node: NodeProcess) -> None:
    """Implicit VR senders work too."""
    datasets = chest()
    assert datasets[0].file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    send(tmp_path / "sent", datasets, node.port)
    assert node.wait_for_job()["state"] == "done"


def test_what_a_dead_receiver_had_not_indexed_is_found_at_once(
    tmp_path: Path, node: NodeProcess
) -> None:
    """Instances acknowledged while the ledger was locked survive the receivers' death."""
    wait_for("both receivers to listen", lambda: len(receivers_of(node)) == 2)
    with closing(sqlite3.connect(node.state / "ledger.sqlite", isolation_level=None)) as locked:
        locked.execute("BEGIN IMMEDIATE")
        send(tmp_path / "early", chest()[:20], node.port)
        for receiver in receivers_of(node):
            receiver.kill()
        locked.execute("ROLLBACK")
    wait_for("the node to answer again", node.answers)
    send(tmp_path / "late", chest()[20:], node.port)
    wait_for(
        "results of all slices",
        lambda: any(
            job["state"] == "done" and job["inputs"] == SLICES for job in node.jobs()["jobs"]
        ),
    )


def test_a_mute_destination_does_not_hold_the_stop(tmp_path: Path) -> None:
    """A PACS that accepts the connection and never answers: the node ends within 10 s."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        destination = Destination("MUTE", mute.getsockname()[1])
        node = NodeProcess(tmp_path / "node", destination, quiet_time_s=0.5)
        with running(node):
            send(tmp_path / "sent", chest(), node.port)
            assert node.wait_for_job()["state"] == "done"
            connection, _ = mute.accept()
            with connection:
                began = time.monotonic()
                assert node.terminate() == 0
                assert time.monotonic() - began < 10


def test_stalled_senders_do_not_outlive_a_killed_node(node: NodeProcess) -> None:
    """Peers that stop in the middle of a PDU hold no receiver once the node is gone."""
    wait_for("both receivers to listen", lambda: len(receivers_of(node)) == 2)
    receivers = receivers_of(node)
    with ExitStack() as stack:
        for _ in range(4):
            stalled = stack.enter_context(socket.create_connection(("127.0.0.1", node.port)))
            stalled.sendall(b"\x01\x00\x00\x00\x10\x00half a request")
        node.kill()
        wait_for(
            "the receivers to end", lambda: not any(item.is_running() for item in receivers), 20.0
        )


def test_a_hostile_ae_title_does_not_break_the_list(tmp_path: Path, node: NodeProcess) -> None:
    """Brackets in a calling AE title are shown as they are."""
    send(tmp_path / "sent", chest()[:1], node.port, calling_ae_title="[/red]")
    node.wait_for_job()
    answer = node.command("jobs")
    assert answer.returncode == 0
    assert "[/red]" in answer.stdout


def test_a_damaged_spool_file_does_not_prevent_the_start(tmp_path: Path, node: NodeProcess) -> None:
    """An un-indexed file that is no DICOM is set aside, and the node runs."""
    send(tmp_path / "sent", chest()[:2], node.port)
    node.wait_for_job()
    assert node.terminate() == 0
    stray = node.state / "spool" / "instances" / "ab" / ("ab" * 32 + "-00000000.dcm")
    stray.write_bytes(bytes(128) + b"DICM" + b"\xff" * 50)
    node.start()
    assert not stray.exists()
    assert (node.state / "spool" / "damaged" / stray.name).exists()


def test_the_state_folder_is_private(tmp_path: Path, node: NodeProcess) -> None:
    """Nobody but the node's user can read patients' data or the ledger."""
    send(tmp_path / "sent", chest()[:1], node.port)
    node.wait_for_job()
    for path in node.state.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
