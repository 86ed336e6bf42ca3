import streamhost
from streamhost import EpochRows, Outputs


def look(id: int) -> None:
    if id == 2:
        raise KeyError(f"no such id: {id}")


@streamhost.batch_sink(outputs={})
def store(rows: EpochRows, outputs: Outputs) -> None:
    for batch in rows:
        for id in batch["id"]:
            look(id)
