"""A component's machine: what it has of clocks, randomness, files and places to write to. Imported before the plugin is.

Functions that WASI would serve trap without it, and a trap says nothing. These say what to use instead, or answer what a replay
would: the epoch's time.
"""

from __future__ import annotations

import builtins
import io
import linecache
import os
import sys
import time
from typing import Any, NoReturn

from .. import host
from ..errors import told

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


def _no_file(path: Any = "", *_: Any, **__: Any) -> NoReturn:
    raise FileNotFoundError(f"a plugin has no files, so no {path!r}")


def install() -> None:
    """Puts clocks and randomness in the places of Python's, before the plugin's module takes them."""
    for name in ("time", "monotonic", "perf_counter", "process_time"):
        setattr(time, name, _seconds)
        setattr(time, f"{name}_ns", _nanoseconds)
    time.sleep = _no_sleep
    os.urandom = _no_random


class _NoMore:
    """The last of the finders of modules: all that there are were imported while the component was built."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> NoReturn:
        raise ModuleNotFoundError(
            f"module {name!r} is not in the component: import it at the top of the plugin's module", name=name
        )


def close() -> None:
    """Ends what only building needs: files, and with them imports and the source lines of stacks."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") != "PathFinder"]
    finder: Any = _NoMore
    sys.meta_path.append(finder)
    lines: Any = linecache
    lines.checkcache = lambda filename=None: None
    lines.updatecache = lambda filename, module_globals=None: []
    builtins.open = io.open = _no_file
    for name in ("stat", "lstat", "listdir", "scandir", "open", "mkdir", "remove", "rename"):
        setattr(os, name, _no_file)


class _Lines(io.TextIOBase):
    """A stream whose lines go to the log."""

    def __init__(self, level: str) -> None:
        self.level = level
        self.rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            host.write_log(self.level, line)
        return len(text)


def _hook(_: Any, error: BaseException, __: Any) -> None:
    host.write_log("error", told(error).message)


def speak() -> None:
    """Lets ``print`` and what goes to standard error write to the log; before, while the component is built, they are the builder's."""
    if not isinstance(sys.stdout, _Lines):
        out: Any = _Lines("info")
        err: Any = _Lines("warn")
        sys.stdout, sys.stderr, sys.excepthook = out, err, _hook
