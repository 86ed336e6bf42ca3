"""Adds a column that is another one divided by a number."""

import streamhost
from streamhost import Batch, BooleanColumn, Column, Error
from streamhost.types import Float, Int


@streamhost.config
class Config:
    """What is divided by what."""

    column: str = "value"
    """The column of numbers."""
    as_: str | None = None
    """The new column's name; `normalized_` and the column's by default."""
    divisor: float = 100.0
    """What each value is divided by."""
    above: float | None = None
    """Keeps only rows whose value is greater."""


def reads(config: Config) -> list[str]:
    return [config.column]


@streamhost.map(reads=reads)
def normalize(batch: Batch, config: Config) -> dict[str, Column] | tuple[BooleanColumn, dict[str, Column]]:
    """Adds the quotient; null stays null."""
    if config.divisor == 0:
        raise Error.invalid("config: `divisor` is 0")
    column = batch[config.column]
    kind = column.type
    if not isinstance(kind, (Int, Float)) or kind == Float(16) or (isinstance(kind, Int) and not kind.signed):
        raise Error.invalid(f"column `{config.column}` has type {kind}, which is no number to divide")
    added = {config.as_ or f"normalized_{config.column}": column / config.divisor}
    if config.above is None:
        return added
    return column > config.above, added
