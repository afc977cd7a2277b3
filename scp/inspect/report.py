"""Files to what the command prints and draws, series by series."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pipeline.kernels.compiled import threads
from pipeline.volume import RebuildPolicy
from scp.decoding import DecoderPool
from scp.inspect.document import found_document, series_document
from scp.inspect.picture import save_picture
from scp.inspect.survey import Advance, Verdict, files_in, read_series, survey_series
from scp.inspect.table import print_series, print_summary, terminal


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user wants to see.

    Parameters
    ----------
    policy
        How far the rebuild may go.
    pixels
        Whether to decode pixels.
    picture
        Where pictures go; with several series each gets a number behind the name.
    as_json
        A document in place of a table.
    """

    policy: RebuildPolicy
    pixels: bool
    picture: Path | None
    as_json: bool


def inspect_paths(paths: tuple[Path, ...], wishes: Wishes) -> bool:
    """Print what files and folders hold, and what would become of it.

    Returns
    -------
    Whether there is a volume and no series of images is refused.

    Raises
    ------
    OSError
        A folder cannot be read, or a picture not be written.
    """
    console = terminal()
    with _bar("Reading") as advance:
        found = read_series(files_in(paths), advance)
    verdicts, documents = [], []
    pictures = _picture_paths(wishes.picture, len(found.series))
    with DecoderPool(threads()) as pool:
        decoder = pool if wishes.pixels else None
        for instances, picture in zip(found.series.values(), pictures, strict=True):
            with _bar("Decoding") as advance:
                survey = survey_series(instances, wishes.policy, decoder=decoder, advance=advance)
            if picture:
                save_picture(survey, picture)
            verdicts.append(survey.verdict)
            if wishes.as_json:
                documents.append(series_document(survey, str(picture) if picture else None))
            else:
                print_series(console, survey, picture)
    if wishes.as_json:
        # Not by a console: it would break lines at the width of a terminal.
        click.echo(json.dumps(found_document(found, documents), indent=2, allow_nan=False))
    else:
        print_summary(console, verdicts, found.unreadable)
    return Verdict.VOLUME in verdicts and Verdict.REFUSED not in verdicts


def _picture_paths(picture: Path | None, count: int) -> list[Path | None]:
    """OUT.png for one series; OUT-001.png and so on for several."""
    if picture is None or count <= 1:
        return [picture] * count
    return [
        picture.with_name(f"{picture.stem}-{number:03d}{picture.suffix}")
        for number in range(1, count + 1)
    ]


@contextmanager
def _bar(title: str) -> Iterator[Advance]:
    """A bar on standard error, where a person sees it, until the work is done."""
    console = Console(stderr=True, markup=False, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, of: bars.update(task, completed=done, total=of)
