"""What the host gives a plugin for one call."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from ..batch import Batch
from ..errors import Error
from ..schema import Schema


class Clock(enum.Enum):
    """What timers are set on: the watermark, or the epoch's time."""

    EVENT_TIME = 0
    PROCESSING_TIME = 1


class Timer(NamedTuple):
    """A timer of a key of a call."""

    #: The row of its key in the call's keys.
    key: int
    #: Microseconds since the Unix epoch.
    at: int


@dataclass(frozen=True)
class Input:
    """The columns that come in."""

    #: Those of the keys, in the order of the step's ``keys``.
    keys: Schema
    #: Those of the rows, which the plugin reads.
    rows: Schema


class Groups:
    """The rows of some keys, in the order of the keys."""

    def __init__(self, keys: Batch, starts: list[int], rows: Batch, more: bool) -> None:
        ends = [*starts, rows.num_rows]
        ordered = all(a <= b for a, b in zip(ends, ends[1:])) and (not starts or starts[0] == 0)
        if len(starts) != keys.num_rows or not ordered:
            raise Error.permanent("the host's groups do not fit their rows")
        #: A row for each key.
        self.keys = keys
        #: The rows, of one key after the other; those of a key in the order in which they came.
        self.rows = rows
        self._ends = ends
        self._more = more

    def __len__(self) -> int:
        return self.keys.num_rows

    def range(self, key: int) -> range:
        """Which rows are those of the key at ``key``."""
        return range(self._ends[key], self._ends[key + 1])

    def more(self, key: int) -> bool:
        """Whether more rows of the key follow in the next call, which is the same epoch's: only ever of the last key."""
        return self._more and key + 1 == len(self)


class FiredTimers:
    """Timers that are due. They are gone already."""

    def __init__(self, clock: Clock, keys: Batch, timers: list[Timer]) -> None:
        if any(timer.key >= keys.num_rows for timer in timers):
            raise Error.permanent("the host's timers do not fit their keys")
        #: The clock that they were set on.
        self.clock = clock
        #: A row for each key that has one of them.
        self.keys = keys
        #: By their time, and those of the same time by their key.
        self.timers = timers
