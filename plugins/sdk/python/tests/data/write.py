"""Writes every-type.arrows with pyarrow: `pip install pyarrow; python write.py`."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa


def int_dates(values: list[int | None]) -> pa.Array:
    return pa.array(values, pa.int32()).cast(pa.date32())


columns = {
    "n": pa.nulls(3),
    "b": pa.array([True, None, False]),
    "i8": pa.array([127, None, -128], pa.int8()),
    "u64": pa.array([(1 << 64) - 1, None, 0], pa.uint64()),
    "q": pa.array([(1 << 63) - 1, None, -(1 << 63)], pa.int64()),
    "h": pa.array([1.5, None, -2.0], pa.float16()),
    "f": pa.array([1.5, None, -2.0], pa.float32()),
    "d": pa.array([1.7976931348623157e308, None, float("-inf")]),
    "s": pa.array(["näme \U0001f600", None, ""]),
    "x": pa.array([b"a\0", None, b""]),
    "fx": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "dt": int_dates([(1 << 31) - 1, None, -(1 << 31)]),
    "d64": pa.array([date(1970, 1, 2), None, date(1970, 1, 1)], pa.date64()),
    "t": pa.array([(1 << 63) - 1, None, -(1 << 63)], pa.timestamp("us", "UTC")),
    "tn": pa.array([1, None, 3], pa.timestamp("ns")),
    "du": pa.array([1, None, 3], pa.duration("ms")),
    "t32": pa.array([1, None, 3], pa.time32("s")),
    "dec": pa.array([Decimal("1.23"), None, Decimal("-" + "9" * 35 + ".123")], pa.decimal128(38, 3)),
    "d256": pa.array([Decimal("1.23"), None, Decimal(-5)], pa.decimal256(60, 3)),
    "l": pa.array([[1, None], None, []], pa.list_(pa.int32())),
    "fl": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int64(), 2)),
    "st": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
    "m": pa.array([[("a", 1)], None, [("b", None), ("c", 2)]], pa.map_(pa.string(), pa.int64())),
    "mdn": pa.array([(1, 2, 3), None, (-1, -2, -3)], pa.month_day_nano_interval()),
}
batch = pa.record_batch(list(columns.values()), names=list(columns))
file = Path(__file__).with_name("every-type.arrows")
with pa.OSFile(str(file), "wb") as out:
    out.write(batch.schema.serialize())
    out.write(batch.serialize())
