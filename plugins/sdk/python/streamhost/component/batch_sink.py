"""The interface ``foreach-batch``, and the host's outputs."""

from __future__ import annotations

from typing import Any

import wit_world.exports
from componentize_py_types import Err
from wit_world.imports import epoch as wit_epoch
from wit_world.imports import outputs as wit_outputs

from .base import begin, compiled, context, failure, of_role, out, refused


class ForeachBatch(wit_world.exports.ForeachBatch):
    """The sink of an epoch."""

    def process(self, cx: Any) -> None:
        begin()
        try:
            of_role("batch-sink").process(context(cx), _Host())
        except BaseException as error:
            raise failure(error) from None


class _Host:
    """The places that the host holds."""

    def next_rows(self) -> bytes | None:
        return wit_epoch.next_rows()

    def write(self, output: str, rows: bytes) -> None:
        try:
            wit_outputs.write(output, out(rows))
        except Err as failed:
            raise refused(failed).context(f"output `{output}`") from None
        finally:
            # The host has read what it was given.
            compiled.reclaim()

    def execute(self, output: str, statement: str, schema: bytes, parameters: bytes) -> int:
        try:
            return wit_outputs.execute(output, statement, out(schema), out(parameters))
        except Err as failed:
            raise refused(failed).context(f"output `{output}`") from None
        finally:
            # The host has read what it was given.
            compiled.reclaim()
