"""Plugins for streamhost in Python.

A plugin is a function with a decorator, and its annotations say what it reads and gives::

    from dataclasses import dataclass
    import streamhost

    @dataclass
    class Event:
        value: float

    @streamhost.filter
    def keep(event: Event) -> bool:
        return event.value > 10.0
"""

from . import compute, log, metrics, types
from .batch import Batch
from .columns import BooleanColumn, BytesColumn, Column, FixedColumn, column, from_buffer
from .config import config
from .context import Context
from .decorators import batch_sink, filter, function, keyed, map, transform
from .errors import Error, RowErrors
from .keyed import Before, Clock, Fired, Group, Keyed, Timers, Value
from .rows import Float32, Int8, Int16, Int32, rename
from .schema import Field, Schema
from .sink import EpochRows, Outputs
from .values import Date, Timestamp

__all__ = [
    "Batch",
    "Before",
    "BooleanColumn",
    "BytesColumn",
    "Clock",
    "Column",
    "Context",
    "Date",
    "EpochRows",
    "Error",
    "Field",
    "Fired",
    "FixedColumn",
    "Float32",
    "Group",
    "Int16",
    "Int32",
    "Int8",
    "Keyed",
    "Outputs",
    "RowErrors",
    "Schema",
    "Timers",
    "Timestamp",
    "Value",
    "batch_sink",
    "column",
    "compute",
    "config",
    "filter",
    "from_buffer",
    "function",
    "keyed",
    "log",
    "map",
    "metrics",
    "rename",
    "transform",
    "types",
]

__version__ = "0.9.0"
