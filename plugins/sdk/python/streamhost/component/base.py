"""The interface ``plugin``, which every component exports, and what the others share."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import wit_world.exports
from componentize_py_types import Err
from wit_world.exports import plugin as wit
from wit_world.imports import log as wit_log
from wit_world.imports import metrics as wit_metrics
from wit_world.imports import types as wit_types

from ..config import schema as config_schema
from .. import _streamhost_kernels as compiled
from .. import host
from ..context import Context
from ..errors import Error, told
from ..functions import BoundFunctions, Function
from ..ipc import decode_schema, encode_schema
from ..outcome import Binding, RowError
from ..plugin import plugins_of
from ..values import Timestamp
from . import machine

_LEVELS = {level.name.lower(): level for level in wit_log.Level}
_FAILURES = {
    "invalid": wit_types.Failure_Invalid,
    "transient": wit_types.Failure_Transient,
    "permanent": wit_types.Failure_Permanent,
}

#: The plugins of the component by role; several if they are functions.
plugins: dict[str, list[Any]] = {}
#: What was bound, by role.
bound: dict[str, Any] = {}


def setup(module: ModuleType) -> None:
    """Finds the plugins that the component exports."""
    for plugin in plugins_of(module):
        plugins.setdefault(plugin.role, []).append(plugin)
    host.write_log = lambda level, message: wit_log.write(_LEVELS[level], message)
    host.write_counter = wit_metrics.counter
    host.write_gauge = wit_metrics.gauge


def failure(error: BaseException, binding: bool = False) -> Err[Any]:
    """An exception as the contract's failure. In ``bind`` no batch is to blame."""
    of = told(error)
    kind = "invalid" if binding and of.kind == "permanent" else of.kind
    return Err(_FAILURES[kind](of.message))


def refused(failed: Err[Any]) -> Error:
    """What the host says of a call that it did not carry out."""
    value = failed.value
    kind = next(name for name, of in _FAILURES.items() if isinstance(value, of))
    return Error(value.value, kind)


def out(data: bytes) -> bytes:
    """Bytes for the host, so that the copy which the bindings make of them can be given back."""
    handed: bytes = compiled.Handed(data) if data else data
    return handed


def begin() -> None:
    """Begins with a call of the host's, which has read what the one before gave."""
    compiled.reclaim()
    machine.speak()


def context(cx: Any) -> Context:
    """The contract's context as a plugin gets it."""
    machine.begin(cx.now)
    watermark = None if cx.watermark is None else Timestamp(cx.watermark)
    return Context(cx.query, cx.epoch, cx.partition, cx.attempt, watermark, Timestamp(cx.now))


def row_errors(errors: list[RowError]) -> list[Any]:
    """Rows in error as the contract has them."""
    dispositions = (wit_types.Disposition.REJECT, wit_types.Disposition.RETRY)
    return [wit_types.RowError(row, dispositions[retry], message) for row, retry, message in errors]


def of_role(role: str) -> Any:
    """What was bound to a role."""
    if role not in bound:
        raise Error.permanent("a call came before `bind`")
    return bound[role]


_ROLES = {
    wit.Role.TRANSFORM: "transform",
    wit.Role.KEYED: "keyed",
    wit.Role.BATCH_SINK: "batch-sink",
    wit.Role.FUNCTIONS: "functions",
}
_ONLY = {
    "transform": "transforms batches; it has no other role",
    "keyed": "keeps state for each key, and has no other role: give its step `keys`",
    "batch-sink": "stores epochs; it has no other role",
    "functions": "has functions for SQL; it has no other role",
}


class Plugin(wit_world.exports.Plugin):
    """What the host asks first."""

    def describe(self) -> wit.Description:
        begin()
        first = next(iter(plugins.values()))[0]
        about = first.manifest
        schemas = [plugin.config for group in plugins.values() for plugin in group if plugin.config is not None]
        schema = config_schema(schemas[0] if schemas else None)
        return wit.Description(
            about.name, about.version, about.summary, schema, about.deterministic, list(about.asks)
        )

    def bind(self, role: wit.Role, config: str, input: bytes, keys: list[str]) -> wit.Binding:
        begin()
        try:
            return _written(_bind(_ROLES[role], config, input, keys))
        except BaseException as error:
            raise failure(error, binding=True) from None


def _bind(role: str, config: str, input: bytes, keys: list[str]) -> Binding:
    if role not in plugins:
        other = next(iter(plugins))
        raise Error.invalid(f"`{plugins[other][0].manifest.name}` {_ONLY[other]}")
    plugin = plugins[role][0]
    if isinstance(plugin, Function):
        bound[role] = BoundFunctions.bind(plugins[role], config)
    elif role == "keyed":
        bound[role] = plugin.bind(config, decode_schema(input), keys)
    else:
        bound[role] = plugin.bind(config, decode_schema(input))
    binding: Binding = bound[role].binding
    return binding


def _written(binding: Binding) -> wit.Binding:
    output: Any = wit.Output_Nothing()
    if binding.output != "nothing":
        of = wit.Output_Rows if binding.output == "rows" else wit.Output_Columns
        output = of(out(encode_schema(binding.schema)))
    side = [(name, out(encode_schema(schema))) for name, schema in binding.side.items()]
    return wit.Binding(binding.reads, output, side)
