"""Calls of a plugin's functions."""

from __future__ import annotations

import json
from typing import Any

from ..errors import Error
from ..functions import BoundFunctions, Function
from ..ipc import encode
from .rows import decoded, read


def bind_functions(functions: Function | list[Function], config: str = "") -> Bound:
    """Binds functions to a configuration as JSON, or none."""
    named = functions if isinstance(functions, list) else [functions]
    return Bound(BoundFunctions.bind(named, config))


class Bound:
    """A plugin of functions with its configuration."""

    def __init__(self, functions: BoundFunctions) -> None:
        self.functions = functions

    def call(self, function: str, rows: str) -> list[Any]:
        """The results of a function for rows of its arguments, a JSON object a line.

        As with SQL, ``None`` where an argument is null that must not be.
        """
        of = self.functions.find(function)
        lines = [line for line in rows.splitlines() if line.strip()]
        asked = [not _has_null(json.loads(line), of) for line in lines]
        given = read("\n".join(line for line, there in zip(lines, asked) if there), of.arguments)
        answered = iter(decoded(self.functions.call(function, encode(given)), of.returns) if given.num_rows else [])
        return [next(answered).get("result") if there else None for there in asked]

    def named(self, name: str | None) -> str:
        """The function of this name; without one, the only function."""
        names = list(self.functions.functions)
        if name is None and len(names) == 1:
            return names[0]
        if name is None:
            raise Error.invalid(f"say which function is called: function = one of {', '.join(names)}")
        return name


def _has_null(row: dict[str, Any], function: Function) -> bool:
    return any(row.get(field.name) is None for field in function.arguments if not field.nullable)
