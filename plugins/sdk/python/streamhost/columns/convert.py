"""Arrow's values of a fixed width as Python's, and back."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Sequence
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from ..types import DataType, DateType, DecimalType, FixedBinary, Float, IntervalType, TimestampType
from ..values import Date, Timestamp

#: Digits enough for every decimal there is, so that nothing is rounded.
_EXACT = Context(prec=100, Emin=-999_999, Emax=999_999)


def decoder(kind: DataType) -> Callable[[Any], Any] | None:
    """What makes a Python value of a number; nothing if the number is the value."""
    if isinstance(kind, DateType) and kind.unit == "day":
        return Date
    if isinstance(kind, TimestampType) and kind.unit == "us":
        return Timestamp
    return None


def encoder(kind: DataType) -> Callable[[Any], Any] | None:
    """What makes a number of a Python value; nothing if it is one."""
    if isinstance(kind, DateType) and kind.unit == "day":
        return _day
    if isinstance(kind, TimestampType) and kind.unit == "us":
        return _moment
    return None


def _day(value: Any) -> Any:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return Date.of(value)
    return value


def _moment(value: Any) -> Any:
    return Timestamp.of(value) if isinstance(value, datetime.datetime) else value


def wide_values(kind: DataType, data: memoryview) -> list[Any]:
    """The values of a column whose values no memoryview has."""
    width = kind.width
    if isinstance(kind, Float):
        return list(struct.unpack(f"<{len(data) // 2}e", data))
    if isinstance(kind, DecimalType):
        return [_decimal(data[i : i + width], kind.scale) for i in range(0, len(data), width)]
    if isinstance(kind, IntervalType):
        return list(struct.iter_unpack(_layout(kind), data))
    return [bytes(data[i : i + width]) for i in range(0, len(data), width)]


def _decimal(data: memoryview, scale: int) -> Decimal:
    return Decimal(int.from_bytes(data, "little", signed=True)).scaleb(-scale, _EXACT)


def _layout(kind: IntervalType) -> str:
    return "<ii" if kind.unit == "day-time" else "<iiq"


def wide_bytes(kind: DataType, values: Sequence[Any]) -> bytes:
    """The bytes of such values; those of ``None`` are zeros."""
    if isinstance(kind, Float):
        return struct.pack(f"<{len(values)}e", *[0.0 if value is None else value for value in values])
    empty = bytes(kind.width)
    one = _one(kind)
    return b"".join([empty if value is None else one(value) for value in values])


def _one(kind: DataType) -> Callable[[Any], bytes]:
    if isinstance(kind, DecimalType):
        return lambda value: _unscaled(kind, value).to_bytes(kind.width, "little", signed=True)
    if isinstance(kind, IntervalType):
        layout = _layout(kind)
        return lambda value: struct.pack(layout, *value)
    assert isinstance(kind, FixedBinary)
    return lambda value: _fixed(kind, value)


def _fixed(kind: FixedBinary, value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"expected bytes, not {type(value).__name__}")
    if len(value) != kind.width:
        raise ValueError(f"{len(value)} bytes where each value has {kind.width}")
    return bytes(value)


def _unscaled(kind: DecimalType, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TypeError(f"expected decimal.Decimal or int, not {type(value).__name__}")
    try:
        scaled = Decimal(value).scaleb(kind.scale, _EXACT)
        whole = int(scaled)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"{value} is no number of {kind.precision} digits") from None
    if whole != scaled:
        raise ValueError(f"{value} has more than {kind.scale} digits behind the point")
    if abs(whole) >= 10**kind.precision:
        raise OverflowError(f"{value} has more than {kind.precision} digits")
    return whole
