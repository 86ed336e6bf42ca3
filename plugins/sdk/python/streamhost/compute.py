"""Work on whole columns at once: what to use where speed matters.

In a component these functions run compiled; natively the same ones run in Python. Null in, null out.
"""

from __future__ import annotations

from typing import Any

from . import kernels
from .columns import BooleanColumn, BytesColumn, Column, FixedColumn, WideColumn, column
from .columns.plain import both_valid
from .types import BIGINT, DOUBLE, DataType, Float, Int

_COMPARISONS = {">": 0, ">=": 1, "<": 2, "<=": 3, "==": 4, "!=": 5}
_ARITHMETIC = {"+": 0, "-": 1, "*": 2, "/": 3}
_SEARCHES = {"contains": 0, "starts with": 1, "ends with": 2, "is": 3}


def compare(values: Column, op: str, other: Any, *, nan_largest: bool = False) -> BooleanColumn:
    """Compares numbers, days or moments with a number or a column: ``>``, ``>=``, ``<``, ``<=``, ``==`` or ``!=``.

    Whole numbers are compared with whole numbers exactly. ``nan_largest`` compares as Spark does: NaN is greater than every
    number and the same as NaN. Text is compared by :func:`is_`.
    """
    fixed = _fixed(values, "compared")
    if isinstance(other, Column):
        return _compare_columns(fixed, op, _fixed(other, "compared"), nan_largest)
    if isinstance(other, bool) or not isinstance(other, (int, float)):
        raise TypeError(f"{fixed.type} is not compared with {type(other).__name__}")
    code = str(fixed.type.code)
    bits = kernels.compare(code, fixed.values, _COMPARISONS[op], len(fixed), other, nan_largest)
    return BooleanColumn(bits, len(fixed), fixed.valid)


def _compare_columns(one: FixedColumn, op: str, other: FixedColumn, nan_largest: bool) -> BooleanColumn:
    _same_length(one, other)
    if one.type.code != other.type.code:
        fractions = isinstance(one.type, Float) or isinstance(other.type, Float)
        one, other = (cast(side, DOUBLE if fractions else BIGINT) for side in (one, other))  # type: ignore[assignment]
    code = str(one.type.code)
    bits = kernels.compare_columns(code, one.values, other.values, _COMPARISONS[op], len(one), nan_largest)
    return BooleanColumn(bits, len(one), both_valid(one, other))


def arithmetic(one: Any, op: str, other: Any) -> Column:
    """``+``, ``-``, ``*`` or ``/`` of columns and numbers.

    Whole numbers give a BIGINT, or an ``OverflowError``; fractions, and every ``/``, give a DOUBLE.
    """
    columns = [side for side in (one, other) if isinstance(side, Column)]
    if len(columns) == 2:
        _same_length(*columns)
    whole = op != "/" and all(_is_whole(side) for side in (one, other))
    kind: DataType = BIGINT if whole else DOUBLE
    valid = columns[0].valid if len(columns) == 1 else both_valid(*columns)
    count = len(columns[0])
    left, right = (_operand(side, kind, valid) for side in (one, other))
    values = kernels.arith(str(kind.code), _ARITHMETIC[op], left, right, count)
    return FixedColumn(kind, values, count, valid)


def _is_whole(side: Any) -> bool:
    if isinstance(side, Column):
        return isinstance(side.type, Int)
    return isinstance(side, int)


def _operand(side: Any, kind: DataType, valid: Any) -> Any:
    if isinstance(side, Column):
        fixed = cast(side, kind)
        if kind is BIGINT and valid is not None:
            # What a null row holds must not overflow.
            fixed = column(BIGINT, [value or 0 for value in FixedColumn(BIGINT, fixed.values, len(side), valid).raw()])  # type: ignore[attr-defined]
        return fixed.values  # type: ignore[attr-defined]
    if isinstance(side, bool) or not isinstance(side, (int, float)):
        raise TypeError(f"a column is not calculated with {type(side).__name__}")
    return side if kind is BIGINT else float(side)


def cast(values: Column, kind: DataType) -> Column:
    """Numbers as BIGINT or DOUBLE."""
    if values.type == kind:
        return values
    fixed = _fixed(values, "cast")
    if kind not in (BIGINT, DOUBLE):
        raise TypeError(f"numbers are cast to BIGINT and DOUBLE, not to {kind}")
    converted = kernels.convert(str(fixed.type.code), str(kind.code), fixed.values, len(fixed))
    return FixedColumn(kind, converted, len(fixed), fixed.valid)


def contains(texts: Column, part: str | bytes) -> BooleanColumn:
    """Whether each text has the part in it."""
    return _search(texts, part, "contains")


def starts_with(texts: Column, part: str | bytes) -> BooleanColumn:
    """Whether each text begins with the part."""
    return _search(texts, part, "starts with")


def ends_with(texts: Column, part: str | bytes) -> BooleanColumn:
    """Whether each text ends with the part."""
    return _search(texts, part, "ends with")


def is_(texts: Column, text: str | bytes) -> BooleanColumn:
    """Whether each text is this one."""
    return _search(texts, text, "is")


def _search(texts: Column, part: str | bytes, how: str) -> BooleanColumn:
    if not isinstance(texts, BytesColumn):
        raise TypeError(f"{texts.type} is no text to search")
    needle = part.encode() if isinstance(part, str) else part
    bits = kernels.search(texts.is_large, texts.offsets, texts.data, len(texts), needle, _SEARCHES[how])
    return BooleanColumn(bits, len(texts), texts.valid)


def hash(values: Column, seed: int = 0) -> FixedColumn:
    """A hash of 64 bits of each value, the same in every run: an unsigned column without nulls, in which null is ``seed``."""
    kind = Int(64, signed=False)
    if isinstance(values, BytesColumn):
        hashes = kernels.hash_bytes(values.is_large, values.offsets, values.data, len(values), seed)
    elif isinstance(values, (FixedColumn, WideColumn)):
        data = values.values if isinstance(values, FixedColumn) else values.data
        hashes = kernels.hash_fixed(values.type.width, data, len(values), seed)
    else:
        raise TypeError(f"{values.type} is not hashed")
    if values.valid is None:
        return FixedColumn(kind, hashes, len(values))
    numbers = FixedColumn(kind, hashes, len(values), values.valid).raw()
    return column(kind, [seed if number is None else number for number in numbers])  # type: ignore[return-value]


def is_valid(values: Column) -> BooleanColumn:
    """Whether each value is not null."""
    count = len(values)
    if values.null_count == count and count:
        return BooleanColumn(bytes((count + 7) // 8), count)
    bits = kernels.toggled(bytes((count + 7) // 8), count) if values.valid is None else values.valid
    return BooleanColumn(bits, count)


def is_null(values: Column) -> BooleanColumn:
    """Whether each value is null."""
    return ~is_valid(values)


def mask(flags: Any) -> BooleanColumn:
    """A column of booleans, from booleans and ``None``."""
    from .types import BOOLEAN

    return column(BOOLEAN, flags)  # type: ignore[return-value]


def _fixed(values: Column, what: str) -> FixedColumn:
    if not isinstance(values, FixedColumn):
        raise TypeError(f"{values.type} is not {what}: only numbers, days and moments are")
    return values


def _same_length(one: Column, other: Column) -> None:
    if len(one) != len(other):
        raise ValueError(f"a column of {len(one)} rows and one of {len(other)}")
