"""Certificate files: made to try with, and checked before the node trusts its port to them."""

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from config import TlsSettings
from config.load import load_settings
from scp.certificates.check import check_tls_files, tls_warnings
from scp.certificates.make import CertificatesError, MadeCertificates, make_certificates
from scp.certificates.watch import CertificateWatch
from scp.cli import main
from scp.tls import TlsFilesError
from tests.support.certificates import HOSTS, NOW, expired_in, made_in, server_settings

NO_SUCH_FILE = "No such file or directory"


@pytest.fixture
def made(tmp_path: Path) -> MadeCertificates:
    return made_in(tmp_path / "certs", days=365)


def _names(file: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


# Made to try with


def test_keys_are_readable_by_their_owner_only(made: MadeCertificates) -> None:
    keys = [file for file in made.folder.iterdir() if file.suffix == ".key"]
    assert [_mode(key) for key in keys] == [0o600] * 3
    assert {file.name for file in made.folder.iterdir()} == {
        f"{name}.{kind}" for name in ("ca", "server", "client") for kind in ("pem", "key")
    }


def test_server_is_made_out_to_names_and_addresses(tmp_path: Path) -> None:
    made = make_certificates(
        tmp_path, ["node.example.org", "192.0.2.1", "2001:db8::1"], 1, NOW, overwrite=False
    )
    assert _names(made.server) == ["node.example.org", "192.0.2.1", "2001:db8::1"]


def test_files_that_are_there_are_kept_unless_forced(made: MadeCertificates) -> None:
    before = made.server.read_bytes()
    with pytest.raises(CertificatesError, match="--force"):
        make_certificates(made.folder, HOSTS, 1, NOW, overwrite=False)
    assert made.server.read_bytes() == before
    make_certificates(made.folder, HOSTS, 1, NOW, overwrite=True)
    assert made.server.read_bytes() != before
    assert _mode(made.server_key) == 0o600


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CertificatesError, match="file"):
        make_certificates(tmp_path / "file", HOSTS, 1, NOW, overwrite=True)


def _certs(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["certs", *map(str, arguments)])


def test_command_prints_settings_that_the_node_takes(tmp_path: Path) -> None:
    """What is printed between the words is a settings file."""
    answer = _certs(tmp_path / "certs", "--host", "node.example.org")
    assert answer.exit_code == 0, answer.output
    printed = answer.output.split("\n\n")[1]
    site = tmp_path / "site.toml"
    site.write_text(printed)
    settings = load_settings(site, {})
    check_tls_files(settings.tls, NOW + timedelta(minutes=1))
    assert _names(tmp_path / "certs" / "server.pem") == ["node.example.org"]
    again = _certs(tmp_path / "certs")
    assert (again.exit_code, "--force" in again.output) == (1, True)
    assert _certs(tmp_path / "certs", "--force").exit_code == 0
    assert "localhost" in _names(tmp_path / "certs" / "server.pem")


def test_command_refuses_what_is_no_host(tmp_path: Path) -> None:
    answer = _certs(tmp_path, "--host", "a b")
    assert answer.exit_code == 2
    assert "a host is a name" in answer.output


# Checked before a start


def test_good_files_pass_without_a_warning(made: MadeCertificates) -> None:
    settings = server_settings(made)
    check_tls_files(settings, NOW)
    assert list(tls_warnings(settings, NOW)) == []


def test_no_files_pass() -> None:
    check_tls_files(TlsSettings(), NOW)


def _missing(made: MadeCertificates) -> None:
    made.server.unlink()


def _no_certificate(made: MadeCertificates) -> None:
    made.server.write_text("hello")


def _key_in_place_of_certificate(made: MadeCertificates) -> None:
    made.ca.write_bytes(made.server_key.read_bytes())


def _no_key(made: MadeCertificates) -> None:
    made.server_key.write_bytes(made.server.read_bytes())


def _another_key(made: MadeCertificates) -> None:
    made.server_key.write_bytes(made.client_key.read_bytes())


def _key_with_pass_phrase(made: MadeCertificates) -> None:
    key = serialization.load_pem_private_key(made.server_key.read_bytes(), None)
    made.server_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


def _expired(made: MadeCertificates) -> None:
    expired_in(made.folder)


def _of_tomorrow(made: MadeCertificates) -> None:
    made_in(made.folder, now=NOW + timedelta(days=1))


