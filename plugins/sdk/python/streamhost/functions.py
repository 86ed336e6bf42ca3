"""Functions for SQL.

A parameter's type is an argument's, as a field's is a column's. ``float | None`` takes NULL; without it the result for NULL is NULL,
and the function is not called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .config import parse as parse_config
from . import ddl
from .batch import Batch
from .columns import Column, column
from .errors import Error
from .ipc import decode, encode
from .outcome import Binding
from .plugin import Plugin
from .rows.fields import FieldShape, of_annotation
from .rows.shape import _open
from .schema import Field, Schema
from .types import alike


class Function(Plugin):
    """A function for SQL, over values or over columns."""

    role = "functions"

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: str | None,
        returns: str | None,
        deterministic: bool,
        about: dict[str, Any],
    ) -> None:
        super().__init__(function, about)
        #: The name that SQL calls it by.
        self.sql_name: str = function.__name__
        self.deterministic = deterministic
        if self.signature.of_role("batch") is None:
            self._of_values(function)
        else:
            self._of_columns(function, arguments, returns)

    def _of_values(self, function: Callable[..., Any]) -> None:
        made = self.signature
        names = [name for name in made.names if made.roles[name] != "config"]
        self.shapes = [of_annotation(name, made.hints[name]) for name in names]
        if made.returns is None:
            raise TypeError(f"{function.__name__}: say what it returns, as in `-> float`")
        self.result: FieldShape = of_annotation("result", made.returns)
        self.arguments = Schema(Field(one.name, one.type, one.nullable) for one in self.shapes)
        self.returns = Schema([Field("result", self.result.type)])

    def _of_columns(self, function: Callable[..., Any], arguments: str | None, returns: str | None) -> None:
        if arguments is None or returns is None:
            name = function.__name__
            raise TypeError(f'{name}: a function over columns says its types: arguments="price DOUBLE", returns="DOUBLE"')
        self.arguments = Schema.parse(arguments) if arguments else Schema()
        self.returns = Schema.parse(f"result {returns}").nullable()

    def results(self, config: Any, batch: Batch) -> Column:
        """The results for rows of arguments."""
        made = self.signature
        given = {"config": config, "batch": batch}
        if made.of_role("batch") is not None:
            return self._checked(made.function(*[given[str(made.roles[name])] for name in made.names]), batch.num_rows)
        values = [self._call(config, row) for row in self._rows(batch)]
        return column(self.result.type, values)

    def _rows(self, batch: Batch) -> Any:
        if not self.shapes:
            return [()] * batch.num_rows
        lists = []
        for one in self.shapes:
            values, read = _open(one, batch), one.read
            lists.append(values if read is None else [None if value is None else read(value) for value in values])
        return zip(*lists)

    def _call(self, config: Any, row: tuple[Any, ...]) -> Any:
        if any(value is None and not one.nullable for value, one in zip(row, self.shapes)):
            return None
        made, rest = self.signature, iter(row)
        value = made.function(*[config if made.roles[name] == "config" else next(rest) for name in made.names])
        if value is None and not self.result.nullable:
            raise Error.permanent(f"function `{self.sql_name}` gives None, and its annotation does not say so")
        return value if value is None or self.result.write is None else self.result.write(value)

    def _checked(self, results: Any, rows: int) -> Column:
        said = self.returns.fields[0].type
        if not isinstance(results, Column):
            raise TypeError(f"function `{self.sql_name}` gives {type(results).__name__}, and not a column")
        if not alike(results.type, said):
            given, said_name = ddl.type_name(results.type), ddl.type_name(said)
            raise Error.permanent(f"function `{self.sql_name}` gives {given}, and says that it gives {said_name}")
        if len(results) != rows:
            raise Error.permanent(f"function `{self.sql_name}` gives {len(results)} values for {rows} rows")
        return results


@dataclass
class BoundFunctions:
    """The functions of a component, each with its configuration."""

    functions: dict[str, Function]
    configs: dict[str, Any]
    binding: Binding

    @classmethod
    def bind(cls, functions: list[Function], config: str) -> BoundFunctions:
        """Reads the configuration."""
        read = {one.sql_name: parse_config(one.config, config) for one in functions if one.config is not None}
        if not read:
            parse_config(None, config)
        named = {one.sql_name: one for one in functions}
        return cls(named, read, Binding([], "nothing", Schema()))

    def call(self, name: str, messages: bytes) -> bytes:
        """Answers the messages of one call."""
        function = self.find(name)
        answer = b""
        for batch in decode(messages, function.arguments):
            results = function.results(self.configs.get(name), batch)
            answer += encode(Batch(function.returns, [results], batch.num_rows))
        return answer

    def find(self, name: str) -> Function:
        """The function of this name."""
        if name not in self.functions:
            raise Error.permanent(f"there is no function `{name}`")
        return self.functions[name]
