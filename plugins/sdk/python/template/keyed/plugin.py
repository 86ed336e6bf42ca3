"""Tells of each visit of a user when it has ended: when the watermark is past its last event by two minutes."""

from dataclasses import dataclass
from datetime import timedelta

import streamhost
from streamhost import Clock, Fired, Group, Timers, Timestamp, Value

GAP = timedelta(minutes=2)


@dataclass
class User:
    """The columns of the key."""

    user_id: int


@dataclass
class Event:
    """The columns that the plugin reads."""

    at: Timestamp


@dataclass
class Visit:
    """What is kept of a user."""

    start: Timestamp
    end: Timestamp
    events: int


@dataclass
class Ended:
    """The columns of the rows that leave."""

    user_id: int
    start: Timestamp
    end: Timestamp
    events: int


def ended(user: User, fired: Fired, visit: Value[Visit]) -> Ended | None:
    """Ends the visit."""
    last, visit.value = visit.value, None
    return Ended(user.user_id, last.start, last.end, last.events) if last else None


@streamhost.keyed(expired=ended)
def visits(user: User, events: Group[Event], visit: Value[Visit], timers: Timers) -> Ended | None:
    """Adds the events of an epoch to the user's visit."""
    for event in events:
        if visit.value is None:
            visit.value = Visit(event.at, event.at, 0)
        now = visit.value
        now.start, now.end, now.events = min(now.start, event.at), max(now.end, event.at), now.events + 1
    if visit.value is not None:
        timers.replace(Clock.EVENT_TIME, visit.value.end + GAP)
    return None
