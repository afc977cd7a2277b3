"""The ``hounsfield`` command."""

import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, NoReturn, ParamSpec, TypeVar

import click

from config import CONFIG_VARIABLE, PeerAddress, Settings, SettingsError, load_settings

P = ParamSpec("P")
R = TypeVar("R")

_USAGE_ERROR = 2
_ECHO_TIMEOUT_S = 10.0
_FOLDER = click.Path(file_okay=False, path_type=Path)
_EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _with_settings(
    command: Callable[Concatenate[Settings, P], R],
) -> Callable[Concatenate[Path | None, P], R]:
    """Give a command ``--config`` and hand it the settings in its place."""

    @click.option(
        "--config",
        "config_file",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=CONFIG_VARIABLE,
        help="Settings file (TOML). Without it: embedded defaults.",
    )
    @wraps(command)
    def wrapper(config_file: Path | None, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            settings = load_settings(config_file)
        except SettingsError as error:
            _stop(str(error), _USAGE_ERROR)
        return command(settings, *args, **kwargs)

    return wrapper


def _stop(message: str, status: int = 1) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(status)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hounsfield", prog_name="hounsfield")
def main() -> None:
    """Hounsfield: a DICOM node that gives a PACS a dependable image-analysis service.

    A modality or PACS sends a series by C-STORE; the node stores it safely, rebuilds the volume,
    runs the pipelines that the site's routes name, and sends the results (SEG, derived series)
    back into the same study.
    """


@main.command()
@_with_settings
def serve(settings: Settings) -> None:
    """Run the node until it is told to stop (Ctrl-C or SIGTERM).

    Without --config it starts on embedded defaults: this machine only, port 11112, a state folder
    in the user's data directory, results kept there.
    """
    from scp.ledger import LedgerError
    from scp.log import configure_logging
    from scp.node import Node
    from scp.receive.process import ReceiverStartError
    from scp.state_folder import StateFolderError

    configure_logging(settings.log.level, settings.log.format)
    context = click.get_current_context()
    if context.params["config_file"] is None:
        click.echo(_on_defaults(settings), err=True)
    node = Node(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: node.stopping.set())
    try:
        node.run()
    except (StateFolderError, LedgerError, ReceiverStartError) as error:
        _stop(f"Hounsfield cannot start: {error}")


def _on_defaults(settings: Settings) -> str:
    node = settings.node
    return (
        "No settings file: running on embedded defaults.\n"
        f"  AE title {node.ae_title}, {node.host}:{node.port}\n"
        f"  state folder {node.state_folder}\n"
        "  no destination is set, so results stay in the state folder's results/\n"
        "Write a settings file and name it with --config to change this "
        "(docs/configuration.md)."
    )


@main.command("check-config")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def check_config(file: Path) -> None:
    """Check a settings FILE: every wrong key, type or value is named. Exit status 2 if any."""
    from scp.summary import describe_settings

    try:
        settings = load_settings(file)
    except SettingsError as error:
        _stop(str(error), _USAGE_ERROR)
    click.echo(f"{file}: good")
    click.echo(describe_settings(settings))


@main.command()
@click.argument("peer", metavar="AE@HOST:PORT")
@click.option("--calling", default="HOUNSFIELD", show_default=True, help="Our AE title.")
@click.option(
    "--timeout", "timeout_s", default=_ECHO_TIMEOUT_S, show_default=True, help="Seconds to wait."
)
def echo(peer: str, calling: str, timeout_s: float) -> None:
    """Verify a peer by C-ECHO, for example: hounsfield echo ORTHANC@127.0.0.1:4242."""
    from scp.log import silence_libraries
    from scp.send import AssociationError
    from scp.send import echo as verify

    silence_libraries()
    try:
        address = PeerAddress.parse(peer)
        verify(calling, address, timeout_s)
    except ValueError as error:
        _stop(f"{peer}: {error}", _USAGE_ERROR)
    except AssociationError as error:
        _stop(str(error))
    click.echo(f"{address} answers C-ECHO")


@main.command()
@click.argument("folder", type=_EXISTING_FOLDER)
@click.argument("out", type=_FOLDER)
@click.option("--pipeline", "pipeline_name", required=True, help="A pipeline of the settings.")
@_with_settings
def run(settings: Settings, folder: Path, out: Path, pipeline_name: str) -> None:
    """Run a pipeline on a FOLDER of DICOM files and write the results into OUT.

    No network and no state: every series in the folder is taken by itself. The embedded settings
    know the pipeline 'chest'. Exit status 1 if a series gave no result.
    """
    from config.assemble import build_pipeline
    from scp.folder_run import run_folder
    from scp.log import silence_libraries

    silence_libraries()
    try:
        pipeline = build_pipeline(settings, pipeline_name)
    except SettingsError as error:
        _stop(str(error), _USAGE_ERROR)
    if not run_folder(folder, out, pipeline):
        sys.exit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
@_with_settings
def jobs(settings: Settings, as_json: bool) -> None:
    """List series and jobs with state, reason and times, while the node runs or not."""
    from scp.ledger import LedgerError
    from scp.summary import print_jobs

    try:
        print_jobs(settings, as_json=as_json)
    except LedgerError as error:
        _stop(str(error))


@main.command()
@click.argument("job", type=int)
@_with_settings
def retry(settings: Settings, job: int) -> None:
    """Run a JOB again, under the settings as they are now. Its number is in 'hounsfield jobs'.

    A job that failed is queued; so is one that is done, and gives the same results under the same
    settings. Deliveries that were set aside are tried again. A running node takes the job up at
    once, a stopped one when it starts.
    """
    from scp.ledger import LedgerError
    from scp.retry import RetryError, retry_job

    try:
        retry_job(settings, job)
    except (LedgerError, RetryError) as error:
        _stop(str(error))
    click.echo(f"Job {job} is queued again.")


@main.command()
@click.option("--keep", is_flag=True, help="Leave node and PACS running, to try them by hand.")
@click.option(
    "--out",
    type=_FOLDER,
    help="Folder for the demonstration's files. Without it: a new one in the present folder.",
)
@click.option("--slices", default=128, show_default=True, help="Slices of the phantom.")
def demo(keep: bool, out: Path | None, slices: int) -> None:
    """Show the whole way: a phantom is sent, processed, and its results arrive at a PACS.

    Starts a node, a small stand-in PACS and a sender on free ports of this machine; nothing else
    is touched.
    """
    from scp.demo.show import DemoError, show

    try:
        show(out, keep=keep, slices=slices)
    except DemoError as error:
        _stop(f"The demonstration failed: {error}")


@main.command()
@click.argument("folder", type=_FOLDER)
@click.option("--slices", default=128, show_default=True, help="Slices of the chest.")
def phantom(folder: Path, slices: int) -> None:
    """Write the demonstration's chest phantom into FOLDER, to send by hand."""
    from pipeline.phantom import chest_phantom, write_phantom

    paths = write_phantom(folder, chest_phantom(slices=slices))
    click.echo(f"{len(paths)} CT slices in {folder}")
