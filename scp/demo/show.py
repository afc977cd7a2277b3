"""The demonstration's course: phantom, node, PACS, sending, watching, pictures."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pydicom
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from config import AeTitle, PeerAddress
from pipeline.phantom import chest_phantom, write_phantom
from scp.association import AssociationError
from scp.demo import DemoError
from scp.demo.pictures import draw_pictures, save_page
from scp.demo.stand_in import AE_TITLE, StandInPacs
from scp.demo.watch import JobWatch, free_port
from scp.ledger.series import ReceivedInstance
from scp.log import configure_logging
from scp.receive.contexts import class_name
from scp.send import StoreAssociation, echo
from scp.status import is_delivered

_CT = "1.2.840.10008.5.1.4.1.1.2"
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_NODE_AE_TITLE = "HOUNSFIELD"
_QUIET_TIME_S = 3.0
_DEADLINE_S = 600.0
_POLL_S = 0.1
_STOP_TIMEOUT_S = 30.0
_OWN_COMMAND = Path(sys.executable).with_name("hounsfield")
_SETTINGS = """\
# Written by 'hounsfield demo'.
[node]
ae_title = "{ae_title}"
port = {port}
state = "{state}"

[limits]
free_space_mb = 64
free_space_percent = 0

[log]
format = "json"

[peers.pacs]
ae_title = "{pacs_ae_title}"
host = "127.0.0.1"
port = {pacs_port}
dialect = {{ kinds = ["seg", "series", "sr", "picture"] }}

[[pipelines.chest.steps]]
algorithm = "lungs"

[[pipelines.chest.steps]]
algorithm = "sliding-mip"
parameters = {{ window = 10 }}

[[routes]]
name = "chest-ct"
pipelines = ["chest"]
destinations = ["pacs"]
quiet_time_s = {quiet_time_s}
match = {{ modality = "CT" }}
"""


@dataclass(frozen=True, slots=True)
class _Stage:
    """A line of the display: a bar with its time."""

    bars: Progress
    task: TaskID

    def reach(self, done: float, total: float) -> None:
        self.bars.update(self.task, completed=done, total=total)

    def say(self, words: str) -> None:
        self.bars.update(self.task, words=words)


def show(out: Path | None, *, keep: bool, slices: int) -> None:
    """Run the demonstration and say what happens.

    Parameters
    ----------
    out
        An empty or new folder for everything that is written; None makes a temporary one.
    keep
        Whether node and PACS go on until Ctrl-C.
    slices
        Of the phantom.

    Raises
    ------
    DemoError
        A stage failed or took too long.
    """
    configure_logging("error", "console")
    folder = _folder(out)
    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(
        "Hounsfield demonstration: a sender stores a chest CT at the node; the node finds and "
        "measures the lungs, makes a MIP series and sends all of it to a PACS.\n"
    )
    with ExitStack() as stack:
        pacs = stack.enter_context(StandInPacs(folder / "pacs"))
        with _stages(console) as stage:
            source = _make_phantom(stage("make phantom"), folder / "phantom", slices)
            peer = PeerAddress(AeTitle(_NODE_AE_TITLE), "127.0.0.1", free_port())
            settings = _write_settings(folder, peer, pacs.port)
            node = stack.enter_context(_node(settings, folder / "node.log"))
            _await_node(stage("start node and PACS"), node, peer, folder)
            _send(stage(f"C-STORE {len(source)} slices"), source, peer)
            watch = stack.enter_context(closing(JobWatch(folder / "state")))
            _follow(stage, node, watch, folder)
        arrived = pacs.instances()
        _list(console, arrived)
        pictures = _draw(folder, source, arrived)
        console.print("\nPictures: " + ", ".join(str(path) for path in pictures))
        if keep:
            _stay(console, folder, peer, pacs.port, settings)


def _folder(out: Path | None) -> Path:
    if out is None:
        return Path(tempfile.mkdtemp(prefix="hounsfield-demo-"))
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise DemoError(f"the folder {out} is not empty; name a new one")
    return out.resolve()


@contextmanager
def _stages(console: Console) -> Iterator[Callable[[str], _Stage]]:
    columns = (
        TextColumn("{task.description:<22}", markup=False),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[words]}", markup=False),
    )
    with Progress(*columns, console=console) as bars:
        yield lambda name: _Stage(bars, bars.add_task(name, total=None, words=""))


def _make_phantom(stage: _Stage, folder: Path, slices: int) -> list[Path]:
    paths = write_phantom(folder, chest_phantom(slices=slices))
    stage.reach(1, 1)
    stage.say(f"{slices} slices of 512x512")
    return paths


def _write_settings(folder: Path, peer: PeerAddress, pacs_port: int) -> Path:
    path = folder / "site.toml"
    path.write_text(
        _SETTINGS.format(
            ae_title=peer.ae_title,
            port=peer.port,
            state=folder / "state",
            pacs_ae_title=AE_TITLE,
            pacs_port=pacs_port,
            quiet_time_s=_QUIET_TIME_S,
        )
    )
    return path


@contextmanager
def _node(settings: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The node as a process of its own; stopped in order at the end."""
    command = [sys.executable, "-m", "scp", "serve", "--config", str(settings)]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HOUNSFIELD_")
    }
    with log.open("wb") as sink:
        node = subprocess.Popen(  # noqa: S603 - our own command
            command, stderr=sink, start_new_session=True, env=environment
        )
    try:
        yield node
    finally:
        node.terminate()
        try:
            node.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            node.kill()


