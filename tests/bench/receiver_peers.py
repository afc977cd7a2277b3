"""The receivers that are compared, each started on a free port with a folder of its own.

All folders are on one disk. A receiver keeps running through all rounds. Between them its files
are emptied and not removed: none meets the other's unwritten pages then, and none pays for a file
system that is slow to make files where many were just removed, as ext4 without a journal is. DCMTK,
which is inside Orthanc too, waits for a delayed ACK with every answer (some 40 ms an instance)
unless its environment has TCP_NODELAY: all programs get it, so that the peers are at their best.
"""

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen

from scp.spool import Spool
from scp.state_folder import StateFolder
from tests.bench.process_cost import Processes
from tests.bench.receiver_process import AE_TITLE
from tests.support.orthanc import Orthanc
from tests.support.ports import free_port
from tests.support.tools import find
from tests.support.waiting import wait_for

OURS, OURS_UNSYNCED = "Hounsfield", "Hounsfield, nothing synced"
DCMTK, ORTHANC, STOCK = "DCMTK storescp", "Orthanc", "pynetdicom, synced"
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
_PROGRAMS = ("storescp", "storescu", "echoscu", "Orthanc")
_PDU_BYTES = 131072
_RECEIVERS = 2


class MissingProgramError(Exception):
    """A peer's program is not on this machine."""


class PeerError(Exception):
    """A receiver did not do what the benchmark relies on."""


@dataclass(frozen=True, slots=True)
class Receiver(ABC):
    """A running receiver.

    Parameters
    ----------
    name
        For the table.
    ae_title
        What it is called by.
    port
        Where it listens.
    processes
        Those that receive.
    """

    name: str
    ae_title: str
    port: int
    processes: Processes

    @abstractmethod
    def stored(self) -> int:
        """How many instances it was ever given and holds."""

    @abstractmethod
    def empty(self) -> None:
        """Empty its files where they may be unwritten yet."""


@dataclass(frozen=True, slots=True)
class FolderReceiver(Receiver):
    """A receiver that writes each instance as a file into one folder."""

    folder: Path

    def stored(self) -> int:
        """How many files there are."""
        return sum(1 for _ in self.folder.iterdir())

    def empty(self) -> None:
        """Empty the files."""
        for path in self.folder.iterdir():
            os.truncate(path, 0)


@dataclass(frozen=True, slots=True)
class SpoolReceiver(Receiver):
    """Our receivers."""

    spool: Spool

    def stored(self) -> int:
        """How many instances the spool names."""
        return sum(1 for _ in self.spool.names())

    def empty(self) -> None:
        """Empty the spool's files."""
        for name in self.spool.names():
            os.truncate(self.spool.path(name), 0)


@dataclass(frozen=True, slots=True)
class OrthancReceiver(Receiver):
    """Orthanc, asked over its REST interface."""

    rest: Orthanc

    def stored(self) -> int:
        """How many instances its index counts."""
        return int(self.rest.get("/statistics")["CountInstances"])

    def empty(self) -> None:
        """Nothing: its files are written before it answers."""


def program(name: str) -> str:
    """The path of a peer's program.

    Raises
    ------
    MissingProgramError
        It is not here.
    """
    path = find(name)
    if path is None:
        raise MissingProgramError(
            f"{name} is not on this machine. The comparison needs DCMTK and Orthanc: on Debian and "
            "Ubuntu, install the packages dcmtk and orthanc."
        )
    return path


def require_programs() -> None:
    """Raise MissingProgramError where any peer is missing."""
    for name in _PROGRAMS:
        program(name)


@contextmanager
def ours(folder: Path, *, durable: bool = True) -> Iterator[Receiver]:
    """Our receivers, as many processes as a node has by default."""
    command = [sys.executable, "-m", "tests.bench.receiver_process", str(folder), str(_RECEIVERS)]
    if not durable:
        command.append("--no-sync")
    with _running(command, folder, stdout=PIPE) as process:
        assert process.stdout is not None
        first_line = process.stdout.readline()
        if not first_line:
            raise PeerError(f"our receiver did not start: {_log(folder).read_text()}")
        started = json.loads(first_line)
        spool = Spool(StateFolder(folder).spool)
        name = OURS if durable else OURS_UNSYNCED
        yield SpoolReceiver(name, AE_TITLE, started["port"], Processes(started["ids"]), spool)
        process.communicate()


@contextmanager
def unsynced(folder: Path) -> Iterator[Receiver]:
    """Our receivers with nothing made durable."""
    with ours(folder, durable=False) as receiver:
        yield receiver


@contextmanager
def storescp(folder: Path) -> Iterator[Receiver]:
    """DCMTK's receiver, a process an association; it syncs nothing."""
    port = free_port()
    command = [program("storescp"), "--fork", "--max-pdu", str(_PDU_BYTES), "-od"]
    with _receiving_files([*command, str(folder / "files"), str(port)], folder) as process:
        yield _answering(
            FolderReceiver(DCMTK, "STORESCP", port, Processes([process.pid]), folder / "files")
        )


@contextmanager
def stock(folder: Path) -> Iterator[Receiver]:
    """A receiver on plain pynetdicom, with the same fsyncs as ours."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.stock_receiver", str(folder / "files"), str(port)]
    with _receiving_files(command, folder) as process:
        yield _answering(
            FolderReceiver(STOCK, "PYNETDICOM", port, Processes([process.pid]), folder / "files")
        )


@contextmanager
def orthanc(folder: Path) -> Iterator[Receiver]:
    """Orthanc with its storage synced, as it comes, and the same PDU length as the others."""
    rest = Orthanc(free_port(), free_port())
    settings = {
        "Name": "bench",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomAet": "ORTHANC",
        "DicomPort": rest.dicom_port,
        "DicomAlwaysAllowStore": True,
        "MaximumPduLength": _PDU_BYTES,
        "HttpPort": rest.http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
    }
    folder.mkdir()
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with _running([program("Orthanc"), str(folder / "orthanc.json")], folder) as process:
        processes = Processes([process.pid])
        yield _answering(OrthancReceiver(ORTHANC, "ORTHANC", rest.dicom_port, processes, rest))


@contextmanager
def _receiving_files(command: Sequence[str], folder: Path) -> Iterator[Popen[str]]:
    (folder / "files").mkdir(parents=True)
    with _running(command, folder) as process:
        yield process


@contextmanager
def _running(
    command: Sequence[str], folder: Path, stdout: int | None = None
) -> Iterator[Popen[str]]:
    folder.mkdir(parents=True, exist_ok=True)
    with _log(folder).open("w") as log:
        process = Popen(
            command, stdin=PIPE, stdout=stdout or log, stderr=log, text=True, env=ENVIRONMENT
        )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def _log(folder: Path) -> Path:
    return folder / "receiver.log"


def _answering(receiver: Receiver) -> Receiver:
    """The receiver, once it answers C-ECHO."""
    command = [program("echoscu"), "-aec", receiver.ae_title, "127.0.0.1", str(receiver.port)]

    def answers() -> bool:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    wait_for(f"{receiver.name} to answer", answers)
    return receiver
