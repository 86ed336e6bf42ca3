"""Types of columns. Those that Spark's SQL has are here under its names: ``types.BIGINT``, ``types.array(types.STRING)``.

====================================  ==================================================
Arrow                                 here
====================================  ==================================================
Null, Boolean                         ``VOID``, ``BOOLEAN``
Int8, Int16, Int32, Int64             ``TINYINT``, ``SMALLINT``, ``INT``, ``BIGINT``
UInt8 … UInt64                        ``Int(8, signed=False)`` …
Float16, Float32, Float64             ``Float(16)``, ``FLOAT``, ``DOUBLE``
Utf8, Binary, FixedSizeBinary         ``STRING``, ``BINARY``, ``FixedBinary(16)``
Date32, Date64                        ``DATE``, ``DateType("ms")``
Time32, Time64                        ``TimeType("s")`` …
Timestamp                             ``TIMESTAMP``, ``TIMESTAMP_NTZ``, ``TimestampType("ns", "Europe/Berlin")``
Duration, Interval                    ``DurationType("us")``, ``IntervalType("month-day-nano")``
Decimal128, Decimal256                ``decimal(10, 2)``, ``DecimalType(50, 2, 256)``
List, FixedSizeList, Struct, Map      ``array(INT)``, ``FixedList(Field(…), 3)``, ``struct(x=INT)``, ``map(STRING, INT)``
====================================  ==================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .schema import Field


class DataType:
    """The type of a column. Types with the same parts are equal."""

    #: The :mod:`struct` code of a value, or nothing if values are wider than 8 bytes or vary in width.
    code: str | None = None
    #: Bytes of a value, 0 where that varies.
    width: int = 0

    @property
    def is_number(self) -> bool:
        """Whether values are whole numbers or fractions."""
        return isinstance(self, (Int, Float))


@dataclass(frozen=True)
class Null(DataType):
    """Nothing but nulls."""

    def __str__(self) -> str:
        return "Null"


@dataclass(frozen=True)
class Boolean(DataType):
    """A bit a value."""

    def __str__(self) -> str:
        return "Boolean"


@dataclass(frozen=True)
class Int(DataType):
    """Whole numbers of 8, 16, 32 or 64 bits."""

    bits: int
    signed: bool = True

    @property
    def code(self) -> str:  # type: ignore[override]
        code = {8: "b", 16: "h", 32: "i", 64: "q"}[self.bits]
        return code if self.signed else code.upper()

    @property
    def width(self) -> int:  # type: ignore[override]
        return self.bits // 8

    def __str__(self) -> str:
        return f"{'Int' if self.signed else 'UInt'}{self.bits}"


@dataclass(frozen=True)
class Float(DataType):
    """Fractions of 16, 32 or 64 bits."""

    bits: int

    @property
    def code(self) -> str:  # type: ignore[override]
        return {16: "e", 32: "f", 64: "d"}[self.bits]

    @property
    def width(self) -> int:  # type: ignore[override]
        return self.bits // 8

    def __str__(self) -> str:
        return f"Float{self.bits}"


@dataclass(frozen=True)
class Utf8(DataType):
    """Text. Large ones have 64-bit offsets."""

    large: bool = False

    def __str__(self) -> str:
        return "LargeUtf8" if self.large else "Utf8"


@dataclass(frozen=True)
class Binary(DataType):
    """Bytes."""

    large: bool = False

    def __str__(self) -> str:
        return "LargeBinary" if self.large else "Binary"


@dataclass(frozen=True)
class FixedBinary(DataType):
    """Bytes, as many in each value."""

    width: int = 1

    def __str__(self) -> str:
        return f"FixedSizeBinary({self.width})"


@dataclass(frozen=True)
class DateType(DataType):
    """Days since 1970-01-01, or milliseconds of whole days."""

    unit: str = "day"

    @property
    def code(self) -> str:  # type: ignore[override]
        return "i" if self.unit == "day" else "q"

    @property
    def width(self) -> int:  # type: ignore[override]
        return 4 if self.unit == "day" else 8

    def __str__(self) -> str:
        return "Date32" if self.unit == "day" else "Date64"


@dataclass(frozen=True)
class TimeType(DataType):
    """Time of day in a unit: ``s`` and ``ms`` have 32 bits, ``us`` and ``ns`` 64."""

    unit: str

    @property
    def code(self) -> str:  # type: ignore[override]
        return "i" if self.unit in ("s", "ms") else "q"

    @property
    def width(self) -> int:  # type: ignore[override]
        return 4 if self.unit in ("s", "ms") else 8

    def __str__(self) -> str:
        return f"Time{self.width * 8}({_shown(self.unit)})"


@dataclass(frozen=True)
class TimestampType(DataType):
    """Moments since 1970-01-01 in ``s``, ``ms``, ``us`` or ``ns``: in UTC if there is a zone, which says how to show them."""

    unit: str = "us"
    zone: str | None = None
    code = "q"
    width = 8

    def __str__(self) -> str:
        zone = "" if self.zone is None else f', "{self.zone}"'
        return f"Timestamp({_shown(self.unit)}{zone})"


@dataclass(frozen=True)
class DurationType(DataType):
    """Lengths of time in a unit."""

    unit: str = "us"
    code = "q"
    width = 8

    def __str__(self) -> str:
        return f"Duration({_shown(self.unit)})"


@dataclass(frozen=True)
class IntervalType(DataType):
    """``year-month``: months; ``day-time``: days and milliseconds; ``month-day-nano``: months, days and nanoseconds."""

    unit: str = "month-day-nano"

    @property
    def code(self) -> str | None:  # type: ignore[override]
        return "i" if self.unit == "year-month" else None

    @property
    def width(self) -> int:  # type: ignore[override]
        return {"year-month": 4, "day-time": 8, "month-day-nano": 16}[self.unit]

    def __str__(self) -> str:
        return f"Interval({''.join(part.capitalize() for part in self.unit.split('-'))})"


@dataclass(frozen=True)
class DecimalType(DataType):
    """Exact numbers: so many digits, of which ``scale`` are behind the point."""

    precision: int
    scale: int = 0
    bits: int = 128

    @property
    def width(self) -> int:  # type: ignore[override]
        return self.bits // 8

    def __str__(self) -> str:
        return f"Decimal{self.bits}({self.precision}, {self.scale})"


@dataclass(frozen=True)
class List(DataType):
    """Any number of items a value."""

    item: Field
    large: bool = False

    def __str__(self) -> str:
        return f"{'LargeList' if self.large else 'List'}({self.item.type})"


@dataclass(frozen=True)
class FixedList(DataType):
    """So many items a value."""

    item: Field
    size: int

    def __str__(self) -> str:
        return f"FixedSizeList({self.size} x {self.item.type})"


@dataclass(frozen=True)
class Struct(DataType):
    """Fields with names."""

    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return f"Struct({', '.join(f'{field.name}: {field.type}' for field in self.fields)})"


@dataclass(frozen=True)
class Map(DataType):
    """Keys and values. ``entry`` is a struct of both."""

    entry: Field
    ordered: bool = False

    @property
    def pair(self) -> tuple[Field, Field]:
        """The fields of key and value."""
        key, value = self.entry.type.fields  # type: ignore[attr-defined]
        return key, value

    def __str__(self) -> str:
        key, value = self.pair
        return f"Map({key.type}, {value.type})"


def _shown(unit: str) -> str:
    return unit.replace("u", "µ")


VOID = Null()
BOOLEAN = Boolean()
TINYINT = Int(8)
SMALLINT = Int(16)
INT = Int(32)
BIGINT = Int(64)
UINT = Int(32, signed=False)
FLOAT = Float(32)
DOUBLE = Float(64)
STRING = Utf8()
BINARY = Binary()
DATE = DateType()
TIMESTAMP = TimestampType("us", "UTC")
TIMESTAMP_NTZ = TimestampType("us", None)


def decimal(precision: int = 10, scale: int = 0) -> DecimalType:
    """Exact numbers of up to 38 digits."""
    return DecimalType(precision, scale)


def array(item: DataType) -> List:
    """Lists of items, which may be null."""
    from .schema import Field

    return List(Field("item", item))


def struct(**fields: DataType) -> Struct:
    """Structs of these fields, which may be null."""
    from .schema import Field

    return Struct(tuple(Field(name, kind) for name, kind in fields.items()))


def map(key: DataType, value: DataType) -> Map:
    """Maps from keys to values; values may be null."""
    from .schema import Field

    pair = Struct((Field("key", key, False), Field("value", value)))
    return Map(Field("entries", pair, False))


def alike(one: DataType, other: DataType) -> bool:
    """Whether columns of both types are laid out and read alike: the names of a list's items and what may be null do not matter."""
    if isinstance(one, Struct) and isinstance(other, Struct):
        pairs = list(zip(one.fields, other.fields))
        return len(one.fields) == len(other.fields) and all(a.name == b.name and alike(a.type, b.type) for a, b in pairs)
    if isinstance(one, List) and isinstance(other, List):
        return one.large == other.large and alike(one.item.type, other.item.type)
    if isinstance(one, FixedList) and isinstance(other, FixedList):
        return one.size == other.size and alike(one.item.type, other.item.type)
    if isinstance(one, Map) and isinstance(other, Map):
        return all(alike(a.type, b.type) for a, b in zip(one.pair, other.pair))
    return one == other
