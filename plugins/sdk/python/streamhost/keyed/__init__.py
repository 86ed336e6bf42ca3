"""Plugins that keep state for each key: Spark's mapGroupsWithState, flatMapGroupsWithState and transformWithState.

``@streamhost.keyed`` makes one of a function that is called for each key, with dataclasses for key, rows and state. Where columns
are only known from the configuration, or a table is too large to be read whole, make a subclass of :class:`Keyed`: it works on all
keys of a call at once.
"""

from .bound import Before, Keyed, Output, Plan
from .calls import Clock, FiredTimers, Groups, Input, Timer
from .group import Fired, Group
from .held import Value
from .state import Entries, OpenTable, State, Store
from .tables import Table
from .timers import Timers

__all__ = [
    "Before",
    "Clock",
    "Entries",
    "Fired",
    "FiredTimers",
    "Group",
    "Groups",
    "Input",
    "Keyed",
    "OpenTable",
    "Output",
    "Plan",
    "State",
    "Store",
    "Table",
    "Timer",
    "Timers",
    "Value",
]
