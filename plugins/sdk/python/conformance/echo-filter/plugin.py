"""Keeps the rows whose first column is not null, by its values as Python has them."""

import streamhost
from streamhost import Batch, BooleanColumn, compute


@streamhost.filter
def keep(batch: Batch) -> BooleanColumn:
    """The rows whose first value is not ``None``."""
    return compute.mask([value is not None for value in batch[0].to_pylist()])
