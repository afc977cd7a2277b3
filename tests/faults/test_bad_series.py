"""Series that look well to the receiver and are not: kept as they came, and their job says why."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from pipeline.phantom import chest_phantom, phantom_instances
from tests.support.node import NodeProcess, running
from tests.support.raw_instances import RawInstance, store
from tests.support.spooled import stored_digests
from tests.support.upper_layer import UpperLayerAssociation
from tests.support.waiting import wait_for

CANARY = "Canary^Sings"
SLICES = 4

Damage = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node that logs everything and processes CT soon."""
    folder = tmp_path_factory.mktemp("series") / "node"
    with running(NodeProcess(folder, quiet_time_s=0.5)) as process:
        yield process


def truncated_pixels(data_set: bytes) -> bytes:
    """The last 500 bytes are missing."""
    return data_set[:-500]


def bad_vr(data_set: bytes) -> bytes:
    """Slice Location has a VR that is none."""
    return data_set.replace(b"\x20\x00\x41\x10DS", b"\x20\x00\x41\x10??")


def unknown_character_set(data_set: bytes) -> bytes:
    """Specific Character Set is none."""
    return data_set.replace(b"ISO_IR 192", b"ISO_IR 999")


def size_far_beyond_the_pixels(data_set: bytes) -> bytes:
    """Rows and Columns are 65,535, the pixels as they were."""
    size = re.compile(rb"(\x28\x00[\x10\x11]\x00US\x02\x00)..", re.DOTALL)
    return size.sub(lambda found: found[1] + b"\xff\xff", data_set)


@pytest.mark.parametrize(
    ("damage", "ends"),
    [
        (truncated_pixels, {"failed"}),
        (size_far_beyond_the_pixels, {"failed"}),
        (bad_vr, {"failed", "done"}),
        (unknown_character_set, {"failed", "done"}),
    ],
)
def test_a_damaged_series_is_kept_and_its_job_ends_with_a_reason(
    node: NodeProcess, damage: Damage, ends: set[str]
) -> None:
    """33, 34, 43: bit-exact in the spool, and no patient's name in the log or the reason."""
    slices = list(damaged_slices(damage))
    with UpperLayerAssociation(node.port) as association:
        association.associate()
        assert [store(association, each).status for each in slices] == [0] * SLICES
        association.release()
    kept = stored_digests(node.state)
    assert [kept[each.digest] for each in slices] == [1] * SLICES
    job = ended_job(node, damage)
    assert job["state"] in ends
    assert job["state"] == "done" or job["reason"]
    assert "Canary" not in node.log_file.read_text() + job["reason"]
    assert node.answers()


def damaged_slices(damage: Damage) -> Iterator[RawInstance]:
    """A small series of its own for this damage."""
    phantom = chest_phantom(slices=SLICES, size=32)
    for dataset in phantom_instances(phantom, study_seed=damage.__name__):
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName = CANARY
        sound = encoded(dataset)
        data_set = damage(sound)
        assert data_set != sound
        assert CANARY.encode() in data_set
        yield RawInstance(str(dataset.SOPInstanceUID), data_set)


def encoded(dataset: Dataset) -> bytes:
    """The data set in Explicit VR Little Endian."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def ended_job(node: NodeProcess, damage: Damage) -> dict[str, Any]:
    """The job of the series with this damage, once it is done or failed."""
    (first, *_) = phantom_instances(
        chest_phantom(slices=SLICES, size=32), study_seed=damage.__name__
    )

    def ended() -> dict[str, Any] | None:
        jobs = [
            job
            for job in node.jobs()["jobs"]
            if job["series_instance_uid"] == first.SeriesInstanceUID
        ]
        return jobs[0] if jobs and jobs[0]["state"] in {"done", "failed"} else None

    return wait_for("the job to end", ended, 120.0)
