"""What dicom3tools may say of our results, and why; all else is a mistake of ours."""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.every_kind import Results
from tests.support.tools import validator_lines

KNOWN_WARNINGS = {
    r"\(0x0071,0x1001\)  \?  - Warning - Unrecognized tag": "the receipt, in our private block",
    r"Warning - Unrecognized defined term <(MIP|MASKED)> for value 4 of attribute <Image Type>": (
        "value 4 of CT has defined terms, which may be extended; none of them is a projection"
    ),
}
KNOWN_DISAGREEMENTS = {
    r"Warning - Different information entities for attribute - Element=<AccessionNumber>": (
        "of reports it thinks that Accession Number is of the series"
    ),
    r"Error - Missing SOPInstanceUID that was referenced - 1\.2\.3\.1 for file .*rtstruct": (
        "it takes the study, which an RT Structure Set refers to, for an instance"
    ),
}


def without(known: Mapping[str, str], lines: Iterable[str]) -> list[str]:
    """The lines that begin with nothing that is known."""
    return [line for line in lines if not any(re.match(start, line) for start in known)]


def verdicts(paths: list[Path]) -> list[str]:
    """Errors and warnings of dciodvfy, each with the file."""
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda path: validator_lines("dciodvfy", [path]), paths))
    return [
        f"{line} [{path.name}]"
        for path, lines in zip(paths, said, strict=True)
        for line in lines
        if "Error" in line or "Warning" in line
    ]


def ends_of(results: Results) -> list[Path]:
    """The first and the last instance of each series: those between differ by their place."""
    series: dict[str, list[Path]] = {}
    for path in results.files:
        series.setdefault(path.stem.rpartition("-")[0], []).append(path)
    return [path for paths in series.values() for path in dict.fromkeys((paths[0], paths[-1]))]
