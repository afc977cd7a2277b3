"""A node that is closed as docs/security.md says, with DCMTK as friend and stranger."""

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.phantom import chest_phantom, write_phantom
from scp.certificates.make import MadeCertificates
from scp.ledger import Ledger
from scp.ledger.rejections import all_rejections
from scp.state_folder import StateFolder
from tests.support.certificates import made_in, site_table
from tests.support.node import AE_TITLE, NodeProcess, running
from tests.support.ports import free_port
from tests.support.tools import require
from tests.support.waiting import wait_for

SLICES = 5
CLOSED = """
[access]
callers = "peers"
[peers.ct]
ae_title = "CT_ROOM_1"
host = "ct.example.org"
port = 104
role = "sender"
certificate = "hounsfield-client"
[peers.test]
ae_title = "TEST"
host = "127.0.0.1"
port = 104
role = "sender"
"""


def _storescu(folder: Path, title: str, port: int, *options: object) -> int:
    """The exit status of DCMTK's storescu."""
    command = [require("storescu"), "-aet", title, "-aec", AE_TITLE, *map(str, options)]
    answer = subprocess.run(
        [*command, "localhost", str(port), "+sd", folder],
        capture_output=True,
        check=False,
        timeout=60,
    )
    return answer.returncode


def _with(made: MadeCertificates, authority: Path) -> tuple[object, ...]:
    return "+tls", made.client_key, made.client, "+cf", authority


def _rejected(node: NodeProcess, count: int) -> list[dict[str, Any]]:
    """What ``hounsfield rejected`` lists, once there is so much; the first rejected first."""

    def is_written() -> bool:
        with closing(Ledger(StateFolder(node.state).ledger)) as ledger, ledger.read() as rows:
            return len(all_rejections(rows)) == count

    wait_for("the journal", is_written, 10.0)
    listed: list[dict[str, Any]] = json.loads(node.command("rejected", "--json").stdout)
    return sorted(listed, key=lambda item: str(item["first_at"]))


@pytest.mark.peers
def test_only_the_known_certificate_may_send_and_the_journal_tells_of_the_others(
    tmp_path: Path,
) -> None:
    made, stranger = made_in(tmp_path / "certs"), made_in(tmp_path / "stranger")
    write_phantom(tmp_path / "phantom", chest_phantom(slices=SLICES, size=16))
    port = free_port()
    extra = site_table(made, port) + CLOSED
    node = NodeProcess(tmp_path / "node", match='{ modality = "NM" }', extra=extra)
    with running(node):
        phantom = tmp_path / "phantom"
        assert _storescu(phantom, "CT_ROOM_1", port, *_with(made, made.ca)) == 0
        assert _storescu(phantom, "CT_ROOM_2", port, *_with(made, made.ca)) != 0
        assert _storescu(phantom, "CT_ROOM_1", port, *_with(stranger, made.ca)) != 0
        assert _storescu(phantom, "CT_ROOM_1", port) != 0
        assert _storescu(phantom, "CT_ROOM_1", node.port) != 0
        rejected = _rejected(node, 4)
        address = f"{AE_TITLE}@localhost:{port}"
        verified = node.command("echo", address, "--tls", "--calling", "TEST")
    assert [(item["calling_ae_title"], item["setting"]) for item in rejected] == [
        ("CT_ROOM_2", "peers.NAME.ae_title"),
        ("", "tls.ca"),
        ("", "node.plaintext"),
        ("CT_ROOM_1", "peers.ct.certificate"),
    ]
    assert (verified.returncode, verified.stderr) == (0, "")
    assert verified.stdout == f"{address} answers C-ECHO with TLS\n"
    assert [series["instances"] for series in node.jobs()["series"]] == [SLICES]


def test_start_is_refused_with_the_file_and_the_reason(tmp_path: Path) -> None:
    made = made_in(tmp_path / "certs")
    made.server_key.write_bytes(made.client_key.read_bytes())
    node = NodeProcess(tmp_path / "node", extra=site_table(made, free_port()))
    node.write_settings()
    answer = node.command("serve")
    assert answer.returncode == 1
    assert f"tls.key: {made.server_key} is not the key of the certificate" in answer.stderr
    assert "Traceback" not in answer.stderr
