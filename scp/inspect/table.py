"""A survey as a table on a terminal."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from scp.inspect.sparkline import BLOCKS, PLAIN
from scp.inspect.survey import SeriesSurvey, Unreadable, Verdict
from scp.inspect.words import Line, Tone, listed, series_lines, volume_lines

_LABEL_WIDTH = 16
_NAMED_REASONS = 8
_NAMED_FILES = 3


def terminal() -> Console:
    """Where tables go; nothing in a text is taken for markup."""
    return Console(markup=False, highlight=False)


def print_series(console: Console, survey: SeriesSurvey, picture: Path | None) -> None:
    """Print a series: what it holds, what is built of it or why nothing is.

    Parameters
    ----------
    console
        Where to.
    survey
        The series.
    picture
        Where its picture is; None where none was drawn.
    """
    print_heading(console, f"Series {survey.series_instance_uid}")
    print_lines(console, series_lines(survey))
    for volume in survey.volumes:
        print_lines(console, volume_lines(volume, _ramp(console)))
    if picture:
        print_lines(console, [Line("picture", str(picture))])
    console.print()


def print_heading(console: Console, text: str) -> None:
    """Print a line that begins a part."""
    console.print(Text(_printable(text, console), style="bold"), soft_wrap=True)


def print_lines(console: Console, lines: Iterable[Line]) -> None:
    """Print lines, labels in a column; long ones are left to the terminal to break."""
    for line in lines:
        label = Text(f"  {line.label:<{_LABEL_WIDTH}}", style="cyan")
        console.print(
            label, Text(_printable(line.text, console), style=line.tone), sep="", soft_wrap=True
        )


def print_summary(
    console: Console, verdicts: Sequence[Verdict], unreadable: Sequence[Unreadable]
) -> None:
    """Print what came of all, and which files were passed over."""
    counts = {verdict: list(verdicts).count(verdict) for verdict in Verdict}
    bad = counts[Verdict.REFUSED] or not counts[Verdict.VOLUME]
    console.print(
        Text(
            f"{len(verdicts)} series: {counts[Verdict.VOLUME]} rebuilt, "
            f"{counts[Verdict.REFUSED]} refused, {counts[Verdict.NO_IMAGE]} without image slices.",
            style=Tone.BAD if bad else Tone.GOOD,
        ),
        soft_wrap=True,
    )
    if unreadable:
        heading = f"{len(unreadable)} file(s) passed over:"
        console.print(Text(heading, style=Tone.REMARK), soft_wrap=True)
        for text in _passed_over(unreadable):
            console.print(Text(_printable(f"  {text}", console)), soft_wrap=True)


def _passed_over(unreadable: Sequence[Unreadable]) -> Iterator[str]:
    """A line for each reason: a damaged slice is not to be lost among text files."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for item in unreadable:
        by_reason[item.reason.replace(item.path.name, "the file")].append(str(item.path))
    rarest_first = sorted(by_reason.items(), key=lambda entry: len(entry[1]))
    for reason, names in rarest_first[:_NAMED_REASONS]:
        yield f"{len(names)} x {reason} {listed(names, _NAMED_FILES)}"
    if len(rarest_first) > _NAMED_REASONS:
        yield "and others; --json names all"


def _ramp(console: Console) -> str:
    return BLOCKS if console.encoding.startswith("utf") else PLAIN


def _printable(text: str, console: Console) -> str:
    """The text without what could steer a terminal, in characters that it has."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown.encode(console.encoding, "replace").decode(console.encoding)
