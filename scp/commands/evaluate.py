"""``hounsfield evaluate``."""

import sys
from pathlib import Path

import click

from pipeline.dataset import plan_evaluation
from scp.commands.common import stop
from scp.commands.dataset_options import SOURCE, workers_option
from scp.dataset_run import complain, run_jobs
from scp.evaluation_report import print_comparisons
from scp.log import silence_libraries


@click.command("evaluate")
@click.argument("predicted", type=SOURCE)
@click.argument("truth", type=SOURCE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
@workers_option
def command(*, predicted: Path, truth: Path, as_json: bool, workers: int | None) -> None:
    """Compare a segmentation with the truth, label by label; or a folder with a folder.

    Both are NIfTI label maps or DICOM Segmentations, in any mixture, on one grid. Files of two
    folders are paired by name. Exit status 1 if a pair could not be compared.
    """
    silence_libraries()
    try:
        jobs = plan_evaluation(predicted, truth)
    except (OSError, ValueError) as error:
        stop(str(error))
    outcomes = run_jobs(jobs, "Comparing", workers)
    failures = [outcome for outcome in outcomes if outcome.result is None]
    compared = [outcome.result for outcome in outcomes if outcome.result is not None]
    print_comparisons(compared, failures, as_json=as_json)
    complain([failure.reason for failure in failures], style="red")
    if failures:
        sys.exit(1)
