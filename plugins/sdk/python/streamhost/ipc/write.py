"""One batch → one message."""

from __future__ import annotations

import struct

from ..batch import Batch
from ..columns.base import Buffer, Buffers, Nodes
from .schema import ALIGNMENT, CONTINUATION

#: Bytes of the header before the nodes.
_FIXED = 72
_PADDING = bytes(ALIGNMENT)


def encode(batch: Batch) -> bytes:
    """The message of a batch."""
    nodes: Nodes = []
    buffers: Buffers = []
    for column in batch.columns:
        column.parts(nodes, buffers)
    body: list[Buffer] = []
    places: list[int] = []
    offset = 0
    for buffer in buffers:
        size = len(buffer)
        padding = -size % ALIGNMENT
        places += (offset, size)
        body += (buffer, _PADDING[:padding])
        offset += size + padding
    return b"".join([_header(batch.num_rows, nodes, places, offset), *body])


def _header(rows: int, nodes: Nodes, places: list[int], size: int) -> bytes:
    """The FlatBuffers header. Its tables always have the same fields, so their places are constants; only the two vectors at its
    end vary. Positions in the comments count from its start."""
    count = len(nodes)
    header = _PREFIX.pack(
        # 0: the message's table is at 16; 4: its vtable: 12 bytes of 20, version at +16, type at +18, header at +4, body at +8
        *(16, 12, 20, 16, 18, 4, 8),
        # 16: its table: vtable, record batch's table at 48, body length, version 5, type 3
        *(12, 28, size, 4, 3),
        # 36: the record batch's vtable: 10 bytes of 20, length at +8, nodes at +4, buffers at +16
        *(10, 20, 8, 4, 16, 0),
        # 48: its table: vtable, nodes' vector at 68, rows, buffers' vector past the nodes; 68: the nodes
        *(12, 16, rows, 12 + 16 * count, count),
    )
    numbers = [number for node in nodes for number in node]
    # Padding, so that the buffers' longs are aligned; the buffers.
    vectors = struct.pack(f"<{2 * count}qII{len(places)}q", *numbers, 0, len(places) // 2, *places)
    length = 8 + len(header) + len(vectors)
    padding = -length % ALIGNMENT
    return b"".join([CONTINUATION, struct.pack("<i", length + padding - 8), header, vectors, bytes(padding)])


_PREFIX = struct.Struct("<I6HiIqHHHHHHHHiIqII")
assert _PREFIX.size == _FIXED