def _await_node(
    stage: _Stage, node: subprocess.Popen[bytes], peer: PeerAddress, folder: Path
) -> None:
    for _ in _until_deadline(node, "the node to answer C-ECHO", folder):
        with suppress(AssociationError):
            echo("DEMO", peer, timeout_s=2.0)
            break
    stage.reach(1, 1)
    stage.say(f"{peer} answers C-ECHO")


def _send(stage: _Stage, paths: list[Path], peer: PeerAddress) -> None:
    try:
        with StoreAssociation("DEMO", peer, [_CT], 30.0) as association:
            for done, path in enumerate(paths, start=1):
                status = association.send(path, _CT)
                if not is_delivered(status):
                    raise DemoError(f"the node answered {path.name} with status {status:04X}")
                stage.reach(done, len(paths))
    except AssociationError as error:
        raise DemoError(str(error)) from error
    stage.say("each acknowledged when safe on disk")


def _follow(
    stage: Callable[[str], _Stage],
    node: subprocess.Popen[bytes],
    watch: JobWatch,
    folder: Path,
) -> None:
    """Show the series becoming complete, the job's stages and the delivery."""
    quiet = stage("wait for quiet")
    began = time.monotonic()
    for _ in _until_deadline(node, "the series to be complete", folder):
        if watch.line() is not None:
            break
        quiet.reach(min(time.monotonic() - began, _QUIET_TIME_S), _QUIET_TIME_S)
    quiet.reach(1, 1)
    quiet.say(f"complete after {_QUIET_TIME_S:g} s without a new slice")
    job = stage("rebuild, find, encode")
    for _ in _until_deadline(node, "the job to end", folder):
        if watch.is_done():
            break
        job.say(watch.stage())
    job.reach(1, 1)
    job.say("lungs, MIP, measurements and a summary")
    delivery = stage("deliver to the PACS")
    for _ in _until_deadline(node, "the results to be delivered", folder):
        delivered, total = watch.delivered()
        delivery.reach(delivered, total)
        if delivered == total:
            break
    delivery.say("each confirmed by the PACS")


def _until_deadline(node: subprocess.Popen[bytes], what: str, folder: Path) -> Iterator[None]:
    """Yield again and again; raise when the time is over or the node has ended."""
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        if node.poll() is not None:
            raise DemoError(f"the node ended while waiting for {what}; see {folder / 'node.log'}")
        yield
        time.sleep(_POLL_S)
    raise DemoError(f"waited {_DEADLINE_S:g} s for {what}; see {folder / 'node.log'}")


def _list(console: Console, arrived: list[tuple[ReceivedInstance, Path]]) -> None:
    """The series that arrived at the PACS."""
    series: dict[str, list[Path]] = defaultdict(list)
    for row, path in arrived:
        series[row.series_instance_uid].append(path)
    table = Table(title="\nArrived at the PACS", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("Series", "Object", "Description", "Instances"):
        table.add_column(heading, overflow="fold")
    for paths in series.values():
        header = pydicom.dcmread(paths[0], stop_before_pixels=True)
        table.add_row(
            str(header.SeriesNumber),
            class_name(header.SOPClassUID),
            header.SeriesDescription,
            str(len(paths)),
        )
    console.print(table)


def _draw(
    folder: Path, source: list[Path], arrived: list[tuple[ReceivedInstance, Path]]
) -> list[Path]:
    by_class: dict[str, list[Path]] = defaultdict(list)
    for row, path in arrived:
        by_class[row.sop_class_uid].append(path)
    if not all(by_class[wanted] for wanted in (_CT, _SEGMENTATION, _SECONDARY_CAPTURE)):
        raise DemoError("the PACS has not got a result of each kind")
    (segmentation,), (page,) = by_class[_SEGMENTATION], by_class[_SECONDARY_CAPTURE]
    return [
        *draw_pictures(source, segmentation, by_class[_CT], folder),
        save_page(page, folder / "summary.png"),
    ]


def _stay(console: Console, folder: Path, peer: PeerAddress, pacs_port: int, site: Path) -> None:
    """Print what to try, and wait for Ctrl-C."""
    other = folder / "another-series"
    write_phantom(other, chest_phantom(), study_seed="another")
    console.print(
        f"\nNode and PACS run on. With DCMTK's tools, try:\n"
        f"  echoscu -aec {peer.ae_title} {peer.host} {peer.port}\n"
        f"  storescu -aec {peer.ae_title} {peer.host} {peer.port} +sd +r {other}\n"
        f"  {_command()} jobs --config {site}\n"
        f"  {_command()} echo {AE_TITLE}@127.0.0.1:{pacs_port}\n"
        "Ctrl-C stops both."
    )
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)


def _command() -> str:
    """How this machine's user calls us: by name where that is found."""
    return "hounsfield" if shutil.which("hounsfield") else str(_OWN_COMMAND)
