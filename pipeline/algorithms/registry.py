"""What an algorithm is to the pipeline, and which ones are installed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pipeline.errors import UnknownAlgorithmError
from pipeline.findings import Finding

if TYPE_CHECKING:
    # The settings are read by receivers too, which have no use for what decodes pixels.
    from pipeline.volume import Volume

ENTRY_POINT_GROUP = "hounsfield.algorithms"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm as the pipeline runs it: it takes a volume and writes no DICOM.

    Parameters
    ----------
    name
        As settings name it: lower case with hyphens.
    version
        Goes into every result's UIDs: raise it when results change.
    title
        A few words for people.
    modalities
        The Modality (0008,0060) values it is meant for.
    parameters
        A frozen dataclass whose fields all have defaults and are checked in ``__post_init__``
        with a ``ValueError`` that says what is allowed.
    analyse
        From a volume and parameters to findings.
    series_number_offset
        Where the block of its results' series numbers begins after a site's first one; a multiple
        of 100 below 1000.
    """

    name: str
    version: str
    title: str
    modalities: frozenset[str]
    parameters: type[Any]
    analyse: "Callable[[Volume, Any], tuple[Finding, ...]]"
    series_number_offset: int = 900


@cache
def installed() -> dict[str, Algorithm]:
    """Every algorithm that an installed package offers, by name.

    Source: entry points of the group ``hounsfield.algorithms``; a site's own are added by
    installing its package.
    """
    return {
        entry.name: entry.load()
        for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
    }


def find(name: str) -> Algorithm:
    """The algorithm of this name.

    Raises
    ------
    UnknownAlgorithmError
        None is installed under this name.
    """
    try:
        return installed()[name]
    except KeyError:
        raise UnknownAlgorithmError(
            f"No algorithm {name!r} is installed; there are: {', '.join(installed())}."
        ) from None
