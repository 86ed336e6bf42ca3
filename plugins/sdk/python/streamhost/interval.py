"""Lengths of time as people write them: ``200ms``, ``90s``, ``10 minutes``, ``1h 30m``, ``2 days``."""

from __future__ import annotations

from datetime import timedelta

from .errors import Error

_MICROS = {
    **dict.fromkeys(("us", "µs", "microsecond", "microseconds"), 1),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1_000),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1_000_000),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000_000),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600_000_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000_000),
}


def parse(text: str) -> timedelta:
    """Reads a length of time as a pipeline file has it."""
    wrong = Error.invalid(f'`{text}` is no length of time; write for example "90s" or "10 minutes"')
    rest, total = text.strip(), None
    while rest:
        number, rest = _split(rest, lambda c: c.isascii() and c.isdigit())
        unit, rest = _split(rest.lstrip(), str.isalpha)
        if not number or unit not in _MICROS:
            raise wrong
        total = (total or 0) + int(number) * _MICROS[unit]
        rest = rest.lstrip(" ,")
    if total is None or total >= 1 << 64:
        raise wrong
    return timedelta(microseconds=total)


def _split(text: str, belongs) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    end = next((i for i, letter in enumerate(text) if not belongs(letter)), len(text))
    return text[:end], text[end:]
