"""The image and the compose file against the code they package; no Docker engine is needed."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import yaml
from pynetdicom.ae import ApplicationEntity

from config import CONFIG_VARIABLE, Settings, load_settings
from pipeline.warm_up import warm_up
from scp.cli import main
from scp.receive.contexts import VERIFICATION
from tests.support.certificates import made_in, server_settings
from tests.support.open_node import opened
from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docker"
_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - read, not bound
_MIB = 2**20
_UNITS = {"m": _MIB, "g": 2**30}
_NEEDS_NETWORK = re.compile(r"\b(pip|apt|apt-get|curl|wget|git|apk|npm)\b")


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, its lines joined."""

    verb: str
    rest: str

    @property
    def arguments(self) -> list[str]:
        """The words of an exec form, or of a plain instruction."""
        form = self.rest.find("[")
        words = json.loads(self.rest[form:]) if form >= 0 else shlex.split(self.rest)
        return [str(word) for word in words]


def _stages() -> list[list[Instruction]]:
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text("utf-8"), flags=re.M)
    stages: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, text.replace("\\\n", " ").splitlines())):
        verb, _, rest = line.partition(" ")
        if verb == "FROM":
            stages.append([])
        stages[-1].append(Instruction(verb, rest.strip()))
    return stages


def _final(verb: str) -> Instruction:
    """The one instruction of this kind in the final stage."""
    (found,) = [instruction for instruction in _stages()[-1] if instruction.verb == verb]
    return found


def _image_environment() -> dict[str, str]:
    pairs = (word.split("=", 1) for word in _final("ENV").arguments)
    return {name: value for name, value in pairs if name != "PATH"}


def _copied_from_context() -> list[str]:
    sources: list[str] = []
    for instruction in (instruction for stage in _stages() for instruction in stage):
        words = instruction.rest.split()
        if instruction.verb == "COPY" and not words[0].startswith("--from"):
            sources += words[:-1]
    return sources


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of the compose file, with the defaults of its variables filled in."""
    text = (FOLDER / "compose.yaml").read_text("utf-8")
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    loaded: dict[str, Any] = yaml.safe_load(text)["services"]
    return loaded


@pytest.fixture
def environment(services: dict[str, Any]) -> dict[str, str]:
    """What the node's process sees: the image's environment and the compose file's on top."""
    added: dict[str, str] = services["hounsfield"].get("environment", {})
    return _image_environment() | added


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The node's settings in the container."""
    return load_settings(FOLDER / "site.toml", environment)


@pytest.fixture
def orthanc(services: dict[str, Any]) -> dict[str, Any]:
    """Orthanc's own settings."""
    loaded: dict[str, Any] = json.loads(services["orthanc"]["environment"]["ORTHANC_JSON"])
    return loaded


def _bytes(size: str) -> int:
    return int(size[:-1]) * _UNITS[size[-1]]


