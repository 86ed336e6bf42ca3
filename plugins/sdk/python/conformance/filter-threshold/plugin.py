"""Keeps the rows whose number in one column passes a comparison."""

from typing import Literal

import streamhost
from streamhost import Batch, BooleanColumn, Error
from streamhost.compute import compare
from streamhost.types import Float, Int


@streamhost.config
class Config:
    """What is compared with what."""

    column: str = "value"
    """The column of numbers."""
    op: Literal[">", ">=", "<", "<=", "==", "!="] = ">"
    """How the column's value compares with the threshold in the rows that are kept."""
    threshold: int | float = 10
    """The number that values are compared with: a whole number, compared with whole numbers exactly, or a fraction."""


def reads(config: Config) -> list[str]:
    return [config.column]


@streamhost.filter(reads=reads)
def keep(batch: Batch, config: Config) -> BooleanColumn:
    """Keeps the rows whose value passes the comparison; null passes none."""
    column = batch[config.column]
    if not isinstance(column.type, (Int, Float)) or column.type in (Int(64, signed=False), Float(16)):
        raise Error.invalid(f"column `{config.column}` has type {column.type}, which is no number to compare")
    return compare(column, config.op, config.threshold, nan_largest=True)
