"""The kernels in plain Python: what runs in native tests, and what the compiled ones are compared with.

``code`` is a value's type as :mod:`struct` writes it, ``bits`` are bitmaps in Arrow's order, ``rows`` unsigned 32-bit numbers,
``wide`` whether offsets have 64 bits. Every function raises ``ValueError`` if a buffer is too short for its rows, and
``IndexError`` for a row that is not there.
"""

from __future__ import annotations

import math
import operator
import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from typing import Any

Buffer = bytes | bytearray | memoryview

_BITS = [tuple(bool(byte >> i & 1) for i in range(8)) for byte in range(256)]
_OPS: list[Callable[[Any, Any], bool]] = [
    operator.gt,
    operator.ge,
    operator.lt,
    operator.le,
    operator.eq,
    operator.ne,
]
_LIMITS = {
    "b": (-(1 << 7), (1 << 7) - 1),
    "B": (0, (1 << 8) - 1),
    "h": (-(1 << 15), (1 << 15) - 1),
    "H": (0, (1 << 16) - 1),
    "i": (-(1 << 31), (1 << 31) - 1),
    "I": (0, (1 << 32) - 1),
    "q": (-(1 << 63), (1 << 63) - 1),
    "Q": (0, (1 << 64) - 1),
}


def _typed(code: str, buffer: Buffer, n: int) -> memoryview:
    size = n * struct.calcsize(code)
    view = memoryview(buffer).cast("B")
    if len(view) < size:
        raise ValueError("a buffer is too short for its rows")
    return view[:size].cast(code)  # type: ignore[call-overload, no-any-return]


def _offsets(wide: bool, offsets: Buffer, n: int) -> list[int]:
    return _typed("q" if wide else "i", offsets, n + 1).tolist()


# Bits.


