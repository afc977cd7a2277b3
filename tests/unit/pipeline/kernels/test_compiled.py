"""Kernels in processes of their own: what one compiles the next one loads, wherever it can."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

# A superuser may write anywhere, unless this is taken away.
_WITHOUT_SPECIAL_RIGHTS = ("setpriv", "--bounding-set=-dac_override")
_CALL = """
import numpy as np
from pipeline.kernels.packed import lowest_bit
assert lowest_bit(np.uint64(40)) == 3
stats = lowest_bit.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), stats.cache_path)
"""
_FAILURE = """
import numba
from pipeline.kernels.packed import lowest_bit
try:
    lowest_bit("no number")
except numba.TypingError:
    assert lowest_bit._cache._locked is None
    print(0, sum(lowest_bit.stats.cache_misses.values()), lowest_bit.stats.cache_path)
"""


class Site:
    """An installation of the package in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.kernels = folder / "pipeline" / "kernels"
        self._folder = folder

    @property
    def kept(self) -> Path:
        """Where code is kept beside the kernels."""
        return self.kernels / "__pycache__" / "kernels"

    def call(
        self, code: str = _CALL, *, by: tuple[str, ...] = (), **environment: str
    ) -> tuple[int, int, str]:
        """Call a kernel in a new process: codes found, codes compiled, and where they are kept."""
        outside = {name: text for name, text in os.environ.items() if "CACHE" not in name}
        done = subprocess.run(
            [*by, sys.executable, "-c", code],
            env=outside | {"PYTHONPATH": str(self._folder), "HOME": os.devnull} | environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        hits, misses, folder = done.stdout.split()
        return int(hits), int(misses), folder

    def call_read_only(self, **environment: str) -> tuple[int, int, str]:
        """The same, with nobody allowed to write to the installation."""
        by = _WITHOUT_SPECIAL_RIGHTS if os.getuid() == 0 else ()
        if by and shutil.which(by[0]) is None:
            pytest.skip("the superuser cannot be kept from writing on this machine")
        paths = (self._folder, *self._folder.rglob("*"))
        modes = [(path, path.stat().st_mode) for path in paths]
        for path, mode in modes:
            path.chmod(mode & 0o555)
        try:
            return self.call(by=by, **environment)
        finally:
            for path, mode in modes:
                path.chmod(mode)


@pytest.fixture(scope="module")
def compiled_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, with the code of the kernel beside it."""
    folder = tmp_path_factory.mktemp("site")
    source = Path(pipeline.__file__).parent
    shutil.copytree(source, folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    made = Site(folder).call()
    assert made[:2] == (0, 1)
    assert Path(made[2]).parent == Site(folder).kept
    return folder


@pytest.fixture
def site(compiled_site: Path, tmp_path: Path) -> Site:
    """A copy to change."""
    shutil.copytree(compiled_site, tmp_path / "site")
    return Site(tmp_path / "site")


def test_second_process_does_not_compile(site):
    assert site.call()[:2] == (1, 0)


def test_torn_code_is_compiled_anew_and_mended(site):
    files = [path for path in site.kept.rglob("*") if path.is_file()]
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:-7])

    assert site.call()[:2] == (0, 1)
    assert site.call()[:2] == (1, 0)


def test_code_for_another_processor_is_not_used(site):
    """A container's image is built on one machine and runs on others."""
    assert site.call(NUMBA_CPU_NAME="generic")[:2] == (0, 1)


def test_change_of_another_kernel_is_seen(site):
    """It may be one that is called, and so a part of the code."""
    runs = site.kernels / "runs.py"
    runs.write_text(runs.read_text() + "\n# changed\n")

    assert site.call()[:2] == (0, 1)


def test_code_is_kept_where_the_environment_says(site, tmp_path):
    shutil.rmtree(site.kept)

    result = site.call(NUMBA_CACHE_DIR=str(tmp_path / "chosen"))

    assert result[:2] == (0, 1)
    assert Path(result[2]).parent == tmp_path / "chosen" / "hounsfield"
    assert not site.kept.exists()


def test_code_is_kept_in_the_users_cache_where_the_installation_is_read_only(site, tmp_path):
    shutil.rmtree(site.kept)
    home = tmp_path / "home"
    home.mkdir()

    first, second = (site.call_read_only(HOME=str(home)) for _ in range(2))

    assert (first[:2], second[:2]) == ((0, 1), (1, 0))
    assert Path(second[2]).is_relative_to(home / ".cache" / "hounsfield")


def test_read_only_installation_without_a_home_compiles_in_the_process(site):
    shutil.rmtree(site.kept)

    assert site.call_read_only() == (0, 1, "None")


def test_code_shipped_in_a_read_only_installation_is_used(site):
    assert site.call_read_only() == (1, 0, "None")


def test_kernel_that_does_not_compile_is_let_go_of(site):
    """Other processes would wait for it."""
    assert site.call(_FAILURE)[:2] == (0, 1)
