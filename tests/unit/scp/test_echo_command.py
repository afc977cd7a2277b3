"""``hounsfield echo``: to an address, or to a peer of the settings as results are sent to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scp.certificates.make import MadeCertificates
from scp.cli import main
from tests.support.certificates import made_in, server_settings, site_table
from tests.support.open_node import OpenNode, opened
from tests.support.ports import free_port


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeCertificates:
    return made_in(tmp_path_factory.mktemp("certs"), hosts=("node.example.org",))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, made: MadeCertificates) -> Iterator[OpenNode]:
    """A node whose certificate is made out to another host."""
    tls = server_settings(made, free_port())
    with opened(tmp_path_factory.mktemp("node"), tls=tls) as opening:
        yield opening


def _echo(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["echo", *map(str, arguments)])


@pytest.fixture
def site(tmp_path: Path, made: MadeCertificates) -> Callable[..., Path]:
    """Write settings with our certificates and a peer ``pacs`` on a port, with more keys."""

    def write(port: int, more: str = "") -> Path:
        peer = f'[peers.pacs]\nae_title = "HOUNSFIELD"\nhost = "127.0.0.1"\nport = {port}\n{more}'
        (tmp_path / "site.toml").write_text(site_table(made, 2762) + peer)
        return tmp_path / "site.toml"

    return write


def test_peer_of_the_settings_is_verified_by_its_name(
    node: OpenNode, site: Callable[..., Path]
) -> None:
    answer = _echo("pacs", "--config", site(node.plain_port))
    assert f"HOUNSFIELD@127.0.0.1:{node.plain_port} answers C-ECHO\n" in answer.output


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ("tls = true\n", (), "not accepted: IP address mismatch"),
        ("tls = true\ncheck_host = false\n", (), "answers C-ECHO with TLS"),
        ("tls = true\n", ("--any-host",), "answers C-ECHO with TLS"),
        ("", ("--tls", "--any-host"), "answers C-ECHO with TLS"),
        (
            'tls = true\ncheck_host = false\ncertificate = "pacs"\n',
            (),
            "showed the certificate of node.example.org",
        ),
    ],
)
def test_peer_is_talked_to_with_tls_as_its_table_and_the_options_say(
    node: OpenNode, site: Callable[..., Path], table: str, options: tuple[str, ...], words: str
) -> None:
    answer = _echo("pacs", "--config", site(node.tls_port, table), *options)
    assert words in answer.output
    assert (answer.exit_code == 0) == ("answers" in words)


def test_address_is_talked_to_with_the_files_of_the_settings(
    node: OpenNode, site: Callable[..., Path]
) -> None:
    address = f"HOUNSFIELD@127.0.0.1:{node.tls_port}"
    answer = _echo(address, "--tls", "--any-host", "--config", site(104))
    assert answer.exit_code == 0, answer.output
    assert _echo(address, "--tls", "--config", site(104)).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pasc",), "no peer of the settings: pacs"),
        (("pacs", "--calling", "SEVENTEEN LETTERS"), "1 to 16 printable"),
    ],
)
def test_what_cannot_be_asked_is_wrong_use(
    site: Callable[..., Path], arguments: tuple[str, ...], words: str
) -> None:
    answer = _echo(*arguments, "--config", site(104))
    assert answer.exit_code == 2
    assert words in answer.output


def test_tls_without_an_authority_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("")
    answer = _echo("PACS@127.0.0.1:104", "--tls", "--config", tmp_path / "site.toml")
    assert answer.exit_code == 2
    assert "[tls] ca" in answer.output
