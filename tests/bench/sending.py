"""What is sent to receivers, and DCMTK's storescu as the sender."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from pipeline.encode.part10 import part10_bytes
from pipeline.phantom import chest_phantom, phantom_instances
from tests.bench.receiver_peers import ENVIRONMENT, PeerError, Receiver, program
from tests.support.enhanced import enhanced_ct
from tests.support.upper_layer import UpperLayerAssociation

_PDU_BYTES = "131072"
_DIFFERENT_SLICES = 20
_LARGE_SLICES = 10


@dataclass(frozen=True, slots=True)
class Load:
    """What senders send at once.

    Parameters
    ----------
    title
        What an instance is, for the table.
    folder
        The files that each sender sends; each gives its instances new UIDs.
    senders
        How many.
    each
        How many instances each sends.
    megabytes
        What all of them send, in 10^6 bytes.
    """

    title: str
    folder: Path
    senders: int
    each: int
    megabytes: float

    @classmethod
    def of(cls, title: str, folder: Path, senders: int = 1) -> "Load":
        """The load of a folder of files."""
        sizes = [path.stat().st_size for path in folder.iterdir()]
        return cls(title, folder, senders, len(sizes), senders * sum(sizes) / 1e6)

    def __str__(self) -> str:
        return f"{self.senders} sender{'s' * (self.senders > 1)}, {self.each} {self.title}"

    @property
    def instances(self) -> int:
        """How many a receiver gets in all."""
        return self.senders * self.each


def write_slices(folder: Path, count: int, size: int) -> Path:
    """CT slices of ``size`` rows and columns; few differ, as each is sent with new UIDs."""
    folder.mkdir(parents=True)
    phantom = chest_phantom(slices=min(count, _DIFFERENT_SLICES), size=size)
    contents = [part10_bytes(instance) for instance in phantom_instances(phantom)]
    for number in range(count):
        (folder / f"{number:05d}.dcm").write_bytes(contents[number % len(contents)])
    return folder


def write_large(folder: Path, frames: int) -> Path:
    """One Enhanced CT image of half a megabyte a frame."""
    folder.mkdir(parents=True)
    image = enhanced_ct(list(phantom_instances(chest_phantom(slices=_LARGE_SLICES))))
    repeats = frames // _LARGE_SLICES
    image.NumberOfFrames = repeats * _LARGE_SLICES
    image.PixelData = image.PixelData * repeats
    groups = image.PerFrameFunctionalGroupsSequence
    image.PerFrameFunctionalGroupsSequence = [*groups] * repeats
    (folder / "large.dcm").write_bytes(part10_bytes(image))
    return folder


def send(load: Load, receiver: Receiver) -> float:
    """Send a load; the seconds from the first sender's start to the last one's end.

    Raises
    ------
    PeerError
        A sender was refused anything, or the receiver does not hold what it acknowledged.
    """
    command = [program("storescu"), "--max-pdu", _PDU_BYTES, "--invent-instance", "+sd", "-aec"]
    command += [receiver.ae_title, "127.0.0.1", str(receiver.port), str(load.folder)]
    before = receiver.stored()
    start = time.perf_counter()
    with ExitStack() as stack:
        senders = [
            stack.enter_context(Popen(command, stdout=DEVNULL, stderr=PIPE, env=ENVIRONMENT))
            for _ in range(load.senders)
        ]
        complaints = [sender.communicate()[1].decode() for sender in senders]
    seconds = time.perf_counter() - start
    failed = [said for sender, said in zip(senders, complaints, strict=True) if sender.returncode]
    if failed:
        raise PeerError(f"{receiver.name}: {len(failed)} senders failed: {failed[0]}")
    stored = receiver.stored() - before
    if stored != load.instances:
        raise PeerError(f"{receiver.name}: {load.instances} acknowledged, {stored} stored")
    return seconds


@contextmanager
def idle_associations(receiver: Receiver, count: int) -> Iterator[None]:
    """Associations that send nothing, released at the end."""
    with ExitStack() as stack:
        for _ in range(count):
            association = stack.enter_context(UpperLayerAssociation(receiver.port))
            association.associate(called=receiver.ae_title)
            stack.callback(association.release)
        yield
