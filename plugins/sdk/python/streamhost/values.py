"""Values that Python's own types do not hold as Arrow does: days and moments of any year."""

from __future__ import annotations

import datetime as _datetime

_EPOCH_DAY = _datetime.date(1970, 1, 1).toordinal()
_UTC_EPOCH = _datetime.datetime(1970, 1, 1, tzinfo=_datetime.timezone.utc)
_EPOCH = _datetime.datetime(1970, 1, 1)
_MICROSECOND = _datetime.timedelta(microseconds=1)
_DAY = 86_400_000_000
_LAST = (1 << 63) - 1


class Date(int):
    """Days since 1970-01-01. It is an ``int``, so every DATE has one; Python's own dates end with the year 9999."""

    __slots__ = ()

    @classmethod
    def of(cls, date: _datetime.date) -> Date:
        """The day of Python's date."""
        return cls(date.toordinal() - _EPOCH_DAY)

    def date(self) -> _datetime.date:
        """As Python's date: ``OverflowError`` or ``ValueError`` beyond the years 1 to 9999."""
        return _datetime.date.fromordinal(self + _EPOCH_DAY)

    def __str__(self) -> str:
        # Years begin in March here, so that a leap day is a year's last.
        era, day = divmod(int(self) + 719_468, 146_097)
        year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
        day -= 365 * year + year // 4 - year // 100
        month = (5 * day + 2) // 153
        day -= (153 * month + 2) // 5 - 1
        month, late = (month + 3, 0) if month < 10 else (month - 9, 1)
        return f"{era * 400 + year + late:04}-{month:02}-{day:02}"

    def __repr__(self) -> str:
        return f"Date({int(self)})"


class Timestamp(int):
    """Microseconds since 1970-01-01T00:00:00Z. It is an ``int``, so every TIMESTAMP has one."""

    __slots__ = ()

    @classmethod
    def of(cls, moment: _datetime.datetime) -> Timestamp:
        """The moment of Python's datetime; one without a zone is taken as it stands."""
        return cls((moment - (_EPOCH if moment.tzinfo is None else _UTC_EPOCH)) // _MICROSECOND)

    def datetime(self) -> _datetime.datetime:
        """As Python's datetime in UTC: ``OverflowError`` beyond the years 1 to 9999."""
        return _UTC_EPOCH + _datetime.timedelta(microseconds=int(self))

    def date(self) -> Date:
        """The day of the moment, in UTC."""
        return Date(int(self) // _DAY)

    def __add__(self, other: int | _datetime.timedelta) -> Timestamp:
        """Later by microseconds or a ``timedelta``. The last moment there is stays the last."""
        return Timestamp(min(int(self) + _micros(other), _LAST))

    def __sub__(self, other: int | _datetime.timedelta) -> Timestamp:
        """Earlier by as much; ``at.since(other)`` is the time between two."""
        return Timestamp(max(int(self) - _micros(other), -_LAST - 1))

    def since(self, other: Timestamp) -> int:
        """The microseconds from another moment to this one."""
        return int(self) - int(other)

    def __str__(self) -> str:
        """``2025-03-01T12:00:00.000001Z``, with as much of the fraction as there is."""
        day, micros = divmod(int(self), _DAY)
        seconds, fraction = divmod(micros, 1_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        if fraction == 0:
            return f"{Date(day)}T{clock}Z"
        shown = f"{fraction // 1000:03}" if fraction % 1000 == 0 else f"{fraction:06}"
        return f"{Date(day)}T{clock}.{shown}Z"

    def __repr__(self) -> str:
        return f"Timestamp({int(self)})"


def _micros(length: int | _datetime.timedelta) -> int:
    if isinstance(length, _datetime.timedelta):
        return length // _MICROSECOND
    return int(length)
