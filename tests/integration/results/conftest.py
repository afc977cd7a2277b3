"""Results of every kind, as files, from one run on each kind of source."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.support.every_kind import Results, Source, results_of

ResultsOn = Callable[[str], Results]


@pytest.fixture(scope="session")
def results_on(tmp_path_factory: pytest.TempPathFactory) -> ResultsOn:
    """Everything that is made of a series of CT, MR or PET; do not change the files."""

    @cache
    def make(kind: str) -> Results:
        folder = tmp_path_factory.mktemp(kind)
        return results_of(Source(folder / "source", kind), folder / "results")

    return make
