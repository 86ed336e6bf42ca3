"""Stores the rows of each epoch in one output, and a row about the epoch in another."""

from dataclasses import dataclass
from typing import Any

import streamhost
from streamhost import Context, EpochRows, Outputs, Schema


@dataclass
class Audit:
    """What is told of an epoch."""

    epoch: int
    rows: int


def outputs(config: None, input: Schema) -> dict[str, Any]:
    """`rows` gets the columns that come in."""
    return {"rows": input, "audit": Audit}


@streamhost.batch_sink(outputs=outputs)
def store(rows: EpochRows, outputs: Outputs, cx: Context) -> None:
    """Stores an epoch."""
    count = 0
    for batch in rows:
        count += batch.num_rows
        outputs.write("rows", batch)
    outputs.write_rows("audit", [Audit(cx.epoch, count)])
