"""Loops over whole columns. In a component they are compiled C (``kernels/`` beside this package), elsewhere plain Python.

Both have the same functions, with buffers in and ``bytes`` out, and are held to the same tests. A plugin calls
:mod:`streamhost.compute`, which calls these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import pure as native

    COMPILED: bool
else:
    try:
        from streamhost import _streamhost_kernels as native

        COMPILED = True
    except ImportError:
        from . import pure as native

        COMPILED = False

arith = native.arith
both = native.both
blobs = native.blobs
check_offsets = native.check_offsets
compare = native.compare
compare_columns = native.compare_columns
convert = native.convert
count = native.count
either = native.either
filter_fixed = native.filter_fixed
hash_bytes = native.hash_bytes
hash_fixed = native.hash_fixed
indices = native.indices
join = native.join
nulls_into = native.nulls_into
pack = native.pack
search = native.search
take_bits = native.take_bits
take_bytes = native.take_bytes
take_fixed = native.take_fixed
texts = native.texts
toggled = native.toggled
unpack = native.unpack
values = native.values
