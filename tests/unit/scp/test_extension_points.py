"""What our server needs of pynetdicom."""

import pytest
from pynetdicom.association import Association

from scp.receive.extension_points import missing_hooks


def test_the_installed_version_has_all() -> None:
    """Else receiving would be slower without anyone's notice."""
    assert missing_hooks() == []


def test_a_hook_that_is_gone_is_named() -> None:
    """A release that renames a method."""
    assert missing_hooks({Association: ("run_reactor", "gone")}) == ["Association.gone"]


@pytest.mark.parametrize(
    ("installed", "is_tested"),
    [("3.0.4", True), ("3.0.12", True), ("3.0.3", False), ("3.1.0", False), ("4.0.0.dev0", False)],
)
def test_untested_versions_are_told(installed: str, is_tested: bool) -> None:
    """The range is the one that the project depends on."""
    assert (not missing_hooks({}, installed)) is is_tested
