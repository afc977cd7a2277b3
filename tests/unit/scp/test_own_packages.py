"""The guard on our import names."""

import pytest

from scp.own_packages import ForeignPackageError, check_import_names


def test_this_environment_is_ours_alone() -> None:
    """No other distribution shares our names here."""
    assert check_import_names() is None


def test_a_stranger_is_named() -> None:
    """The message names the distribution and the package."""
    with pytest.raises(ForeignPackageError, match="other-config installs a package named 'config'"):
        check_import_names({"config": ["hounsfield", "other-config"], "scp": ["hounsfield"]})
