"""Identity of results."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.encode import ResultContext


def test_uids_of_one_finding_differ_by_role(context: ResultContext) -> None:
    uids = {
        context.series_uid("lungs"),
        context.series_uid("other"),
        context.instance_uid("lungs", 1),
        context.instance_uid("lungs", 2),
        context.tracking_uid("lungs", 1),
        context.dimension_organization_uid("lungs"),
    }
    assert len(uids) == 6
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "other"},
        {"algorithm_version": "1.3"},
        {"settings_digest": "5f" * 32},
        {"input_digests": ("aa" * 32, "bc" * 32)},
        {"input_digests": ("aa" * 32,)},
    ],
)
def test_change_of_inputs_settings_or_version_gives_new_uids(
    change: dict[str, Any], context: ResultContext
) -> None:
    assert replace(context, **change).series_uid("lungs") != context.series_uid("lungs")


@pytest.mark.parametrize(
    "change",
    [
        {"input_digests": ("bb" * 32, "aa" * 32)},
        {"content_time": datetime(2030, 1, 1, tzinfo=UTC)},
    ],
)
def test_order_of_inputs_and_time_leave_the_uids(
    change: dict[str, Any], context: ResultContext
) -> None:
    assert replace(context, **change).series_uid("lungs") == context.series_uid("lungs")


def test_time_without_zone_is_refused(context: ResultContext) -> None:
    with pytest.raises(ValueError, match="time zone"):
        replace(context, content_time=context.content_time.replace(tzinfo=None))
