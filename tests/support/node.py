"""A node as a process of its own, as a user runs it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config import AeTitle, PeerAddress
from scp.association import AssociationError
from scp.ledger import Ledger
from scp.ledger.jobs import job_lines
from scp.ledger.series import all_series
from scp.send import echo
from scp.state_folder import StateFolder
from scp.summary import document
from tests.support.ports import free_port
from tests.support.waiting import wait_for

AE_TITLE = "HOUNSFIELD"
_HOUNSFIELD = (sys.executable, "-m", "scp")


@dataclass(frozen=True)
class Destination:
    """Where results go."""

    ae_title: str
    port: int


@dataclass
class NodeProcess:
    """``hounsfield serve`` in a folder of its own.

    ``limits`` are keys of the table ``[limits]``, ``extra`` is added below all other settings, and
    ``wrapper`` is a command that runs the node as its arguments.
    """

    folder: Path
    destination: Destination | None = None
    match: str = '{ modality = "CT" }'
    quiet_time_s: float = 1.5
    port: int = field(default_factory=free_port)
    extra: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        """Its state folder."""
        return self.folder / "state"

    @property
    def settings_file(self) -> Path:
        """Its settings, written anew at each start."""
        return self.folder / "site.toml"

    @property
    def log_file(self) -> Path:
        """What it logged, over all its starts."""
        return self.folder / "node.log"

    @property
    def pid(self) -> int:
        """The node's main process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it answers C-ECHO."""
        self.write_settings()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.wrapper, *_HOUNSFIELD, "serve", "--config", self.settings_file],
                stderr=log,
                start_new_session=True,
            )
        wait_for("the node to answer C-ECHO", self.answers)

    def write_settings(self) -> None:
        """Write the settings file."""
        self.folder.mkdir(exist_ok=True)
        self.settings_file.write_text(self._settings())

    def kill(self, *, group: bool = False) -> None:
        """SIGKILL: the main process, or with it all its children at once."""
        assert self._process is not None
        if group:
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait(10)

    def terminate(self) -> int:
        """SIGTERM, and wait for the end; the exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another ``hounsfield`` command on the same settings."""
        return subprocess.run(
            [*_HOUNSFIELD, *arguments, "--config", self.settings_file],
            capture_output=True,
            text=True,
            check=False,
        )

    def jobs(self) -> dict[str, list[dict[str, Any]]]:
        """What ``hounsfield jobs --json`` says, without starting a process for it."""
        with closing(Ledger(StateFolder(self.state).ledger)) as ledger, ledger.read() as connection:
            return document(all_series(connection), job_lines(connection))

    def wait_for_job(self, number: int = 1, timeout_s: float = 120.0) -> dict[str, Any]:
        """The job of this number, once it is done or failed."""

        def ended() -> dict[str, Any] | None:
            jobs = [job for job in self.jobs()["jobs"] if job["id"] == number]
            return jobs[0] if jobs and jobs[0]["state"] in {"done", "failed"} else None

        return wait_for(f"job {number} to end", ended, timeout_s)

    def wait_for_delivery(self, timeout_s: float = 120.0) -> dict[str, Any]:
        """The last job, once all its results are delivered."""

        def delivered() -> dict[str, Any] | None:
            jobs = self.jobs()["jobs"]
            complete = jobs and jobs[-1]["deliveries"] == jobs[-1]["delivered"] > 0
            return jobs[-1] if complete else None

        return wait_for("the results to be delivered", delivered, timeout_s)

    def answers(self) -> bool:
        """Whether it answers C-ECHO."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the node ended: {self.log_file.read_text()}")
        try:
            echo("TEST", PeerAddress(AeTitle(AE_TITLE), "127.0.0.1", self.port), timeout_s=5)
        except AssociationError:
            return False
        return True

    def _settings(self) -> str:
        usual = {"free_space_mb": 1, "free_space_percent": 0}
        limits = "\n".join(f"{key} = {value}" for key, value in {**usual, **self.limits}.items())
        peer = ""
        if self.destination:
            peer = (
                f'[peers.pacs]\nae_title = "{self.destination.ae_title}"\nhost = "127.0.0.1"\n'
                f"port = {self.destination.port}\n"
            )
        return (
            f'[node]\nport = {self.port}\nstate = "{self.state}"\n'
            f"[limits]\n{limits}\n"
            f'[log]\nformat = "json"\nlevel = "debug"\n'
            f"[delivery]\nfirst_retry_s = 0.5\nlongest_retry_s = 2.0\n"
            f"{peer}"
            '[pipelines.chest]\nsteps = [{ algorithm = "lungs" }, { algorithm = "sliding-mip" }]\n'
            '[[routes]]\nname = "all"\npipelines = ["chest"]\n'
            f"destinations = {json.dumps(['pacs'] if peer else [])}\n"
            f"quiet_time_s = {self.quiet_time_s}\nmatch = {self.match}\n{self.extra}"
        )


@contextmanager
def running(node: NodeProcess) -> Iterator[NodeProcess]:
    """Start a node; whatever happens, nothing of it is left."""
    try:
        node.start()
        yield node
    finally:
        process = node._process
        if process is not None:
            if process.poll() is None:
                node.terminate()
            _kill_rest(process.pid)


def _kill_rest(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
