"""Timers of the keys of one call."""

from __future__ import annotations

from ..context import Context
from ..errors import Error
from ..values import Timestamp
from .calls import Clock, Timer
from .state import State

_NAMES = {Clock.EVENT_TIME: "watermark", Clock.PROCESSING_TIME: "epoch's time"}


class Timers:
    """The timers of one key, on two clocks: event time is the watermark, processing time the epoch's time.

    A key may have any number of them; the same one twice is one. A timer fires once, after the rows of the first epoch in which its
    clock has reached it, and is gone then.
    """

    def __init__(self, cx: Context) -> None:
        self._clocks = {Clock.EVENT_TIME: _OfClock(cx.watermark), Clock.PROCESSING_TIME: _OfClock(cx.now)}
        self._key = 0

    def set(self, clock: Clock, at: int) -> None:
        """Sets a timer. One that the clock has reached already is an error: see :meth:`earliest`."""
        of = self._clocks[clock]
        if of.reached is not None and at <= of.reached:
            shown, reached = Timestamp(at), Timestamp(of.reached)
            raise Error.permanent(f"a timer at {shown} is not after the {_NAMES[clock]}, {reached}")
        of.set.append(int(at))

    def replace(self, clock: Clock, at: int) -> None:
        """Sets a timer in the place of all that the key has on this clock."""
        self.clear_all(clock)
        self.set(clock, at)

    def clear(self, clock: Clock, at: int) -> None:
        """Takes a timer back; nothing, if it is not set."""
        of = self._clocks[clock]
        of.set = [one for one in of.set if one != at]
        of.cleared.append(int(at))

    def clear_all(self, clock: Clock) -> None:
        """Takes all timers back that the key has on this clock."""
        of = self._clocks[clock]
        of.set, of.cleared, of.all = [], [], True

    def earliest(self, clock: Clock) -> Timestamp:
        """The earliest that a timer can be set to: just after what the clock has reached."""
        reached = self._clocks[clock].reached
        return Timestamp(-(1 << 63) if reached is None else reached + 1)

    # For those who call the plugin's function.

    def begin(self, key: int) -> None:
        """Begins with a key. What was not kept of the one before is as it was."""
        self._key = key
        for of in self._clocks.values():
            of.set, of.cleared, of.all = [], [], False

    def keep(self) -> None:
        """Keeps what was done for the key."""
        for of in self._clocks.values():
            of.keep(self._key)

    def write(self, state: State) -> None:
        """Tells the host, at most three times a clock."""
        for clock, of in self._clocks.items():
            state.clear_all_timers(clock, of.alls)
            state.clear_timers(clock, of.clears)
            state.set_timers(clock, [Timer(key, at) for key, times in of.sets.items() for at in times])


class _OfClock:
    def __init__(self, reached: int | None) -> None:
        #: What the clock has reached.
        self.reached = reached
        # Of the key that is being worked on: set, cleared, and whether all from before are cleared.
        self.set: list[int] = []
        self.cleared: list[int] = []
        self.all = False
        # Of all keys. The host is told to clear first.
        self.sets: dict[int, list[int]] = {}
        self.clears: list[Timer] = []
        self.alls: list[int] = []

    def keep(self, key: int) -> None:
        """Adds what was done for a key. What came of the same key before in this call gives way to it."""
        before = [] if self.all else [at for at in self.sets.get(key, []) if at not in self.cleared]
        if self.all:
            self.alls.append(key)
        self.clears += [Timer(key, at) for at in self.cleared]
        self.sets[key] = before + self.set
