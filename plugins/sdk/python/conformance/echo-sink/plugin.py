"""Stores every row, with every value of every column read and written anew."""

import streamhost
from streamhost import Batch, EpochRows, Outputs, Schema, column


def outputs(config: None, input: Schema) -> dict[str, Schema]:
    return {"rows": input}


@streamhost.batch_sink(outputs=outputs)
def store(rows: EpochRows, outputs: Outputs) -> None:
    """Writes each batch, from Python's own values."""
    for batch in rows:
        columns = [column(field.type, one.to_pylist()) for field, one in zip(batch.schema, batch.columns)]
        outputs.write("rows", Batch(batch.schema, columns, batch.num_rows))
