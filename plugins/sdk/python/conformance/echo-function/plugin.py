"""A function for each type of SQL, which gives its argument back, with every value read and written anew."""

import streamhost
from streamhost import Batch, Column, column
from streamhost.functions import Function

TYPES = {
    "boolean": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INT",
    "int64": "BIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "decimal128": "DECIMAL(38, 10)",
    "date32": "DATE",
    "timestamp_us_utc": "TIMESTAMP",
    "timestamp_us": "TIMESTAMP_NTZ",
    "utf8": "STRING",
    "binary": "BINARY",
    "list": "ARRAY<INT>",
    "list_of_text": "ARRAY<STRING>",
    "list_of_lists": "ARRAY<ARRAY<INT>>",
    "struct": "STRUCT<text: STRING, inner: STRUCT<n: BIGINT>>",
    "map": "MAP<STRING, BIGINT>",
}


def again(name: str, of: str) -> Function:
    """The function of this name and type."""

    def values(batch: Batch) -> Column:
        return column(batch[0].type, batch[0].to_pylist())

    # What SQL calls it by.
    values.__name__ = name
    return streamhost.function(arguments=f"value {of}", returns=of)(values)


# A module's functions are those that are among its names.
globals().update({name: again(name, of) for name, of in TYPES.items()})
