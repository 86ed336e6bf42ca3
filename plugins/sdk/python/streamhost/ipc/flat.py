"""FlatBuffers, as far as Arrow's messages need them: a reader that checks every place, and a writer."""

from __future__ import annotations

import struct
from typing import Any

from ..errors import Error


def cut(what: str) -> Error:
    """That a message is not what it should be."""
    return Error.permanent(f"the host's message is malformed or cut off: {what}")


class Table:
    """A table in a buffer. Slots are numbered as the schema's fields are; one that is not there is ``None``."""

    __slots__ = ("buffer", "at", "slots")

    def __init__(self, buffer: memoryview, at: int) -> None:
        self.buffer = buffer
        self.at = at
        vtable = at - unpack("<i", buffer, at)
        size = unpack("<H", buffer, vtable)
        if size < 4 or size % 2 or vtable + size > len(buffer):
            raise cut("a vtable")
        self.slots: tuple[int, ...] = struct.unpack_from(f"<{size // 2 - 2}H", buffer, vtable + 4)

    @classmethod
    def root(cls, buffer: memoryview) -> Table:
        """The table that the buffer begins with."""
        return cls(buffer, unpack("<I", buffer, 0))

    def place(self, slot: int) -> int | None:
        """Where a field is."""
        offset = self.slots[slot] if slot < len(self.slots) else 0
        return self.at + offset if offset else None

    def scalar(self, slot: int, layout: str, default: Any = 0) -> Any:
        """A number."""
        place = self.place(slot)
        return default if place is None else unpack(layout, self.buffer, place)

    def target(self, slot: int) -> int | None:
        """Where an offset leads."""
        place = self.place(slot)
        return None if place is None else place + unpack("<I", self.buffer, place)

    def table(self, slot: int) -> Table | None:
        """A table."""
        target = self.target(slot)
        return None if target is None else Table(self.buffer, target)

    def vector(self, slot: int, width: int) -> tuple[int, int]:
        """Where a vector's items are, and how many."""
        target = self.target(slot)
        if target is None:
            return 0, 0
        count = unpack("<I", self.buffer, target)
        if target + 4 + count * width > len(self.buffer):
            raise cut("a vector")
        return target + 4, count

    def tables(self, slot: int) -> list[Table]:
        """A vector of tables."""
        start, count = self.vector(slot, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self.buffer, place + unpack("<I", self.buffer, place)) for place in places]

    def string(self, slot: int) -> str | None:
        """A text."""
        if self.place(slot) is None:
            return None
        start, count = self.vector(slot, 1)
        try:
            return str(self.buffer[start : start + count], "utf-8")
        except UnicodeDecodeError:
            raise cut("a text") from None

    def pairs(self, slot: int) -> list[tuple[int, int]]:
        """A vector of pairs of 64-bit numbers."""
        start, count = self.vector(slot, 16)
        return list(struct.iter_unpack("<qq", self.buffer[start : start + 16 * count]))


def unpack(layout: str, buffer: memoryview, at: int) -> Any:
    """A number at a place that may be none."""
    if not 0 <= at <= len(buffer) - struct.calcsize(layout):
        raise cut("its header")
    return struct.unpack_from(layout, buffer, at)[0]


#: A field of a table that is written: a layout and a number, or ``ref`` and a text, a table or a list of tables.
Slot = tuple[str, Any]
Slots = dict[int, Slot]


class Writer:
    """Writes tables front to back: what a table refers to stands behind it."""

    def __init__(self) -> None:
        self.buffer = bytearray(4)

    def finish(self, root: Slots) -> bytes:
        """The bytes of a buffer whose root is this table."""
        self._refer(0, self._table(root))
        return bytes(self.buffer)

    def _align(self, width: int) -> int:
        self.buffer.extend(bytes(-len(self.buffer) % width))
        return len(self.buffer)

    def _refer(self, place: int, target: int) -> None:
        struct.pack_into("<I", self.buffer, place, target - place)

    def _table(self, slots: Slots) -> int:
        places, size = _laid_out(slots)
        vtable = self._align(8)
        count = max(slots, default=-1) + 1
        offsets = [places.get(slot, 0) for slot in range(count)]
        self.buffer += struct.pack(f"<HH{count}H", 4 + 2 * count, size, *offsets)
        start = self._align(8)
        self.buffer += bytes(size)
        struct.pack_into("<i", self.buffer, start, start - vtable)
        for slot, (layout, value) in slots.items():
            if layout != "ref":
                struct.pack_into(layout, self.buffer, start + places[slot], value)
        for slot, (layout, value) in slots.items():
            if layout == "ref":
                self._refer(start + places[slot], self._referred(value))
        return start

    def _referred(self, value: Any) -> int:
        if isinstance(value, str):
            return self._string(value)
        return self._vector(value) if isinstance(value, list) else self._table(value)

    def _string(self, text: str) -> int:
        start = self._align(4)
        data = text.encode()
        self.buffer += struct.pack("<I", len(data)) + data + b"\0"
        return start

    def _vector(self, tables: list[Slots]) -> int:
        start = self._align(4)
        self.buffer += struct.pack("<I", len(tables)) + bytes(4 * len(tables))
        for i, table in enumerate(tables):
            self._refer(start + 4 + 4 * i, self._table(table))
        return start


def _laid_out(slots: Slots) -> tuple[dict[int, int], int]:
    """Where each field stands from the table's start, which is at a multiple of 8; and the table's size."""
    at, places = 4, {}
    for slot, (layout, _) in slots.items():
        width = 4 if layout == "ref" else struct.calcsize(layout)
        at += -at % width
        places[slot] = at
        at += width
    return places, at
