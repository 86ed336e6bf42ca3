"""Spark's way to write a schema: ``user_id INT, event STRING, at TIMESTAMP, tags ARRAY<STRING>``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import types
from .errors import Error

if TYPE_CHECKING:
    from .schema import Field

#: Levels of ``ARRAY``, ``MAP`` and ``STRUCT`` within each other that cross the boundary.
DEEPEST = 8

_WORDS: dict[str, types.DataType] = {
    "BOOLEAN": types.BOOLEAN,
    "TINYINT": types.TINYINT,
    "BYTE": types.TINYINT,
    "SMALLINT": types.SMALLINT,
    "SHORT": types.SMALLINT,
    "INT": types.INT,
    "INTEGER": types.INT,
    "BIGINT": types.BIGINT,
    "LONG": types.BIGINT,
    "FLOAT": types.FLOAT,
    "REAL": types.FLOAT,
    "DOUBLE": types.DOUBLE,
    "STRING": types.STRING,
    "BINARY": types.BINARY,
    "DATE": types.DATE,
    "TIMESTAMP": types.TIMESTAMP,
    "TIMESTAMP_LTZ": types.TIMESTAMP,
    "TIMESTAMP_NTZ": types.TIMESTAMP_NTZ,
}

_NAMES: dict[types.DataType, str] = {
    types.VOID: "VOID",
    types.IntervalType("month-day-nano"): "INTERVAL",
    **{kind: word for word, kind in reversed(list(_WORDS.items()))},
}


def parse(text: str) -> list[Field]:
    """Reads a schema. A column may be null unless it says ``NOT NULL``."""
    parser = _Parser(text)
    fields = parser.fields()
    parser.end()
    return fields


def show(fields: Iterable[Field], between: str = " ") -> str:
    """Writes fields as :func:`parse` reads them."""
    return ", ".join(f"{_quoted(field.name)}{between}{type_name(field.type)}" for field in fields)


def type_name(kind: types.DataType) -> str:
    """Spark's name of a type; Arrow's for those that Spark has not."""
    if isinstance(kind, types.TimestampType) and kind.unit == "us":
        return "TIMESTAMP" if kind.zone is not None else "TIMESTAMP_NTZ"
    if isinstance(kind, types.DecimalType) and kind.bits == 128:
        return f"DECIMAL({kind.precision},{kind.scale})"
    if isinstance(kind, types.List) and not kind.large:
        return f"ARRAY<{type_name(kind.item.type)}>"
    if isinstance(kind, types.Struct):
        return f"STRUCT<{show(kind.fields, ': ')}>"
    if isinstance(kind, types.Map):
        key, value = kind.pair
        return f"MAP<{type_name(key.type)}, {type_name(value.type)}>"
    return _NAMES.get(kind) or str(kind)


def _plain(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _quoted(name: str) -> str:
    if name and all(map(_plain, name)):
        return name
    return "`" + name.replace("`", "``") + "`"


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fields(self) -> list[Field]:
        from .schema import Field

        fields = []
        while True:
            name = self.name()
            # Spark has a colon in a STRUCT and none outside; both are clear.
            self.take(":")
            kind = self.data_type()
            fields.append(Field(name, kind, not self.not_null()))
            if not self.take(","):
                return fields

    def data_type(self) -> types.DataType:
        start = self.at
        word = self.word().upper()
        if word in _WORDS:
            return _WORDS[word]
        if word in ("DECIMAL", "NUMERIC", "DEC"):
            return self.decimal()
        if word in ("ARRAY", "MAP", "STRUCT"):
            return self.nested(word)
        self.at = start
        raise self.error("a type, such as INT, BIGINT, DOUBLE, STRING or TIMESTAMP")

    def nested(self, word: str) -> types.DataType:
        if self.depth == DEEPEST:
            raise self.error("at most 8 levels of ARRAY, MAP and STRUCT")
        self.depth += 1
        self.expect("<")
        kind: types.DataType
        if word == "ARRAY":
            kind = types.array(self.data_type())
        elif word == "MAP":
            key = self.data_type()
            self.expect(",")
            kind = types.map(key, self.data_type())
        else:
            kind = types.Struct(tuple(self.fields()))
        self.depth -= 1
        self.expect(">")
        return kind

    def decimal(self) -> types.DataType:
        if not self.take("("):
            return types.decimal()
        precision = self.number(38)
        scale = self.number(precision) if self.take(",") else 0
        self.expect(")")
        return types.decimal(precision, scale)

    def number(self, most: int) -> int:
        start = self.at
        word = self.word()
        if word.isascii() and word.isdigit() and int(word) <= most:
            return int(word)
        self.at = start
        raise self.error(f"a number up to {most}")

    def not_null(self) -> bool:
        start = self.at
        if self.word().upper() != "NOT":
            self.at = start
            return False
        if self.word().upper() != "NULL":
            raise self.error("NULL after NOT")
        return True

    def name(self) -> str:
        if self.take("`"):
            return self.quoted()
        word = self.word()
        if not word:
            raise self.error("a column's name")
        return word

    def quoted(self) -> str:
        """A name in backquotes, where two of them mean one."""
        name = ""
        while True:
            end = self.text.find("`", self.at)
            if end < 0:
                raise self.error("a closing `")
            name += self.text[self.at : end]
            self.at = end + 1
            if not self.text.startswith("`", self.at):
                return name
            name += "`"
            self.at += 1

    def word(self) -> str:
        self.skip_space()
        start = self.at
        while self.at < len(self.text) and _plain(self.text[self.at]):
            self.at += 1
        return self.text[start : self.at]

    def take(self, wanted: str) -> bool:
        self.skip_space()
        there = self.text.startswith(wanted, self.at)
        self.at += len(wanted) if there else 0
        return there

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            raise self.error(f"`{wanted}`")

    def end(self) -> None:
        self.skip_space()
        if self.at < len(self.text):
            raise self.error("`,` or the end")

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def error(self, wanted: str) -> Error:
        found = self.text[self.at :].lstrip()
        return Error.invalid(f"schema, column {self.at + 1}: expected {wanted}, found `{found}`")
