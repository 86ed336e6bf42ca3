"""Adds a column: the value as a share of a whole."""

from dataclasses import dataclass

import streamhost
from streamhost import Error


@streamhost.config
class Config:
    """What the pipeline may set."""

    whole: float = 100.0
    """What a share of 1 is."""


@dataclass
class Event:
    """The columns that the plugin reads."""

    value: float


@dataclass
class Added:
    """The columns that it adds."""

    share: float


@streamhost.map
def share(event: Event, config: Config) -> Added:
    """The added columns of a row."""
    if event.value < 0.0:
        raise Error.permanent(f"a share of {event.value:g} makes no sense")
    return Added(share=event.value / config.whole)
