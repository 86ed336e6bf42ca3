"""The interface ``functions``."""

from __future__ import annotations

import wit_world.exports
from wit_world.exports import functions as wit

from ..functions import BoundFunctions
from ..ipc import encode_schema
from .base import failure, of_role


class Functions(wit_world.exports.Functions):
    """Scalar functions for SQL."""

    def signatures(self) -> list[wit.Signature]:
        bound: BoundFunctions = of_role("functions")
        return [
            wit.Signature(name, encode_schema(of.arguments), encode_schema(of.returns), of.deterministic)
            for name, of in bound.functions.items()
        ]

    def call(self, name: str, arguments: bytes) -> bytes:
        try:
            results: bytes = of_role("functions").call(name, arguments)
            return results
        except BaseException as error:
            raise failure(error) from None
