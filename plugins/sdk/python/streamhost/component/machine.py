"""A component's machine: what it has of clocks, randomness and places to write to. Imported before the plugin is.

Functions that WASI would serve trap without it, and a trap says nothing. These say what to use instead, or answer what a replay
would: the epoch's time.
"""

from __future__ import annotations

import io
import os
import sys
import time
from typing import Any, NoReturn

#: The epoch's time in microseconds.
now = 0


def begin(micros: int) -> None:
    """Begins with a call, of an epoch of this time."""
    global now
    now = micros


def _nanoseconds() -> int:
    return now * 1000


def _seconds() -> float:
    return now / 1_000_000


def _no_sleep(seconds: float) -> NoReturn:
    raise RuntimeError("a plugin cannot sleep: the host waits for it")


def _no_random(size: int) -> NoReturn:
    raise RuntimeError("a plugin has no randomness: a replay has to give the same")


def install() -> None:
    """Puts them in the places of Python's."""
    for name in ("time", "monotonic", "perf_counter", "process_time"):
        setattr(time, name, _seconds)
        setattr(time, f"{name}_ns", _nanoseconds)
    time.sleep = _no_sleep
    os.urandom = _no_random


class _Lines(io.TextIOBase):
    """A stream whose lines go to the log."""

    def __init__(self, level: str) -> None:
        self.level = level
        self.rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        from .. import host

        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            host.write_log(self.level, line)
        return len(text)


def speak() -> None:
    """Lets ``print`` and what goes to standard error write to the log; before, while the component is built, they are the builder's."""
    if not isinstance(sys.stdout, _Lines):
        out: Any = _Lines("info")
        err: Any = _Lines("warn")
        sys.stdout, sys.stderr = out, err
