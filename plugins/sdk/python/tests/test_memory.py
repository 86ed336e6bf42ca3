"""Memory after many batches is what it was after few."""

import gc
import tracemalloc
from typing import Any

import plugins
import pytest

from streamhost import Batch, Context, Schema
from streamhost.ipc import encode
from streamhost.stateless import Stateless

ROWS = [{"value": float(i % 30), "text": f"text {i}"} for i in range(100)]


@pytest.mark.parametrize("plugin", [plugins.keep, plugins.above, plugins.halved, plugins.split, plugins.searched])
def test_batches_leave_nothing(plugin: Stateless) -> None:
    schema = Schema.parse("value DOUBLE, text STRING")
    instance = plugin.bind("", schema)
    messages = encode(Batch.from_pylist(instance.input, ROWS))
    grown = growth(lambda: instance.process(Context(), messages))
    assert grown < 10_000, f"{grown} bytes more after 1,000 batches"


def test_errors_leave_nothing() -> None:
    instance = plugins.share.bind("", Schema.parse("value DOUBLE"))
    messages = encode(Batch.from_pylist(instance.input, [{"value": -1.0}] * 10))
    assert growth(lambda: instance.process(Context(), messages)) < 10_000


def growth(call: Any) -> int:
    """How much more memory there is after 1,000 calls than after 50, of which the collector has nothing to collect."""
    gc.disable()
    try:
        for _ in range(50):
            call()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1_000):
            call()
        cycles = gc.collect()
        assert cycles == 0, f"{cycles} objects that only the collector frees"
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
