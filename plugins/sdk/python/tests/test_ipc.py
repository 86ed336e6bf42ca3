"""Arrow's messages: every type as another implementation wrote it, and bytes that are none."""

import datetime
import math
import random
from decimal import Decimal
from pathlib import Path

import pytest

from streamhost import Batch, Date, Error, Schema, Timestamp, column
from streamhost.ipc import decode, decode_one, decode_schema, encode, encode_schema

DATA = Path(__file__).resolve().parent / "data"
TEXT = (
    "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h STRING, i BINARY, j DATE, k TIMESTAMP, "
    "l TIMESTAMP_NTZ, m DECIMAL(38,10), n ARRAY<STRUCT<x: INT, y: MAP<STRING, INT>>>"
)
EXTREMES = {
    "n": [None, None, None],
    "b": [True, None, False],
    "i8": [127, None, -128],
    "u64": [(1 << 64) - 1, None, 0],
    "q": [(1 << 63) - 1, None, -(1 << 63)],
    "h": [1.5, None, -2.0],
    "f": [1.5, None, -2.0],
    "d": [1.7976931348623157e308, None, -math.inf],
    "s": ["näme \U0001f600", None, ""],
    "x": [b"a\0", None, b""],
    "fx": [b"ab", None, b"cd"],
    "dt": [Date((1 << 31) - 1), None, Date(-(1 << 31))],
    "d64": [86_400_000, None, 0],
    "t": [Timestamp((1 << 63) - 1), None, Timestamp(-(1 << 63))],
    "tn": [1, None, 3],
    "du": [1, None, 3],
    "t32": [1, None, 3],
    "dec": [Decimal("1.230"), None, Decimal("-" + "9" * 35 + ".123")],
    "d256": [Decimal("1.230"), None, Decimal("-5.000")],
    "l": [[1, None], None, []],
    "fl": [[1, 2], None, [3, None]],
    "st": [{"a": 1, "b": "x"}, None, {"a": None, "b": None}],
    "m": [[("a", 1)], None, [("b", None), ("c", 2)]],
    "mdn": [(1, 2, 3), None, (-1, -2, -3)],
}


def stream() -> tuple[Schema, bytes]:
    """The schema and the batch of a stream that pyarrow wrote: `tests/data/write.py`."""
    data = (DATA / "every-type.arrows").read_bytes()
    length = 8 + int.from_bytes(data[4:8], "little")
    return decode_schema(data[:length]), data[length:]


def test_every_type_is_read_as_another_wrote_it() -> None:
    schema, messages = stream()
    batch = decode_one(messages, schema)
    assert {name: batch[name].to_pylist() for name in schema.names} == EXTREMES


def test_every_type_is_written_as_it_is_read() -> None:
    schema, messages = stream()
    batch = decode_one(messages, schema)
    anew = Batch(schema, [column(field.type, one.to_pylist()) for field, one in zip(schema, batch.columns)])
    for one in (batch, anew, batch.take(range(3)), batch.slice(1, 3), batch.slice(0, 0)):
        again = decode_one(encode(one), schema)
        assert [column.to_pylist() for column in again.columns] == [column.to_pylist() for column in one.columns]
    assert decode_schema(encode_schema(schema)) == schema


def test_a_schema_crosses_as_it_is() -> None:
    schema = Schema.parse(TEXT)
    assert str(decode_schema(encode_schema(schema))) == TEXT
    empty = Batch.empty(schema)
    assert decode_one(encode(empty), schema).num_rows == 0


def test_a_batch_without_columns_has_rows() -> None:
    assert decode_one(encode(Batch(Schema(), [], 7)), Schema()).num_rows == 7


def test_many_rows_cross() -> None:
    schema = Schema.parse("id BIGINT, name STRING")
    rows = [{"id": i, "name": None if i % 17 == 0 else f"näme-{i}"} for i in range(65_536)]
    batch = decode_one(encode(Batch.from_pylist(schema, rows)), schema)
    assert batch.to_pylist() == rows


def test_several_messages_are_several_batches() -> None:
    schema = Schema.parse("id INT")
    one = encode(Batch.from_pylist(schema, [{"id": 1}]))
    assert [batch.num_rows for batch in decode(one + one, schema)] == [1, 1]
    with pytest.raises(Error, match="several batches"):
        decode_one(one + one, schema)


def mangled(messages: bytes, of: random.Random) -> bytes:
    """The messages with something wrong."""
    bad = bytearray(messages)
    kind = of.randrange(4)
    if kind == 0:
        return bytes(bad[: of.randrange(len(bad))])
    if kind == 1:
        return of.randbytes(of.randrange(200))
    for _ in range(of.randint(1, 8)):
        place = of.randrange(min(len(bad) - 8, 1200))
        size = 1 if kind == 2 else 8
        bad[place : place + size] = of.choice([b"\xff" * size, b"\x7f" * size, bytes(size), of.randbytes(size)])
    return bytes(bad)


def test_garbage_is_refused_or_read_and_nothing_else() -> None:
    schema, messages = stream()
    of = random.Random(1)
    refused = 0
    for _ in range(3_000):
        try:
            batches = decode(mangled(messages, of), schema)
        except Error:
            refused += 1
            continue
        for batch in batches:
            assert batch.num_rows < 1 << 24
            for one in batch.columns:
                try:
                    assert len(one.to_pylist()) == batch.num_rows
                except UnicodeDecodeError:
                    refused += 1
    assert refused > 1_000


def test_a_schema_of_garbage_is_refused() -> None:
    schema = encode_schema(stream()[0])
    of = random.Random(2)
    for _ in range(3_000):
        try:
            decode_schema(mangled(schema, of))
        except Error as error:
            assert str(error).startswith("the input's schema: ")


def test_what_does_not_fit_is_told() -> None:
    from streamhost import types

    with pytest.raises(OverflowError, match="-128 to 127"):
        column(types.TINYINT, [128])
    with pytest.raises(TypeError):
        column(types.STRING, [1])
    with pytest.raises(ValueError, match="more than 2 digits"):
        column(types.decimal(10, 2), [Decimal("1.234")])
    with pytest.raises(OverflowError, match="more than 3 digits"):
        column(types.decimal(3, 0), [1000])
    with pytest.raises(TypeError):
        column(types.decimal(3, 0), [1.0])


def test_pythons_dates_go_in() -> None:
    from streamhost import types

    zone = datetime.timezone(datetime.timedelta(hours=2))
    moments = [datetime.datetime(1970, 1, 1, 2, tzinfo=zone), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)]
    assert column(types.TIMESTAMP, moments).to_pylist() == [0, -1]
    assert column(types.DATE, [datetime.date(1969, 12, 31)]).to_pylist() == [-1]
    assert Timestamp(-1).datetime().isoformat() == "1969-12-31T23:59:59.999999+00:00"
