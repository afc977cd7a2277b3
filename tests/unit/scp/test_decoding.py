"""A pool of decoder processes, with real processes that crash, hang and are killed."""

import copy
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless, RLELossless

from pipeline.errors import PixelDecodeError
from pipeline.instance import read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.volume.frame import Frame
from pipeline.volume.pixels import LocalDecoder, PlaneOrder
from scp.decoding import DecoderPool, DecoderStartError
from scp.decoding.line import with_short_headers
from tests.support.planes import DECODE, order
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[3]
SHAPE = (6, 4, 5)
INT16 = np.dtype(np.int16)
ENCODERS = {RLELossless: "pylibjpeg", JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg"}


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """The processes find this repository's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        yield


@pytest.fixture(scope="module")
def pool(_importable: None) -> Iterator[DecoderPool]:
    """Two processes that do as they are told, for all tests: each has to leave them usable."""
    with DecoderPool(2, function=DECODE) as pool:
        yield pool


@pytest.fixture(scope="module")
def real_pool() -> Iterator[DecoderPool]:
    """Two processes that decode DICOM."""
    with DecoderPool(2) as pool:
        yield pool


def assert_usable(pool: DecoderPool) -> None:
    """Every plane of a request arrives where it belongs."""
    target = pool.allocate(SHAPE, INT16)
    told: list[int] = []
    pool.decode([order(index) for index in range(len(target))], target, told.append)
    assert (target == np.arange(len(target))[:, np.newaxis, np.newaxis]).all()
    assert sum(told) == len(target)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_processes_start_with_the_first_request_and_stay(pool: DecoderPool) -> None:
    """They are as many as asked for, and the second request has the same."""
    with DecoderPool(2, function=DECODE) as fresh:
        assert fresh.pids == ()
    assert_usable(pool)
    before = pool.pids
    assert_usable(pool)
    assert pool.pids == before


def test_no_more_processes_start_than_there_are_planes() -> None:
    """One plane needs one."""
    with DecoderPool(4, function=DECODE) as pool:
        target = pool.allocate((1, 2, 2), INT16)
        pool.decode([order(0)], target)
        assert len(pool.pids) == 1


def test_closed_pool_leaves_no_process() -> None:
    """Idle ones end with their line, those that still start too."""
    with DecoderPool(2, function=DECODE) as pool:
        pool.start()
        pids = pool.pids
        assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


def test_view_of_an_array_is_filled_where_it_lies(pool: DecoderPool) -> None:
    """Byte offsets and strides of a view reach the processes."""
    whole = pool.allocate((4, 6, 8), INT16)
    part = whole[1:4:2, 1:, ::-2]
    pool.decode([order(1)], part)
    assert (part[1] == 1).all()
    assert np.count_nonzero(whole) == part[1].size


def test_memory_is_freed_with_the_array(pool: DecoderPool) -> None:
    """Neither a descriptor here nor a mapping in a process keeps it."""

    def descriptors() -> int:
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return sum("hounsfield-volume" in str(link.readlink()) for link in links)

    before = descriptors()
    target = pool.allocate(SHAPE, INT16)
    pool.decode([order(0), order(1)], target)
    assert descriptors() > before
    view = target[1:]
    del target
    assert (view[0] == 1).all()
    del view
    assert descriptors() == before
    for pid in pool.pids:
        maps = Path(f"/proc/{pid}/maps")
        wait_for("the mapping to go", lambda maps=maps: "hounsfield" not in maps.read_text())


def test_array_from_elsewhere_is_refused(pool: DecoderPool) -> None:
    """It could not be written to."""
    with pytest.raises(ValueError, match="allocate"):
        pool.decode([order(0)], np.zeros(SHAPE, INT16))


def test_nothing_to_decode_is_no_error(pool: DecoderPool) -> None:
    """And starts nothing."""
    pool.decode([], pool.allocate((0, 4, 4), INT16))


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("abort", r"crashed \(SIGABRT\)"),
        ("crash", r"crashed \(SIGSEGV\)"),
        ("exit", "ended with exit status 3"),
    ],
)
def test_crash_names_its_instance_and_leaves_the_pool_usable(
    pool: DecoderPool, what: str, told: str
) -> None:
    """A codec that ends its process costs this request only."""
    orders = [order(0), order(1), order(2, what), order(3)]
    with pytest.raises(PixelDecodeError, match=rf"1\.2\.3\.2 {told}"):
        pool.decode(orders, pool.allocate(SHAPE, INT16))
    assert_usable(pool)


def test_process_killed_in_mid_plane_fails_that_request_only(
    pool: DecoderPool, tmp_path: Path
) -> None:
    """As the system does when memory runs out."""
    noted = tmp_path / "pid"

    def kill() -> None:
        pid = wait_for("the plane to begin", lambda: noted.exists() and noted.read_text())
        os.kill(int(pid), signal.SIGKILL)

    with ThreadPoolExecutor() as threads:
        killed = threads.submit(kill)
        with pytest.raises(PixelDecodeError, match=r"1\.2\.3\.1 was killed"):
            pool.decode([order(0), order(1, "hang", noted)], pool.allocate(SHAPE, INT16))
        killed.result()
    assert_usable(pool)


def test_process_killed_while_idle_is_replaced() -> None:
    """No request pays for it."""
    with DecoderPool(1, function=DECODE) as pool:
        assert_usable(pool)
        (before,) = pool.pids
        os.kill(before, signal.SIGKILL)
        wait_for("its end", lambda: is_gone(before))
        assert_usable(pool)
        assert pool.pids != (before,)


@pytest.mark.parametrize("what", ["hang", "stop"])
def test_hung_plane_ends_at_its_deadline(what: str) -> None:
    """By the process's own alarm, or by the pool where even that does not wake it."""
    with DecoderPool(1, function=DECODE, plane_deadline_s=0.5) as pool:
        with pytest.raises(PixelDecodeError, match=r"1\.2\.3\.1 took too long"):
            pool.decode([order(0), order(1, what)], pool.allocate(SHAPE, INT16))
        assert_usable(pool)


def test_planes_error_is_passed_on(pool: DecoderPool) -> None:
    """What the decoding says, word for word, from a process that stays."""
    assert_usable(pool)
    before = pool.pids
    with pytest.raises(PixelDecodeError, match=r"^1\.2\.3\.1 is bad$"):
        pool.decode([order(0), order(1, "bad")], pool.allocate(SHAPE, INT16))
    assert pool.pids == before
    assert_usable(pool)


def test_unforeseen_error_is_told_without_its_message(pool: DecoderPool) -> None:
    """It may quote a patient's data."""
    with pytest.raises(PixelDecodeError, match=r"own \(KeyError\) .* 1\.2\.3\.0;") as failure:
        pool.decode([order(0, "bug")], pool.allocate(SHAPE, INT16))
    assert "Doe" not in str(failure.value)


def test_first_failing_plane_is_reported_whatever_the_timing(
    pool: DecoderPool, tmp_path: Path
) -> None:
    """Here the second fails long before the first."""
    noted = tmp_path / "pid"
    orders = [order(0, "bad after", noted), order(1, "fill", noted), order(2, "bad"), order(3)]
    with pytest.raises(PixelDecodeError, match=r"^1\.2\.3\.0 is bad$"):
        pool.decode(orders, pool.allocate(SHAPE, INT16))
    assert_usable(pool)


def test_interruption_leaves_nothing_of_the_request(pool: DecoderPool) -> None:
    """An interrupt between two planes: the next request has no answers of this one."""

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.decode([order(i) for i in range(64)], pool.allocate((64, 2, 2), INT16), interrupt)
    assert_usable(pool)


def test_signals_to_the_whole_group_do_not_end_a_process(pool: DecoderPool) -> None:
    """Ctrl-C, or the end of a service: the pool's owner decides what ends."""
    target = pool.allocate(SHAPE, INT16)
    pool.decode([order(1, "signals"), order(2)], target)
    assert (target[1] == 1).all()


def test_callers_in_two_threads_take_turns(pool: DecoderPool) -> None:
    """Neither sees planes of the other."""
    with ThreadPoolExecutor() as threads:
        for caller in [threads.submit(assert_usable, pool) for _ in range(3)]:
            caller.result()


def test_function_that_does_not_load_is_said_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    """No instance is blamed for it."""
    with (
        DecoderPool(2, function="scp.status:no_such_function") as pool,
        pytest.raises(DecoderStartError, match="exit status 1 before it was ready"),
    ):
        pool.decode([order(0)], pool.allocate(SHAPE, INT16))
    assert "no_such_function" in capfd.readouterr().err


OWNER = """
import sys
from scp.decoding import DecoderPool
from tests.support.planes import DECODE, order
import numpy as np
pool = DecoderPool(2, function=DECODE, plane_deadline_s=1.0)
target = pool.allocate((8, 2, 2), np.dtype(np.int16))
pool.decode([order(index) for index in range(8)], target)
print(*pool.pids, flush=True)
pool.decode([order(0, "hang", sys.argv[1])], target)
"""


def test_processes_end_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    """The idle one, and the one that hangs in native code with the interpreter lock held."""
    noted = tmp_path / "pid"
    command = [sys.executable, "-c", OWNER, str(noted)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
        wait_for("the plane to begin", noted.exists)
        owner.kill()
    for pid in pids:
        wait_for("the process to end", lambda pid=pid: is_gone(pid), timeout_s=20.0)


def _decode_in_a_daemon(line: Any) -> None:
    with DecoderPool(1, function=DECODE) as pool:
        assert_usable(pool)
    line.send("usable")


def test_daemonic_process_may_have_a_pool() -> None:
    """As a Dask worker is, which may have no children by `multiprocessing`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_decode_in_a_daemon, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    with ours:
        assert ours.recv() == "usable"
    process.join()
    process.close()


def compressed_orders(folder: Path, syntax: UID) -> list[PlaneOrder]:
    """Slices of the chest phantom, compressed."""
    orders = []
    for index, data_set in enumerate(phantom_instances(chest_phantom(slices=6, size=64))):
        instance = read_instance(compressed(data_set, folder / f"{index}.dcm", syntax))
        orders.append(PlaneOrder(Frame(instance), index))
    return orders


def compressed(data_set: Dataset, path: Path, syntax: UID) -> Path:
    """Write a data set, compressed by pydicom."""
    data_set.save_as(path, enforce_file_format=True)
    read_back = dcmread(path)
    read_back.compress(syntax, encoding_plugin=ENCODERS[syntax], generate_instance_uid=False)
    read_back.save_as(path)
    return path


@pytest.mark.parametrize("syntax", ENCODERS, ids=lambda syntax: syntax.keyword)
def test_decoded_planes_equal_those_decoded_in_process(
    real_pool: DecoderPool, tmp_path: Path, syntax: UID
) -> None:
    """The same voxels, and the phantom's own."""
    orders = compressed_orders(tmp_path, syntax)
    here, there = (
        decode_by(decoder, orders, (6, 64, 64)) for decoder in (LocalDecoder(), real_pool)
    )
    assert np.array_equal(here, there)
    assert np.array_equal(there, chest_phantom(slices=6, size=64).voxels_hu)


def decode_by(
    decoder: LocalDecoder | DecoderPool, orders: list[PlaneOrder], shape: tuple[int, ...]
) -> npt.NDArray[np.int16]:
    target = decoder.allocate(shape, INT16)
    decoder.decode(orders, target, lambda _done: None)
    return target


def test_frames_of_one_instance_are_decoded(real_pool: DecoderPool, tmp_path: Path) -> None:
    """A multi-frame instance's pixels and the rescale of each frame."""
    stored = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    data_set = next(iter(phantom_instances(chest_phantom(slices=2, size=16))))
    data_set.NumberOfFrames, data_set.PixelRepresentation = 3, 0
    data_set.PixelData = stored.tobytes()
    instance = read_instance(compressed(data_set, tmp_path / "frames.dcm", RLELossless))
    orders = []
    for index in range(3):
        header = copy.deepcopy(instance.header)
        header.RescaleIntercept = -10 * index
        orders.append(PlaneOrder(Frame(instance, header, index + 1), index))
    decoded = decode_by(real_pool, orders, (3, 16, 16))
    assert np.array_equal(decoded, stored.astype(int) - 10 * np.arange(3)[:, None, None])


def test_damaged_pixels_are_a_plain_error(real_pool: DecoderPool, tmp_path: Path) -> None:
    """A compressed stream cut in the middle."""
    orders = compressed_orders(tmp_path, JPEG2000Lossless)
    path = orders[3].frame.instance.path
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(PixelDecodeError, match=orders[3].frame.sop_instance_uid):
        decode_by(real_pool, orders, (6, 64, 64))


def test_headers_travel_without_what_decoding_does_not_need() -> None:
    """Functional groups of thousands of frames stay behind, and the caller's order as it is."""
    plane = order(7)
    header = plane.frame.header
    header.PerFrameFunctionalGroupsSequence = DicomSequence([Dataset()] * 3)
    header.PatientName = "Doe^Jane"
    header.Rows = 4
    header.Modality = "CT"
    of_frame = replace(plane, frame=Frame(plane.frame.instance, copy.deepcopy(header), 3))
    for long in (plane, of_frame):
        short = with_short_headers(long)
        for data_set in (short.frame.header, short.frame.instance.header):
            assert {item.keyword for item in data_set} == {"SOPInstanceUID", "Modality", "Rows"}
        assert (short.index, short.frame.name) == (7, long.frame.name)
        assert "PatientName" in long.frame.header
