"""What the host gives to every plugin. A component puts the host's functions here; natively lines go to Python's ``logging``."""

from __future__ import annotations

import logging
from collections.abc import Callable

_LOGGER = logging.getLogger("streamhost.plugin")
_LEVELS = {"trace": 5, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def _write(level: str, message: str) -> None:
    _LOGGER.log(_LEVELS[level], "%s", message)


def _counter(name: str, add: int) -> None:
    counters[name] = counters.get(name, 0) + add


def _gauge(name: str, value: float) -> None:
    gauges[name] = value


#: What native code has counted, for tests.
counters: dict[str, int] = {}
#: What native code has measured, for tests.
gauges: dict[str, float] = {}

write_log: Callable[[str, str], None] = _write
write_counter: Callable[[str, int], None] = _counter
write_gauge: Callable[[str, float], None] = _gauge
