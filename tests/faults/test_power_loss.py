"""What the disk was told before each answer: the system calls of a running receiver."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import pytest

from scp.state_folder import StateFolder
from tests.support.raw_instances import RawInstance, raw_instance, store
from tests.support.receivers import LoneReceiver, receiving
from tests.support.spooled import digests_of_files
from tests.support.tracing import Call, calls, traced
from tests.support.upper_layer import UpperLayerAssociation

WRITES = ("write", "writev", "pwrite64", "pwritev", "sendfile", "splice", "copy_file_range")
FILE_SYNCS = ("fsync", "fdatasync")
NAMINGS = ("rename", "renameat", "renameat2", "link", "linkat")
TRACED = (*WRITES, *FILE_SYNCS, *NAMINGS, "sendto", "sendmsg")
SENDERS = 3

_DESCRIPTOR = re.compile(r"^(?P<number>\d+)<(?P<path>[^>]*)>")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ANSWER_START = r"\4\0"
_UID = re.compile(r"1\.2\.826\.0\.1\.3680043\.8\.498\.88\.3\.\d+")


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneReceiver]:
    """A receiver."""
    with receiving(LoneReceiver(tmp_path_factory.mktemp("power"))) as process:
        yield process


@dataclass(frozen=True, slots=True)
class Step:
    """What a system call did for an instance.

    Attributes
    ----------
    what
        One word.
    about
        The file or folder, or for an answer the SOP Instance UID.
    name
        For a naming: the name that the file got.
    """

    what: str
    about: str
    name: str = ""


def steps(trace: list[Call], spool: Path) -> Iterator[Step]:
    """The calls that touch the spool's instances, or answer a peer."""
    for call in trace:
        opened = _DESCRIPTOR.match(call.arguments)
        path = opened["path"].removesuffix(" (deleted)") if opened else ""
        if call.name in NAMINGS:
            source, target = _STRING.findall(call.arguments)
            yield Step("name", path if source.startswith("/proc/self/fd/") else source, target)
        elif path.startswith(str(spool)):
            yield Step(_kind(call, Path(path)), path)
        elif path.startswith(("socket:", "TCP:")) and _is_answer(call):
            yield Step("answer", _uid(call))


def _kind(call: Call, path: Path) -> str:
    """The word for a call on a file or folder of the spool; a shard's name has two digits."""
    if call.name not in FILE_SYNCS:
        return "write"
    return "sync folder" if len(path.name) == 2 else "sync"


def _is_answer(call: Call) -> bool:
    """Whether it sends a P-DATA-TF."""
    return any(text.startswith(_ANSWER_START) for text in _STRING.findall(call.arguments))


def _uid(call: Call) -> str:
    found = _UID.search(call.arguments)
    assert found, call
    return found[0]


def send(receiver: LoneReceiver, instances: list[RawInstance]) -> None:
    """Store over one association."""
    with UpperLayerAssociation(receiver.port) as association:
        association.associate()
        assert [store(association, each).status for each in instances] == [0] * len(instances)
        association.release()


def test_each_answer_follows_file_name_and_folder(receiver: LoneReceiver, tmp_path: Path) -> None:
    """12: written, file synced, named, folder synced, answered; in this order, each time."""
    file, spool = tmp_path / "trace", StateFolder(receiver.state).spool
    with traced(receiver.pid, TRACED, file):
        send(receiver, [raw_instance(200_000) for _ in range(4)])
    seen = [step.what for step in steps(calls(file), spool)]
    once = ["write", "sync", "name", "sync folder", "answer"]
    assert [what for what, _ in groupby(seen)] == once * 4


@dataclass
class WorstDisk:
    """A disk that loses with its power whatever it may: data not synced, names not synced.

    Attributes
    ----------
    unsynced
        Files with data that would be lost.
    loose
        Names that would be lost, with their files.
    kept
        Whole files that would be there, by their paths.
    """

    unsynced: set[str] = field(default_factory=set)
    loose: dict[str, str] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    def follow(self, step: Step) -> None:
        """Do a step."""
        match step.what:
            case "write":
                self.unsynced.add(step.about)
            case "sync":
                self.unsynced.discard(step.about)
            case "name":
                self.loose[step.name] = step.about
            case "sync folder":
                self._sync_folder(Path(step.about))

    def _sync_folder(self, folder: Path) -> None:
        for name, file in list(self.loose.items()):
            if Path(name).parent == folder:
                del self.loose[name]
                if file not in self.unsynced:
                    self.kept.add(name)


def test_a_power_loss_after_any_answer_loses_no_instance(
    receiver: LoneReceiver, tmp_path: Path
) -> None:
    """11: 3 senders at once; at each answer its instance would be whole on the worst disk."""
    file, disk = tmp_path / "trace", WorstDisk()
    instances = [raw_instance(30_000) for _ in range(60)]
    with traced(receiver.pid, TRACED, file), ThreadPoolExecutor(SENDERS) as senders:
        shares = [instances[number::SENDERS] for number in range(SENDERS)]
        list(senders.map(lambda share: send(receiver, share), shares))
    answered = {}
    for step in steps(calls(file), StateFolder(receiver.state).spool):
        disk.follow(step)
        if step.what == "answer":
            answered[step.about] = set(disk.kept)
    digests = digests_of_files(receiver.state)
    for each in instances:
        assert each.digest in {digests[name] for name in answered[each.sop_instance]}
