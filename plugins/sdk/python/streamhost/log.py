"""Lines of the plugin's log, which the host puts into its own. ``print`` writes lines of the level ``info``."""

from __future__ import annotations

from . import host


def trace(message: object) -> None:
    """What only helps to follow each step."""
    host.write_log("trace", str(message))


def debug(message: object) -> None:
    """What helps to find a fault."""
    host.write_log("debug", str(message))


def info(message: object) -> None:
    """What an operator may like to know."""
    host.write_log("info", str(message))


def warn(message: object) -> None:
    """What was wrong and was dealt with."""
    host.write_log("warn", str(message))


def error(message: object) -> None:
    """What someone has to look at."""
    host.write_log("error", str(message))
