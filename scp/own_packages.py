"""Our import names are common words: make sure that they are ours."""

from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions

_DISTRIBUTION = "hounsfield"
_IMPORT_NAMES = ("scp", "pipeline", "config")


class ForeignPackageError(Exception):
    """Another distribution installs a package under one of our names."""


def check_import_names(owners: Mapping[str, Sequence[str]] | None = None) -> None:
    """Refuse to run beside a distribution that shares an import name with us.

    Parameters
    ----------
    owners
        Distributions by import name; by default those of this environment.

    Raises
    ------
    ForeignPackageError
        Naming it, and what to do.
    """
    installed = packages_distributions() if owners is None else owners
    for name in _IMPORT_NAMES:
        strangers = sorted(set(installed.get(name, ())) - {_DISTRIBUTION})
        if strangers:
            raise ForeignPackageError(
                f"{', '.join(strangers)} installs a package named {name!r}, as Hounsfield does, "
                "and one hides the other. Give Hounsfield a virtual environment of its own."
            )
