"""The ``hounsfield`` command: one module of `scp.commands` a command, imported when called."""

from importlib import import_module
from typing import NamedTuple

import click


class _Entry(NamedTuple):
    module: str
    summary: str


_COMMANDS = {
    "brain-mask": _Entry("brain_mask", "Find the brain in NIfTI volumes."),
    "certs": _Entry("certs", "Make certificates to try TLS with."),
    "check-config": _Entry("check_config", "Check a settings file."),
    "commitments": _Entry("commitments", "List requests for storage commitment."),
    "demo": _Entry("demo", "Show the whole way on this machine."),
    "echo": _Entry("echo", "Verify a peer by C-ECHO."),
    "evaluate": _Entry("evaluate", "Compare segmentations with the truth."),
    "hold": _Entry("hold", "Hold a series back until it is released."),
    "inspect": _Entry("inspect", "Show what files hold and what is built of it, or why not."),
    "jobs": _Entry("jobs", "List series and jobs."),
    "lungs": _Entry("lungs", "Label the lungs in NIfTI volumes."),
    "mip": _Entry("mip", "Make sliding projections of NIfTI volumes."),
    "phantom": _Entry("phantom", "Write a chest phantom, to send by hand."),
    "prepare": _Entry("prepare", "Prepare DICOM cases for the grt123 networks."),
    "rejected": _Entry("rejected", "List rejected associations, and why."),
    "release": _Entry("release", "Release a series that is held."),
    "retry": _Entry("retry", "Run a job again."),
    "route": _Entry("route", "Say which routes a file's series takes, and why not the others."),
    "run": _Entry("run", "Run a pipeline on a folder of DICOM files."),
    "series": _Entry("series", "Tell the whole story of a series."),
    "serve": _Entry("serve", "Run the node."),
}


class _LazyGroup(click.Group):
    """Imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = import_module(f"scp.commands.{entry.module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="hounsfield", prog_name="hounsfield")
def main() -> None:
    """Hounsfield: a DICOM node that gives a PACS a dependable image-analysis service.

    A modality or PACS sends a series by C-STORE; the node stores it safely, rebuilds the volume,
    runs the pipelines that the site's routes name, and sends the results (SEG, derived series)
    back into the same study.
    """