def _mounts(services: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [mount for mount in services["hounsfield"]["volumes"] if mount["type"] == kind]


def _run_hounsfield(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as from a host's shell, which knows no variables of the container."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith("HOUNSFIELD_")}
    return subprocess.run(
        [sys.executable, "-m", "scp", *arguments],
        env=plain,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _check_health(environment: dict[str, str], port: int) -> subprocess.CompletedProcess[str]:
    """Run the image's health check against a port of this machine."""
    own = environment | {
        CONFIG_VARIABLE: str(FOLDER / "site.toml"),
        "HOUNSFIELD_NODE__PORT": str(port),
    }
    return subprocess.run(
        [sys.executable, str(FOLDER / "health_check.py")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def _verification_scp(ae_title: str) -> Iterator[int]:
    """A C-ECHO provider on a free port; it rejects who calls another AE title."""
    entity = ApplicationEntity(ae_title)
    entity.require_called_aet = True
    entity.add_supported_context(VERIFICATION)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


# The settings


def test_site_file_of_the_container_passes_check_config() -> None:
    """What compose.yaml mounts is a good settings file on its own, too."""
    result = _run_hounsfield("check-config", "docker/site.toml")
    assert result.returncode == 0, result.stderr
    assert "ORTHANC@orthanc:4242" in result.stdout


def test_environment_of_the_container_is_known_and_changes_nothing_in_its_site_file(
    environment: dict[str, str], settings: Settings
) -> None:
    """Every HOUNSFIELD_ variable is a setting, and site.toml does not say otherwise."""
    ours = {name: text for name, text in environment.items() if name.startswith("HOUNSFIELD_")}
    assert len(ours) > 1
    assert settings == load_settings(FOLDER / "site.toml", {})


def test_container_listens_on_every_address_whatever_its_site_file_says(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """A site file made for a machine, with its own address and folder, does no harm."""
    site = tmp_path / "site.toml"
    site.write_text('[node]\nhost = "127.0.0.1"\nstate = "/srv/elsewhere"\n', "utf-8")
    node = load_settings(site, environment).node
    assert node.host == _EVERY_ADDRESS
    assert str(node.state_folder) == _final("VOLUME").rest


def test_results_go_to_orthanc(
    settings: Settings, services: dict[str, Any], orthanc: dict[str, Any]
) -> None:
    """The destination is the service of that name, under the AE title and port it is given."""
    (name,) = {name for route in settings.routes for name in route.destinations}
    address = settings.peers[name].address
    assert address.host in services
    assert (address.ae_title, address.port) == (orthanc["DicomAet"], orthanc["DicomPort"])
    assert orthanc["DicomAlwaysAllowStore"] is True


def test_orthanc_knows_the_node(
    settings: Settings, services: dict[str, Any], orthanc: dict[str, Any]
) -> None:
    """A study can be sent from Orthanc's page, so its entry has the node's title, host and port."""
    ((ae_title, host, port),) = orthanc["DicomModalities"].values()
    assert (ae_title, port) == (settings.node.ae_title, settings.node.port)
    assert host in services


# The compose file


def test_folders_and_files_that_compose_names_are_there(services: dict[str, Any]) -> None:
    """Build context, Dockerfile and every bind mount's source exist."""
    build = services["hounsfield"]["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    mounts = _mounts(services, "bind")
    assert mounts
    for mount in mounts:
        assert (FOLDER / mount["source"]).is_file(), mount["source"]
        assert mount["read_only"] is True


def test_state_folder_is_a_volume(settings: Settings, services: dict[str, Any]) -> None:
    """What must survive the container is on the volume, and the image agrees where."""
    (mount,) = _mounts(services, "volume")
    assert mount["target"] == str(settings.node.state_folder) == _final("VOLUME").rest


def test_site_file_is_mounted_where_the_image_reads_it(
    services: dict[str, Any], environment: dict[str, str]
) -> None:
    """HOUNSFIELD_CONFIG is a bind mount's target."""
    targets = [mount["target"] for mount in _mounts(services, "bind")]
    assert targets == [environment[CONFIG_VARIABLE]]


def test_node_port_is_published_on_loopback_only(
    settings: Settings, services: dict[str, Any]
) -> None:
    """Opening the node to a network is the site's decision; the image exposes the same port."""
    (published,) = services["hounsfield"]["ports"]
    address, _, inside = published.split(":")
    assert address == "127.0.0.1"
    assert int(inside) == settings.node.port == int(_final("EXPOSE").rest)
    assert all(port.startswith("127.0.0.1:") for port in services["orthanc"]["ports"])


def test_node_has_no_privileges_and_a_read_only_root(services: dict[str, Any]) -> None:
    """Only the volume and /tmp can be written."""
    node = services["hounsfield"]
    assert node["read_only"] is True
    assert node["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in node["security_opt"]
    assert [entry.partition(":")[0] for entry in node["tmpfs"]] == ["/tmp"]  # noqa: S108


def test_workers_fit_into_the_memory_of_the_container(
    settings: Settings, services: dict[str, Any]
) -> None:
    """The workers' limits are reached before the container's, which would end the whole node."""
    engine = settings.engine
    assert engine.workers > 0
    assert engine.memory_limit_mb > 0
    left = _bytes(services["hounsfield"]["mem_limit"])
    left -= engine.workers * engine.memory_limit_mb * _MIB
    assert left >= 1024 * _MIB


# The image


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    """Every COPY source exists and is let through by .dockerignore, and nothing else is."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    let_through = {line[1:] for line in lines if line.startswith("!")}
    copied = _copied_from_context()
    assert let_through == set(copied)
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_every_import_package_is_in_the_image() -> None:
    """The packages of the wheel are copied, so that none is missing at run time."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(
        _copied_from_context()
    )


def test_version_label_is_the_projects() -> None:
    """The label does not stay behind."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    labels = dict(word.split("=", 1) for word in _final("LABEL").arguments)
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]


def test_only_hashed_dependencies_are_installed() -> None:
    """Each installation either checks hashes or takes no dependencies."""
    runs = [item.rest for stage in _stages() for item in stage if item.verb == "RUN"]
    installs = [run for run in runs if " install " in run and "pip" in run]
    assert len(installs) == 2
    assert all("--require-hashes" in run or "--no-deps" in run for run in installs)


def test_final_stage_fetches_nothing() -> None:
    """What comes from the network comes into the builder."""
    runs = [item.rest for item in _stages()[-1] if item.verb == "RUN"]
    assert [run for run in runs if _NEEDS_NETWORK.search(run)] == []


def test_machine_code_is_made_with_the_image_and_else_kept_on_the_volume(
    environment: dict[str, str],
) -> None:
    """Compiled beside the kernels, which are copied; what is compiled later outlives a start."""
    runs = [item.rest for item in _stages()[0] if item.verb == "RUN"]
    program = shlex.split(runs[-1])
    assert program[:3] == ["/opt/hounsfield/bin/python", "-B", "-c"]
    assert program[3] == f"from {warm_up.__module__} import warm_up; warm_up()"
    assert Path(environment["NUMBA_CACHE_DIR"]).is_relative_to(_final("VOLUME").rest)


def test_node_runs_as_the_user_that_owns_the_state_folder() -> None:
    """Neither root by number nor by name, and the folder is made for this user."""
    user, group = _final("USER").rest.split(":")
    assert int(user) > 0
    assert int(group) > 0
    made = _final("RUN").rest
    assert f"--uid {user} --gid hounsfield" in made
    assert f"--gid {group}" in made
    assert f"install -d -o hounsfield -g hounsfield -m 0700 {_final('VOLUME').rest}" in made


def test_container_runs_a_command_of_ours_and_signals_reach_it() -> None:
    """Exec form: no shell between SIGTERM and the node, which takes it."""
    (program,) = _final("ENTRYPOINT").arguments
    assert program == "hounsfield"
    assert _final("ENTRYPOINT").rest.startswith("[")
    assert _final("CMD").arguments[0] in main.list_commands(click.Context(main))
    assert _final("STOPSIGNAL").rest == "SIGTERM"


# The health check


def test_health_check_is_a_file_of_the_image() -> None:
    """The script that HEALTHCHECK runs is the one that is copied."""
    program, script = _final("HEALTHCHECK").arguments
    assert program == "python"
    assert f"docker/health_check.py {script}" in {
        item.rest for item in _stages()[-1] if item.verb == "COPY"
    }


def test_health_check_passes_where_the_node_answers(environment: dict[str, str]) -> None:
    """The AE title is that of the site file, the port that of the environment."""
    with _verification_scp("HOUNSFIELD") as port:
        result = _check_health(environment, port)
    assert result.returncode == 0, result.stderr
    assert "answers C-ECHO" in result.stdout


def test_health_check_speaks_tls_where_nothing_else_is_taken(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """With the node's own certificate, which is made out to another host."""
    made = made_in(tmp_path / "certs", hosts=("node.example.org",))
    tls = server_settings(made, free_port())
    closed = {
        "HOUNSFIELD_NODE__PLAINTEXT": "false",
        "HOUNSFIELD_TLS__PORT": str(tls.port),
        "HOUNSFIELD_TLS__CERTIFICATE": str(made.server),
        "HOUNSFIELD_TLS__KEY": str(made.server_key),
        "HOUNSFIELD_TLS__CA": str(made.ca),
    }
    with opened(tmp_path, tls=tls) as node:
        result = _check_health(environment | closed, node.plain_port)
    assert result.returncode == 0, result.stderr
    assert f":{tls.port} answers C-ECHO with TLS" in result.stdout


def test_health_check_follows_another_ae_title(environment: dict[str, str]) -> None:
    """A node that was given another AE title is still found healthy."""
    with _verification_scp("CT_NODE") as port:
        result = _check_health(environment | {"HOUNSFIELD_NODE__AE_TITLE": "CT_NODE"}, port)
    assert result.returncode == 0, result.stderr


def test_health_check_fails_with_status_1_where_the_node_rejects(
    environment: dict[str, str],
) -> None:
    """Docker reserves every status but 0 and 1."""
    with _verification_scp("SOMEBODY_ELSE") as port:
        result = _check_health(environment, port)
    assert result.returncode == 1
    assert "rejected" in result.stderr


def test_health_check_fails_with_status_1_where_the_settings_are_broken(
    environment: dict[str, str],
) -> None:
    """Settings that the node could not start on again are an answer, not a traceback."""
    result = _check_health(environment | {"HOUNSFIELD_NODE__RECEIVERS": "many"}, 11112)
    assert result.returncode == 1
    assert "receivers" in result.stderr
    assert "Traceback" not in result.stderr
