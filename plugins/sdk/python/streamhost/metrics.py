"""Numbers that the host shows with its own metrics, under the plugin's name."""

from __future__ import annotations

from . import host


def counter(name: str, add: int = 1) -> None:
    """Adds to a counter."""
    host.write_counter(name, add)


def gauge(name: str, value: float) -> None:
    """Sets a value that goes up and down."""
    host.write_gauge(name, float(value))