def test_old_authority_beside_a_valid_one_is_a_warning(
    made: MadeCertificates, tmp_path: Path
) -> None:
    old = expired_in(tmp_path / "old")
    made.ca.write_bytes(old.ca.read_bytes() + made.ca.read_bytes())
    settings = server_settings(made)
    check_tls_files(settings, NOW)
    (warning,) = tls_warnings(settings, NOW)
    assert f"{made.ca}: the certificate of CN=Hounsfield test authority expired on" in warning


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_missing, r"tls.certificate: .*server.pem cannot be read: No such file"),
        (_no_certificate, r"tls.certificate: .*server.pem holds no certificate in PEM form"),
        (_key_in_place_of_certificate, r"tls.ca: .*ca.pem holds no certificate"),
        (_no_key, r"tls.key: .*server.key holds no private key"),
        (_another_key, r"tls.key: .*server.key is not the key of the certificate in .*server.pem"),
        (_key_with_pass_phrase, r"tls.key: .*server.key is protected by a pass phrase"),
        (_expired, r"tls.certificate: .*server.pem expired on \d{4}"),
        (_of_tomorrow, r"server.pem is valid from .* clock"),
    ],
)
def test_file_that_cannot_be_used_is_named_with_the_reason(
    made: MadeCertificates, spoil: Callable[[MadeCertificates], None], words: str
) -> None:
    spoil(made)
    with pytest.raises(TlsFilesError, match=words):
        check_tls_files(server_settings(made), NOW)


def test_what_openssl_refuses_is_an_error_too(made: MadeCertificates) -> None:
    """A key that is too short today, in a certificate that is otherwise good."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    good = x509.load_pem_x509_certificate(made.server.read_bytes())
    authority = serialization.load_pem_private_key((made.folder / "ca.key").read_bytes(), None)
    weak = x509.CertificateBuilder(
        good.issuer,
        good.subject,
        key.public_key(),
        good.serial_number,
        good.not_valid_before_utc,
        good.not_valid_after_utc,
    ).sign(authority, good.signature_hash_algorithm)
    made.server.write_bytes(weak.public_bytes(serialization.Encoding.PEM))
    made.server_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(TlsFilesError, match=r"OpenSSL refuses .*server.pem"):
        check_tls_files(server_settings(made), NOW)


def test_end_that_is_near_and_a_key_for_all_to_read_are_warnings(made: MadeCertificates) -> None:
    made.server_key.chmod(0o644)
    warnings = list(tls_warnings(server_settings(made), NOW + timedelta(days=350)))
    assert len(warnings) == 3
    assert "server.pem: the certificate of CN=localhost expires on" in warnings[0]
    assert "ca.pem: the certificate of CN=Hounsfield test authority expires on" in warnings[1]
    assert "server.key can be read by every user" in warnings[2]


def test_running_node_is_told_of_the_end_before_and_after_it(made: MadeCertificates) -> None:
    watch = CertificateWatch(server_settings(made))

    def logged(days: int) -> list[str]:
        with structlog.testing.capture_logs() as events:
            watch.tick(NOW + timedelta(days=days))
        return [f"{event['log_level']} {event['reason']}" for event in events]

    assert logged(0) == []
    assert [line.split(" on ")[0].rsplit(" ")[-1] for line in logged(350)] == ["expires"] * 2
    assert [line.split(" on ")[0].rsplit(" ")[-1] for line in logged(370)] == ["expired"] * 2
    made.server_key.unlink()
    assert logged(0) == [f"error tls.key: {made.server_key} cannot be read: " + NO_SUCH_FILE]


def test_check_config_checks_the_files_too(made: MadeCertificates, tmp_path: Path) -> None:
    """Before the restart, not at it."""
    site = tmp_path / "site.toml"
    site.write_text(
        f'[tls]\nport = 2762\ncertificate = "{made.server}"\nkey = "{made.client_key}"\n'
        f'ca = "{made.ca}"\n'
    )
    wrong = CliRunner().invoke(main, ["check-config", str(site)])
    assert wrong.exit_code == 2
    assert "is not the key of the certificate" in wrong.output
    site.write_text(site.read_text().replace("client.key", "server.key"))
    right = CliRunner().invoke(main, ["check-config", str(site)])
    assert right.exit_code == 0
    assert "TLS on port 2762: client certificates required" in right.output
