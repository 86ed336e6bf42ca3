"""Adds each column once more, with ``_again`` behind its name and every value read and written anew."""

import streamhost
from streamhost import Batch, Field, Schema, column


@streamhost.map
def again(batch: Batch) -> Batch:
    """The new columns, from Python's own values."""
    fields = [Field(f"{field.name}_again", field.type) for field in batch.schema]
    columns = [column(one.type, one.to_pylist()) for one in batch.columns]
    return Batch(Schema(fields), columns, batch.num_rows)
