"""When results were first made: written into them, and the same for ever."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from scp.ledger.schema import content_time


def frozen_time(
    connection: Connection, settings_digest: str, sop_instance_uids: Sequence[str], now: datetime
) -> datetime:
    """The time at which settings were first run on instances; the present one where they were not.

    Results have the same UIDs whenever settings and instances are the same, so they must have the
    same times inside, whatever was run in between and whichever job runs it.

    Parameters
    ----------
    sop_instance_uids
        In a settled order.
    """
    content = json.dumps([settings_digest, list(sop_instance_uids)])
    key = hashlib.sha256(content.encode()).hexdigest()
    known: datetime | None = connection.scalar(
        select(content_time.c.time).where(content_time.c.key == key)
    )
    if known is not None:
        return known
    time = now.replace(microsecond=0)
    connection.execute(insert(content_time).values(key=key, time=time))
    return time
