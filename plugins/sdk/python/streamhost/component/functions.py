"""The interface ``functions``."""

from __future__ import annotations

import wit_world.exports
from wit_world.exports import functions as wit

from ..functions import BoundFunctions
from ..ipc import encode_schema
from .base import begin, failure, of_role, out


class Functions(wit_world.exports.Functions):
    """Scalar functions for SQL."""

    def signatures(self) -> list[wit.Signature]:
        begin()
        bound: BoundFunctions = of_role("functions")
        return [
            wit.Signature(name, out(encode_schema(of.arguments)), out(encode_schema(of.returns)), of.deterministic)
            for name, of in bound.functions.items()
        ]

    def call(self, name: str, arguments: bytes) -> bytes:
        begin()
        try:
            return out(of_role("functions").call(name, arguments))
        except BaseException as error:
            raise failure(error) from None
