"""``hounsfield route``."""

import json
from pathlib import Path

import click

from config import AeTitle, Settings
from pipeline.errors import UnreadableInstanceError
from pipeline.instance import read_instance
from scp.commands.common import USAGE_ERROR, settings_option, stop
from scp.log import silence_libraries
from scp.route import SeriesFacts, Verdict, judge


@click.command("route")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--calling", default="", help="AE title that would send it.")
@click.option("--called", help="AE title that it would be sent to; by default the node's own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of lines.")
@settings_option
def command(
    *, file: Path, calling: str, called: str | None, as_json: bool, settings: Settings
) -> None:
    """Say which routes the series of a DICOM FILE would take, and why not the others.

    Nothing is sent and nothing runs. Exit status 1 if no route takes it.
    """
    silence_libraries()
    verdicts = judge(settings.routes, _facts(file, calling, called or settings.node.ae_title))
    if as_json:
        click.echo(json.dumps([_document(verdict) for verdict in verdicts], indent=2))
    else:
        for verdict in verdicts:
            click.echo("\n".join(_lines(verdict)))
    if not any(verdict.is_taken for verdict in verdicts):
        stop("No route takes it: it would be kept, and nothing would run.")


def _facts(file: Path, calling: str, called: str) -> SeriesFacts:
    try:
        titles = [AeTitle.parse(title) if title else "" for title in (calling, called)]
        instance = read_instance(file)
    except UnreadableInstanceError as error:
        stop(str(error))
    except ValueError as error:
        stop(f"--calling and --called: {error}", USAGE_ERROR)
    modality = str(instance.elements.get("Modality") or "")
    return SeriesFacts(modality, titles[0], titles[1], instance.header)


def _document(verdict: Verdict) -> dict[str, object]:
    route = verdict.route
    return {
        "route": route.name,
        "taken": verdict.is_taken,
        "why_not": list(verdict.why_not),
        "pipelines": list(route.pipelines),
        "destinations": list(route.destinations),
    }


def _lines(verdict: Verdict) -> list[str]:
    route = verdict.route
    if verdict.is_taken:
        where = ", ".join(route.destinations) or "the state folder only"
        return [f"{route.name}: taken; {', '.join(route.pipelines)} -> {where}"]
    return [f"{route.name}: not taken", *(f"  {reason}" for reason in verdict.why_not)]
