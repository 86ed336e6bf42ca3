"""Gives every row back, with every value of every column read and written anew."""

import streamhost
from streamhost import Batch, column


@streamhost.transform
def echo(batch: Batch) -> Batch:
    """The same rows, from Python's own values."""
    columns = [column(field.type, one.to_pylist()) for field, one in zip(batch.schema, batch.columns)]
    return Batch(batch.schema, columns, batch.num_rows)
