"""Points in time as a PET header tells them, with or without a time zone.

Source: PS3.5 section 6.2 (DA, TM, DT), PS3.3 section C.12.1.1.8 (Timezone Offset From UTC).
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# Hours without minutes are allowed by the standard, and too coarse for the decay of a nuclide.
_TIME = re.compile(r"(\d\d):?(\d\d)(?::?(\d\d)(\.\d{1,6})?)?")
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_DATE_TIME = re.compile(r"(\d{8})(\d{4}(?:\d\d(?:\.\d{1,6})?)?)([+-]\d{4})?")
_ZONE = re.compile(r"([+-])(\d\d)(\d\d)")


class TimeError(Exception):
    """A time is missing, no time, or not to be compared; the message says which."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time.

    Parameters
    ----------
    local
        Date and time of day where it was noted.
    zone
        Offset from UTC, such as ``+0100``; empty where the header does not say.
    """

    local: datetime
    zone: str

    @property
    def date(self) -> str:
        """The date where it was noted, as DICOM writes it."""
        return self.local.strftime("%Y%m%d")

    def later(self, delay: timedelta) -> "Moment":
        """The moment some time later."""
        return replace(self, local=self.local + delay)

    def __sub__(self, other: "Moment") -> timedelta:
        """Give the time from another moment to this one.

        Raises
        ------
        TimeError
            One has a time zone and the other has none.
        """
        if bool(self.zone) != bool(other.zone):
            raise TimeError("one time has a time zone, another has none")
        return self._in_utc - other._in_utc

    @property
    def _in_utc(self) -> datetime:
        return self.local - _offset(self.zone)


def moment_from_date_time(text: str, zone: str, name: str) -> Moment:
    """Read a DT value.

    Parameters
    ----------
    text
        The value.
    zone
        The header's offset from UTC, for a value without one; may be empty.
    name
        What to call it in an error.

    Raises
    ------
    TimeError
        It is missing, damaged, or not given to the minute.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise _unusable(text, name)
    date, time, own_zone = match.groups()
    return moment_from_date_and_time(date, time, own_zone or zone, name)


def moment_from_date_and_time(date: str, time: str, zone: str, name: str) -> Moment:
    """Read a DA and a TM value.

    Parameters
    ----------
    date, time
        The values.
    zone
        The header's offset from UTC; may be empty.
    name
        What to call them in an error.

    Raises
    ------
    TimeError
        One is missing, damaged, or not given to the minute.
    """
    day, clock = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if day is None or clock is None:
        raise _unusable(date and time, name)
    hours, minutes, seconds, fraction = clock.groups(default="0")
    try:
        year, month, day_of_month = (int(part) for part in day.groups())
        midnight = datetime(year, month, day_of_month)  # noqa: DTZ001 - the zone is kept apart
        _offset(zone)
    except ValueError as error:
        raise _unusable(date, name) from error
    since_midnight = timedelta(
        hours=int(hours), minutes=int(minutes), seconds=int(seconds) + float(fraction)
    )
    return Moment(midnight + since_midnight, zone)


def _unusable(text: str, name: str) -> TimeError:
    return TimeError(f"{name} cannot be read" if text else f"{name} is missing")


def _offset(zone: str) -> timedelta:
    """An offset from UTC; none where the header does not say.

    Raises
    ------
    ValueError
        It is not written as one.
    """
    if not zone:
        return timedelta()
    match = _ZONE.fullmatch(zone)
    if match is None:
        raise ValueError(zone)
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if sign == "-" else offset
