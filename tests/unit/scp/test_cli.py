"""The commands, as far as they need no running node."""

from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner, Result

from pipeline.phantom import chest_phantom, write_phantom
from scp.cli import main

ROOT = Path(__file__).parents[3]


def invoke(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "command",
    [
        "certs",
        "check-config",
        "commitments",
        "demo",
        "echo",
        "jobs",
        "phantom",
        "rejected",
        "retry",
        "run",
        "serve",
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    """--help names the usage and has a sentence."""
    answer = invoke(command, "--help")
    assert answer.exit_code == 0
    assert f"{command} [OPTIONS]" in answer.output
    assert len(answer.output.splitlines()) > 5


def test_help_lists_the_commands_in_words() -> None:
    """A newcomer sees what there is."""
    answer = invoke("--help")
    assert "Run a pipeline on a folder of DICOM files." in answer.output


def test_an_unknown_command_is_refused() -> None:
    """With click's usage error."""
    answer = invoke("sevre")
    assert answer.exit_code == 2
    assert "No such command 'sevre'" in answer.output


def test_check_config_accepts_the_example() -> None:
    """And says what the node would do."""
    answer = invoke("check-config", ROOT / "config" / "examples" / "site.toml")
    assert answer.exit_code == 0
    assert "route" in answer.output


def test_check_config_names_every_error_in_one_run(tmp_path: Path) -> None:
    """Exit status 2; each wrong key, type and value with its place and what is allowed."""
    path = tmp_path / "site.toml"
    path.write_text(
        '[node]\nport = 99999\nae_titel = "X"\nreceivers = "two"\n'
        '[[routes]]\nname = "a"\npipelines = ["nothing"]\ndestinations = ["nobody"]\n'
    )
    answer = invoke("check-config", path)
    assert answer.exit_code == 2
    for words in ("port", "65535", "ae_titel", "ae_title", "receivers", "nothing", "nobody"):
        assert words in answer.output
    assert "Traceback" not in answer.output


def test_jobs_without_a_node_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has run yet: a sentence, exit status 1, and no ledger made."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    answer = invoke("jobs")
    assert answer.exit_code == 1
    assert "no node has run" in answer.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("peer", "status", "words"),
    [
        ("ORTHANC", 2, "host"),
        ("ORTHANC@127.0.0.1:99999", 2, "65535"),
        ("ORTHANC@127.0.0.1:1", 1, "cannot be reached"),
    ],
)
def test_echo_tells_a_wrong_address_from_a_silent_peer(peer: str, status: int, words: str) -> None:
    """Exit status 2 for the address, 1 for the peer."""
    answer = invoke("echo", peer, "--timeout", "2")
    assert answer.exit_code == status
    assert words in answer.output


def test_run_refuses_an_unknown_pipeline(tmp_path: Path) -> None:
    """The message lists those there are."""
    answer = invoke("run", tmp_path, tmp_path / "out", "--pipeline", "brain")
    assert answer.exit_code == 2
    assert "chest" in answer.output


def test_run_takes_each_series_by_itself(tmp_path: Path) -> None:
    """A good series, a broken one and a stray file: results for one, a reason for the other."""
    write_phantom(tmp_path / "in" / "good", chest_phantom(slices=40, size=128))
    broken = write_phantom(
        tmp_path / "in" / "broken", chest_phantom(slices=40, size=16), study_seed="broken"
    )
    broken[20].unlink()
    (tmp_path / "in" / "notes.txt").write_text("no DICOM")
    answer = invoke("run", tmp_path / "in", tmp_path / "out", "--pipeline", "chest")
    assert answer.exit_code == 1
    assert answer.output.count("no result") == 1
    assert "1 slice(s) are missing" in answer.output
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 42


def test_run_says_why_a_note_cannot_be_made(tmp_path: Path) -> None:
    """The series that come after are run none the less."""
    broken = write_phantom(tmp_path / "in" / "broken", chest_phantom(slices=40, size=16))
    for path in broken[::2]:
        path.unlink()
    for path in broken[1::2]:
        dataset = pydicom.dcmread(path)
        del dataset.StudyInstanceUID
        dataset.SeriesInstanceUID = "1.2"
        dataset.save_as(path)
    write_phantom(tmp_path / "in" / "good", chest_phantom(slices=40, size=128))
    answer = invoke(
        "run", tmp_path / "in", tmp_path / "out", "--pipeline", "chest", "--kind", "note"
    )
    assert answer.exit_code == 1
    assert "no note of it could be made" in answer.output
    assert answer.output.count("Series ") >= 2
    assert answer.output.index("Series 1.2:") < answer.output.index("Series 2.25")


def test_run_on_an_empty_folder_says_so(tmp_path: Path) -> None:
    """No DICOM is a failure, not a silent success."""
    answer = invoke("run", tmp_path, tmp_path / "out", "--pipeline", "chest")
    assert answer.exit_code == 1
    assert "No DICOM files" in answer.output


def test_run_refuses_a_time_that_is_none(tmp_path: Path) -> None:
    """The option is named."""
    arguments = ("run", tmp_path, tmp_path / "o", "--pipeline", "chest", "--content-time", "noon")
    answer = invoke(*arguments)
    assert answer.exit_code == 2
    assert "--content-time noon" in answer.output