def unpack(bits: Buffer, n: int) -> list[bool]:
    """Bits as booleans."""
    view = memoryview(bits).cast("B")
    if len(view) * 8 < n:
        raise ValueError("a bitmap is too short for its rows")
    out: list[bool] = []
    for byte in view[: (n + 7) // 8]:
        out.extend(_BITS[byte])
    del out[n:]
    return out


def pack(flags: Iterable[object]) -> bytes:
    """Booleans as bits; what is behind the last one is 0."""
    text = "".join(["1" if flag else "0" for flag in flags])
    return int("0" + text[::-1], 2).to_bytes((len(text) + 7) // 8, "little")


def count(bits: Buffer, n: int) -> int:
    """How many of the first ``n`` bits are set."""
    return unpack(bits, n).count(True)


def indices(bits: Buffer, n: int) -> bytes:
    """The rows whose bit is set."""
    return array("I", compress(range(n), unpack(bits, n))).tobytes()


def both(one: Buffer, other: Buffer, n: int) -> bytes:
    """Bits that are set in both."""
    return pack(a and b for a, b in zip(unpack(one, n), unpack(other, n)))


def either(one: Buffer, other: Buffer, n: int) -> bytes:
    """Bits that are set in one of them."""
    return pack(a or b for a, b in zip(unpack(one, n), unpack(other, n)))


def toggled(bits: Buffer, n: int) -> bytes:
    """Bits that are not set."""
    return pack(not bit for bit in unpack(bits, n))


def take_bits(bits: Buffer, n: int, rows: Buffer) -> bytes:
    """The bits of these rows."""
    flags = unpack(bits, n)
    return pack(flags[row] for row in _rows(rows, n))


# Values of a fixed width.


def _rows(rows: Buffer, n: int) -> list[int]:
    view = memoryview(rows).cast("B")
    numbers = view[: len(view) // 4 * 4].cast("I").tolist()
    if numbers and max(numbers) >= n:
        raise IndexError(f"there is no row {max(numbers)} among {n}")
    return numbers


def take_fixed(width: int, buffer: Buffer, n: int, rows: Buffer) -> bytes:
    """The values of these rows."""
    view = memoryview(buffer).cast("B")
    if len(view) < n * width:
        raise ValueError("a buffer is too short for its rows")
    return b"".join([view[row * width : row * width + width] for row in _rows(rows, n)])


def filter_fixed(width: int, buffer: Buffer, n: int, bits: Buffer) -> bytes:
    """The values of the rows whose bit is set."""
    return take_fixed(width, buffer, n, indices(bits, n))


def _order(value: float) -> float | tuple[int, float]:
    return (1, 0.0) if value != value else (0, value)


def compare(code: str, buffer: Buffer, op: int, n: int, scalar: float, nan_largest: bool) -> bytes:
    """Bits of the rows whose value compares so with a number: > >= < <= == != are 0 to 5."""
    numbers: Iterable[Any] = _typed(code, buffer, n)
    of, against = _OPS[op], scalar
    if nan_largest and code in "fd":
        numbers, against = map(_order, numbers), _order(scalar)  # type: ignore[assignment]
    elif code not in "fd" and isinstance(scalar, float):
        numbers = map(float, numbers)
    return pack(of(number, against) for number in numbers)


def compare_columns(code: str, one: Buffer, other: Buffer, op: int, n: int, nan_largest: bool) -> bytes:
    """The same of two columns of one type."""
    left: Iterable[Any] = _typed(code, one, n)
    right: Iterable[Any] = _typed(code, other, n)
    if nan_largest and code in "fd":
        left, right = map(_order, left), map(_order, right)
    return pack(map(_OPS[op], left, right))


def convert(code: str, to: str, buffer: Buffer, n: int) -> bytes:
    """Numbers as ``q`` or ``d``. What is too large for a ``q`` is an ``OverflowError``."""
    numbers = _typed(code, buffer, n).tolist()
    if to == "d":
        return array("d", map(float, numbers)).tobytes()
    return array("q", numbers).tobytes()


def _quotient(a: float, b: float) -> float:
    if b:
        return a / b
    if a != a or a == 0:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


_ARITH: list[Callable[[Any, Any], Any]] = [operator.add, operator.sub, operator.mul, _quotient]


def arith(code: str, op: int, one: Any, other: Any, n: int) -> bytes:
    """``+ - * /`` are 0 to 3, of columns or of a column and a number, as ``q`` or ``d``. ``q`` has no ``/`` and does not wrap."""
    left = _operand(code, one, n)
    right = _operand(code, other, n)
    results: Iterable[Any] = map(_ARITH[op], left, right)
    if code == "d":
        # Every NaN is the same one: which bits a machine gives it must not be seen.
        results = (math.nan if result != result else result for result in results)
    try:
        return array(code, results).tobytes()
    except OverflowError:
        raise OverflowError("a result is too large for a BIGINT") from None


def _operand(code: str, operand: Any, n: int) -> Iterable[Any]:
    if isinstance(operand, (int, float)):
        return [operand] * n
    return _typed(code, operand, n)


# Text and bytes.


def check_offsets(wide: bool, offsets: Buffer, n: int, limit: int) -> bool:
    """Whether offsets rise from 0 or more and end within ``limit``."""
    view = memoryview(offsets).cast("B")
    if len(view) < (n + 1) * (8 if wide else 4):
        return False
    places = _offsets(wide, offsets, n)
    return 0 <= places[0] and places[-1] <= limit and all(map(operator.le, places, places[1:]))


def _pieces(wide: bool, offsets: Buffer, data: Buffer, n: int) -> list[memoryview]:
    if not check_offsets(wide, offsets, n, len(memoryview(data).cast("B"))):
        raise ValueError("offsets do not fit their data")
    places, view = _offsets(wide, offsets, n), memoryview(data).cast("B")
    return [view[a:b] for a, b in zip(places, places[1:])]


def take_bytes(wide: bool, offsets: Buffer, data: Buffer, n: int, rows: Buffer) -> tuple[bytes, bytes]:
    """Offsets and data of these rows."""
    pieces = _pieces(wide, offsets, data, n)
    return _joined(wide, [pieces[row] for row in _rows(rows, n)])


def _joined(wide: bool, pieces: Sequence[Buffer]) -> tuple[bytes, bytes]:
    places, end = array("q" if wide else "i", [0]), 0
    for piece in pieces:
        end += len(piece)
        places.append(end)
    return places.tobytes(), b"".join(pieces)


def search(wide: bool, offsets: Buffer, data: Buffer, n: int, needle: bytes, how: int) -> bytes:
    """Bits of the rows that contain, begin with, end with or are the needle: 0 to 3."""
    pieces = map(bytes, _pieces(wide, offsets, data, n))
    if how == 0:
        return pack(needle in piece for piece in pieces)
    if how == 1:
        return pack(piece.startswith(needle) for piece in pieces)
    if how == 2:
        return pack(piece.endswith(needle) for piece in pieces)
    return pack(piece == needle for piece in pieces)


def texts(wide: bool, offsets: Buffer, data: Buffer, n: int, valid: Buffer | None) -> list[str | None]:
    """The texts, ``None`` where they are null. ``UnicodeDecodeError`` where they are none."""
    pieces = _pieces(wide, offsets, data, n)
    if valid is None:
        return [str(piece, "utf-8") for piece in pieces]
    return [str(piece, "utf-8") if there else None for piece, there in zip(pieces, unpack(valid, n))]


def blobs(wide: bool, offsets: Buffer, data: Buffer, n: int, valid: Buffer | None) -> list[bytes | None]:
    """The same for bytes."""
    pieces = _pieces(wide, offsets, data, n)
    if valid is None:
        return [bytes(piece) for piece in pieces]
    return [bytes(piece) if there else None for piece, there in zip(pieces, unpack(valid, n))]


def join(values: Sequence[Any], text: bool) -> tuple[bytes, bytes, bytes | None, int]:
    """Offsets of 32 bits, data, validity and number of nulls of a list of texts, or of bytes, and ``None``."""
    kind: Any = str if text else (bytes, bytearray, memoryview)
    pieces: list[bytes] = []
    for value in values:
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"expected {'str' if text else 'bytes'} or None, not {type(value).__name__}")
        pieces.append(b"" if value is None else value.encode() if text else bytes(value))
    if sum(map(len, pieces)) > _LIMITS["i"][1]:
        raise OverflowError("the values of a column are more than 2 GiB")
    offsets, data = _joined(False, pieces)
    nulls = sum(value is None for value in values)
    return offsets, data, pack(value is not None for value in values) if nulls else None, nulls


_PRIME, _MASK = 0x100000001B3, (1 << 64) - 1


def _mixed(x: int) -> int:
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK
    return x ^ (x >> 31)


def _hash(piece: Buffer, seed: int) -> int:
    x = _mixed((seed ^ len(piece) * _PRIME) & _MASK)
    whole = len(piece) // 8 * 8
    for (word,) in struct.iter_unpack("<Q", piece[:whole]):
        x = _mixed(x ^ word)
    rest = bytes(piece[whole:])
    return _mixed(x ^ int.from_bytes(rest, "little")) if rest else x


def hash_bytes(wide: bool, offsets: Buffer, data: Buffer, n: int, seed: int) -> bytes:
    """A hash of 64 bits of each row, the same in every run and every version."""
    return array("Q", [_hash(piece, seed) for piece in _pieces(wide, offsets, data, n)]).tobytes()


def hash_fixed(width: int, buffer: Buffer, n: int, seed: int) -> bytes:
    """The same of values of a fixed width."""
    view = memoryview(buffer).cast("B")
    if len(view) < n * width:
        raise ValueError("a buffer is too short for its rows")
    return array("Q", [_hash(view[i * width : i * width + width], seed) for i in range(n)]).tobytes()


# Lists of Python's values.


def values(code: str, items: Sequence[Any]) -> tuple[bytes, bytes | None, int]:
    """Values, validity and number of nulls of a list of numbers and ``None``."""
    nulls = sum(item is None for item in items)
    filled = items if not nulls else [0 if item is None else item for item in items]
    try:
        buffer = array(code, filled)
    except OverflowError:
        low, high = _LIMITS.get(code, (0, 0))
        raise OverflowError(f"a number is not from {low} to {high}") from None
    return buffer.tobytes(), pack(item is not None for item in items) if nulls else None, nulls


def nulls_into(items: list[Any], bits: Buffer) -> list[Any]:
    """The list itself, with ``None`` where the bit is not set."""
    for row, there in enumerate(unpack(bits, len(items))):
        if not there:
            items[row] = None
    return items
