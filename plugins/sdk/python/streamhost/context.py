"""What a plugin may know of the epoch that it works in."""

from __future__ import annotations

from dataclasses import dataclass

from .values import Timestamp


@dataclass(frozen=True)
class Context:
    """The epoch: the only clock of a plugin that gives the same on a replay."""

    query: str = ""
    epoch: int = 0
    partition: int = 0
    #: 0 on the first try of this epoch, higher on a replay.
    attempt: int = 0
    #: Event time up to which rows have come; none before the first one.
    watermark: Timestamp | None = None
    #: Processing time, the same for the epoch and its replays.
    now: Timestamp = Timestamp(0)
