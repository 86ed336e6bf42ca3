"""The ``config`` of a pipeline's step, which arrives as JSON: read into dataclasses, with messages that say what to change.

Keys are the names of fields in kebab-case; ``as_`` is the key ``as``. Unknown keys are refused. Fields may be ``bool``, ``int``,
``float``, ``str``, ``timedelta`` (``"10 minutes"``), an ``Enum`` of texts, ``Literal``, ``list``, ``dict`` with texts as keys, another
config, unions of these, and ``None``.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import json
import textwrap
import types
import typing
from datetime import timedelta
from typing import Any, TypeVar

from . import interval
from .errors import Error

C = TypeVar("C")
_MARK = "__streamhost_config__"


@typing.dataclass_transform(kw_only_default=True)
def config(cls: type[C]) -> type[C]:
    """Makes a class the configuration of a plugin: a dataclass whose docstrings are in the component's JSON Schema.

    A docstring may stand below a field::

        @streamhost.config
        class Config:
            threshold: float = 10.0
            \"\"\"Values up to this one are dropped.\"\"\"
    """
    made = dataclasses.dataclass(kw_only=True)(cls)
    setattr(made, _MARK, _docs(cls))
    return made


def is_config(kind: Any) -> bool:
    """Whether this is a class that :func:`config` made one."""
    return isinstance(kind, type) and hasattr(kind, _MARK)


def parse(kind: type[C] | None, text: str) -> C | None:
    """Reads a configuration; no text means the one that gives nothing."""
    text = text if text.strip() else "{}"
    try:
        value = json.loads(text)
        read = _config(kind or Nothing, value)
        return read if kind else None
    except _Wrong as wrong:
        raise Error.invalid(f"config: {wrong}") from None
    except ValueError as error:
        raise Error.invalid(f"config: {error}") from None
    except Error as error:
        raise error.context("config") from None


class _Wrong(Exception):
    """What does not fit, as it is told."""


def key_of(name: str) -> str:
    """The key of a field."""
    return name.rstrip("_").replace("_", "-")


def _config(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, dict):
        raise _Wrong(f"invalid type: {_shown(value)}, expected struct {kind.__name__}")
    fields = {key_of(field.name): field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    given = {}
    for key, item in value.items():
        if key not in fields:
            raise _Wrong(f"unknown field `{key}`, {_one_of(fields) if fields else 'there are no fields'}")
        given[fields[key].name] = read(hints[fields[key].name], item)
    for key, field in fields.items():
        if field.name not in given and _required(field, hints[field.name]):
            raise _Wrong(f"missing field `{key}`")
        if field.name not in given and _has_no_default(field):
            given[field.name] = None
    return kind(**given)


def _has_no_default(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _required(field: Any, hint: Any) -> bool:
    return _has_no_default(field) and type(None) not in typing.get_args(hint)


def _one_of(names: Any) -> str:
    names = [f"`{name}`" for name in names]
    if len(names) == 1:
        return f"expected {names[0]}"
    if len(names) == 2:
        return f"expected {names[0]} or {names[1]}"
    return f"expected one of {', '.join(names)}"


def read(hint: Any, value: Any) -> Any:
    """Reads a value of the type that an annotation names."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, value)
    if origin is typing.Literal:
        return _variant({option: option for option in arguments}, value)
    if origin is list:
        return [read(arguments[0], item) for item in _expect(list, value, "a sequence")]
    if origin is dict:
        return {key: read(arguments[1], item) for key, item in _expect(dict, value, "a map").items()}
    if is_config(hint):
        return _config(hint, value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _variant({member.value: member for member in hint}, value)
    return _plain(hint, value)


def _union(hints: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in hints:
        return None
    rest = [hint for hint in hints if hint is not type(None)]
    if len(rest) == 1:
        return read(rest[0], value)
    for hint in rest:
        try:
            return read(hint, value)
        except (_Wrong, Error):
            continue
    raise _Wrong("data did not match any variant")


def _variant(options: dict[Any, Any], value: Any) -> Any:
    if not isinstance(value, str):
        raise _Wrong(f"invalid type: {_shown(value)}, expected string")
    if value not in options:
        raise _Wrong(f"unknown variant `{value}`, {_one_of(options)}")
    return options[value]


def _plain(hint: Any, value: Any) -> Any:
    if hint is bool:
        return _expect(bool, value, "a boolean")
    if hint is int:
        return _expect(int, value, "i64")
    if hint is float:
        return float(_expect((int, float), value, "f64"))
    if hint is str:
        return _expect(str, value, "a string")
    if hint is timedelta:
        return interval.parse(_expect(str, value, "a string"))
    if hint is Any:
        return value
    raise TypeError(f"a configuration has no fields of type {hint}")


def _expect(kind: Any, value: Any, expected: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _Wrong(f"invalid type: {_shown(value)}, expected {expected}")
    return value


def _shown(value: Any) -> str:
    """A value as serde names it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {json.dumps(value, ensure_ascii=False)}"
    return "sequence" if isinstance(value, list) else "map"


# JSON Schema.


def schema(kind: type[Any] | None) -> str:
    """The JSON Schema of a configuration, for editors and ``inspect``."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**draft, **_schema_of(kind or Nothing)}, ensure_ascii=False)


def _schema_of(kind: type[Any]) -> dict[str, Any]:
    docs: dict[str, str] = getattr(kind, _MARK)
    hints = typing.get_type_hints(kind)
    properties, required = {}, []
    for field in dataclasses.fields(kind):
        key = key_of(field.name)
        about = {"description": docs[field.name]} if field.name in docs else {}
        properties[key] = {**about, **_schema(hints[field.name]), **_default(field)}
        if _required(field, hints[field.name]):
            required.append(key)
    made: dict[str, Any] = {"title": kind.__name__, "type": "object", "properties": properties}
    if "" in docs:
        made["description"] = docs[""]
    if required:
        made["required"] = required
    return {**made, "additionalProperties": False}


def _default(field: Any) -> dict[str, Any]:
    default = field.default
    if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if isinstance(default, enum.Enum):
        default = default.value
    plain = default is None or isinstance(default, (bool, int, float, str, list))
    return {"default": default} if plain else {}


def _schema(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(argument) for argument in arguments]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if is_config(hint):
        return _schema_of(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    names = {bool: "boolean", int: "integer", float: "number", str: "string", timedelta: "string", type(None): "null"}
    return {"type": names[hint]} if hint in names else {}


def _docs(cls: type[Any]) -> dict[str, str]:
    """Docstrings of the class, under no name, and of its fields. None where there is no source."""
    docs = {}
    own = cls.__dict__.get("__doc__")
    if own:
        docs[""] = inspect.cleandoc(own)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return docs
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, text in zip(body, body[1:]):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
            docs[field.target.id] = inspect.cleandoc(text.value.value)
    return docs


@config
class Nothing:
    """A plugin without a configuration."""
