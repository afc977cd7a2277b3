"""What holds for the whole project: lint, types, layers, packaging, the README's commands."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check"),
        ("ruff", "format", "--check"),
        ("mypy",),
        ("lint-imports",),
    ],
    ids=" ".join,
)
def test_tool_is_content(command: tuple[str, ...]) -> None:
    """Lint, format, strict types and the contracts between layers."""
    answer = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_ci_runs_the_readmes_test_command() -> None:
    """The line that .ci/run takes out of the README is the second command."""
    pattern = re.search(r"grep -m 1 '(.*)' README.md", (ROOT / ".ci" / "run").read_text())
    assert pattern is not None
    line = next(line for line in README.splitlines() if re.search(pattern[1], line))
    assert line.startswith("python3 -m venv .venv && ")
    assert "tests/constraints.txt" in line


def test_first_command_ends_in_the_demonstration() -> None:
    """One line makes the environment, installs and runs."""
    assert re.search(r"^python3 -m venv .*constraints\.txt .* && .*/hounsfield demo$", README, re.M)


@pytest.mark.parametrize("path", ["constraints.txt", "tests/constraints.txt"])
def test_constraints_hold_names_versions_and_hashes_only(path: str) -> None:
    """No address of a package registry, and a hash for every version."""
    lines = (ROOT / path).read_text().splitlines()
    for line in lines:
        assert re.fullmatch(
            r"[a-z0-9-]+==[^ ]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
        ), line


def test_constraints_pin_every_dependency() -> None:
    """Each requirement of pyproject.toml is in the file that installs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for path, requirements in (
        ("constraints.txt", project["dependencies"]),
        ("tests/constraints.txt", project["optional-dependencies"]["test"]),
    ):
        pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / path).read_text(), re.M))
        wanted = {re.split(r"[<>=]", requirement)[0] for requirement in requirements}
        assert wanted <= pinned


def test_every_local_link_of_the_readme_leads_somewhere() -> None:
    """A reader who follows a link finds the page."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_is_in_the_readme() -> None:
    """What the command offers, the README names."""
    answer = subprocess.run(
        [sys.executable, "-m", "scp", "--help"], capture_output=True, text=True, check=True
    )
    commands = re.findall(r"^  ([a-z-]+)  ", answer.stdout.split("Commands:")[1], re.M)
    assert commands
    for name in commands:
        assert f"hounsfield {name}" in README
