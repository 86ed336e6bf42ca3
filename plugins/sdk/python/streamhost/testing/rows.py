"""Rows as JSON, in and out."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from .. import types
from ..batch import Batch
from ..columns import column
from ..errors import Error
from ..ipc import decode
from ..schema import Schema
from ..values import Date, Timestamp


def read(text: str, schema: Schema) -> Batch:
    """Reads rows, a JSON object a line."""
    rows = [_object(line) for line in text.splitlines() if line.strip()]
    for row in rows:
        unknown = next((name for name in row if name not in schema), None)
        if unknown is not None:
            raise Error.invalid(f"the input's rows: there is no column `{unknown}`; the columns are {schema}")
    columns = [column(field.type, [_read(field.type, row.get(field.name)) for row in rows]) for field in schema]
    return Batch(schema, columns, len(rows))


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise Error.invalid(f"`{line.strip()}`: {error}") from None
    if not isinstance(value, dict):
        raise Error.invalid(f"`{line.strip()}` is no row: a row is a JSON object")
    return value


def _read(kind: types.DataType, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, types.Float):
        return float(value)
    if isinstance(kind, types.DecimalType):
        return Decimal(value) if isinstance(value, str) else value
    if isinstance(kind, types.Binary):
        return bytes.fromhex(value)
    if isinstance(kind, types.DateType):
        return datetime.date.fromisoformat(value)
    if isinstance(kind, types.TimestampType):
        return moment(value)
    return _read_nested(kind, value)


def _read_nested(kind: types.DataType, value: Any) -> Any:
    if isinstance(kind, types.List):
        return [_read(kind.item.type, item) for item in value]
    if isinstance(kind, types.Struct):
        return {field.name: _read(field.type, value.get(field.name)) for field in kind.fields}
    if isinstance(kind, types.Map):
        key, item = kind.pair
        return [(_read(key.type, name), _read(item.type, member)) for name, member in value.items()]
    return value


def moment(text: str) -> Timestamp:
    """A time such as ``2025-03-01T12:00:00Z``."""
    try:
        read = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Error.invalid(f"`{text}` is no time; write for example 2025-03-01T12:00:00Z") from None
    return Timestamp.of(read)


def write(batch: Batch) -> list[dict[str, Any]]:
    """Rows as JSON objects without their nulls."""
    columns = [[_written(field.type, value) for value in one] for field, one in zip(batch.schema, batch.columns)]
    rows = [dict(zip(batch.schema.names, row)) for row in zip(*columns)] if columns else [{} for _ in range(batch.num_rows)]
    return [plain(row) for row in rows]


def _written(kind: types.DataType, value: Any) -> Any:
    if isinstance(value, Timestamp):
        text = str(value)
        return text if isinstance(kind, types.TimestampType) and kind.zone else text.removesuffix("Z")
    if isinstance(value, Date):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(kind, types.List) and value is not None:
        return [_written(kind.item.type, item) for item in value]
    if isinstance(kind, types.Struct) and value is not None:
        return {field.name: _written(field.type, value[field.name]) for field in kind.fields}
    if isinstance(kind, types.Map) and value is not None:
        return {str(_written(kind.pair[0].type, key)): _written(kind.pair[1].type, item) for key, item in value}
    return value


def lines(text: str) -> list[Any]:
    """Reads a JSON value a line; nulls are left out of objects, so that both sides of a comparison may name them or not."""
    found = []
    for line in text.splitlines():
        if line.strip():
            try:
                found.append(plain(json.loads(line)))
            except ValueError as error:
                raise Error.invalid(f"`{line.strip()}`: {error}") from None
    return found


def plain(value: Any) -> Any:
    """Without null members, and with numbers in one form: 5 and 5.0 are the same."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in sorted(value.items()) if member is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def show(rows: Iterable[Any]) -> str:
    """One row a line."""
    return "".join(f"{json.dumps(row, ensure_ascii=False, sort_keys=True)}\n" for row in rows)


def same(what: str, given: Iterable[Any], expected: str) -> None:
    """That rows are those expected, a JSON object a line."""
    found, wanted = show(given), show(lines(expected))
    assert found == wanted, f"{what}: expected\n{wanted}and got\n{found}"


def decoded(messages: bytes, schema: Schema) -> list[dict[str, Any]]:
    """The rows of messages."""
    return [row for batch in decode(messages, schema) for row in write(batch)]
