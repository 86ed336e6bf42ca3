"""Keeps the rows whose value is above a threshold."""

from dataclasses import dataclass

import streamhost


@streamhost.config
class Config:
    """What the pipeline may set."""

    threshold: float = 10.0
    """Values up to this one are dropped."""


@dataclass
class Event:
    """The columns that the plugin reads."""

    value: float | None


@streamhost.filter
def keep(event: Event, config: Config) -> bool:
    """Whether a row is kept."""
    return event.value is not None and event.value > config.threshold
