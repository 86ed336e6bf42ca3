"""Plugins without state: filters, maps and transforms, over rows or over batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .config import parse as parse_config
from . import kernels
from .batch import Batch
from .columns import BooleanColumn, Column
from .context import Context
from .errors import Error, RowErrors
from .ipc import decode
from .outcome import Binding, Outcome, checked, row_errors
from .plugin import Plugin, Reads, reads_of
from .rows import is_row, shape
from .schema import Schema
from .signature import Signature, call, items, optional, rowwise

#: Rows in error, before the function was called for them, and the rows.
Process = Callable[[Any, Context, Batch, RowErrors], "Output"]


@dataclass
class Output:
    """What a plugin makes of a batch."""

    kind: str
    keep: BooleanColumn | None = None
    batch: Batch = field(default_factory=lambda: Batch(Schema(), [], 0))
    side: Mapping[str, Batch] = field(default_factory=dict)


class Stateless(Plugin):
    """A filter, a map or a transform. It can be called as the function that it was made of."""

    role = "transform"

    def __init__(self, kind: str, function: Callable[..., Any], reads: Reads, about: dict[str, Any]) -> None:
        super().__init__(function, about)
        self.kind = kind
        self.reads = reads
        self.config = self.signature.config
        make = {"filter": _filter, "map": _map, "transform": _transform}[kind]
        self.process = make(self.signature)

    def bind(self, config: str, input: Schema) -> Instance:
        """Agrees on columns: an empty batch shows what leaves."""
        read = parse_config(self.config, config)
        reads = self._reads(read)
        input = input.project(reads)
        empty = Batch.empty(input)
        return Instance(self, read, input, self.process(read, Context(), empty, RowErrors()), reads is not None)

    def _reads(self, config: Any) -> list[str] | None:
        row = self.signature.of_role("row")
        if row is not None and self.reads is None:
            return shape(self.signature.hints[row]).names
        return reads_of(self.reads, config)


class Instance:
    """A plugin that has agreed on columns."""

    def __init__(self, plugin: Stateless, config: Any, input: Schema, shown: Output, projected: bool) -> None:
        self.plugin = plugin
        self.config = config
        self.input = input
        self.kind = shown.kind
        self.output = shown.batch.schema.nullable()
        self.side = {name: batch.schema.nullable() for name, batch in shown.side.items()}
        kind = "rows" if shown.kind == "replace" else "columns"
        self.binding = Binding(input.names if projected else None, kind, self.output, self.side)

    def process(self, cx: Context, messages: bytes) -> Outcome:
        """Processes the messages of one call."""
        batches = decode(messages, self.input)
        outcome = Outcome(kind=self.kind)
        keeps: list[tuple[bytes, int]] = []
        first = 0
        for batch in batches:
            errors = RowErrors()
            output = self.plugin.process(self.config, cx, batch, errors)
            self._add(outcome, keeps, batch, output, errors)
            outcome.errors += row_errors(errors, first)
            first += batch.num_rows
        outcome.keep = _joined(keeps)
        return outcome

    def _add(
        self, outcome: Outcome, keeps: list[tuple[bytes, int]], batch: Batch, output: Output, errors: RowErrors
    ) -> None:
        if output.kind != self.kind:
            raise Error.permanent(f"it gives `{output.kind}`, and gave `{self.kind}` for an empty batch")
        wrong = next((row for row in errors.rows() if not 0 <= row < batch.num_rows), None)
        if wrong is not None:
            raise Error.permanent(f"row {wrong} is said to be in error, of {batch.num_rows} rows")
        added = output.batch
        if output.keep is not None:
            bits = _kept(output.keep, batch.num_rows, errors)
            keeps.append((bits, batch.num_rows))
            added = _of_kept(added, output.keep, bits, batch.num_rows)
        elif self.kind == "extend":
            _same_length("the new columns", added.num_rows, batch.num_rows)
        if self.kind != "keep":
            outcome.main += checked("the output", added, self.output)
        self._add_side(outcome, output.side)

    def _add_side(self, outcome: Outcome, side: Mapping[str, Batch]) -> None:
        for name, rows in side.items():
            if name not in self.side:
                raise Error.permanent(
                    f"side output `{name}` was not given for an empty batch: always give it, with no rows if there are none"
                )
            messages = checked(f"side output `{name}`", rows, self.side[name])
            outcome.side[name] = outcome.side.get(name, b"") + messages


def _joined(keeps: list[tuple[bytes, int]]) -> bytes:
    if len(keeps) == 1:
        return keeps[0][0]
    return kernels.pack([flag for bits, count in keeps for flag in kernels.unpack(bits, count)])


def _kept(keep: BooleanColumn, rows: int, errors: RowErrors) -> bytes:
    """The rows to keep, which are neither null nor in error."""
    _same_length("the rows to keep", len(keep), rows)
    bits = bytearray(memoryview(keep.kept()).cast("B")[: (rows + 7) // 8])
    for row in errors.rows():
        bits[row >> 3] &= ~(1 << (row & 7))
    return bytes(bits)


def _of_kept(added: Batch, keep: BooleanColumn, bits: bytes, rows: int) -> Batch:
    """The new columns of the rows kept, which are given for these or for all rows."""
    kept = kernels.count(bits, rows)
    if not added.columns:
        return Batch(added.schema, [], kept)
    if added.num_rows == kept:
        return added
    mask = BooleanColumn(bits, rows)
    if added.num_rows == rows:
        return Batch(added.schema, [column.filter(mask) for column in added.columns], kept)
    if added.num_rows == keep.count():
        # A row was kept and is in error: its columns go too.
        flags = kernels.unpack(bits, rows)
        places = [flags[row] for row in memoryview(keep.rows()).cast("I")]
        return added.filter(BooleanColumn(kernels.pack(places), len(places)))
    raise Error.permanent(f"the new columns of the rows kept are {added.num_rows}, and the rows {kept}")


def _same_length(what: str, given: int, wanted: int) -> None:
    if given != wanted:
        raise Error.permanent(f"{what} are {given}, and the rows {wanted}")


# Functions over rows.


def _each(made: Signature, config: Any, cx: Context, batch: Batch, errors: RowErrors) -> list[Any]:
    """What the function gives for each row; ``None`` for a row in error."""
    function = rowwise(made, config, cx)
    results: list[Any] = []
    add = results.append
    for row in shape(made.hints[str(made.of_role("row"))]).read(batch):
        try:
            if row.__class__ is Error:
                raise row
            add(function(row))
        except Exception as error:
            errors.add(len(results), error)
            add(None)
    return results


def _filter(made: Signature) -> Process:
    if made.of_role("row") is None:
        return _batchwise(made, _filtered)

    def process(config: Any, cx: Context, batch: Batch, errors: RowErrors) -> Output:
        flags = _each(made, config, cx, batch, errors)
        return Output("keep", keep=BooleanColumn(kernels.pack(flags), batch.num_rows))

    return process


def _map(made: Signature) -> Process:
    if made.of_role("row") is None:
        return _batchwise(made, _mapped)
    kind, drops = optional(made.returns)
    if not is_row(kind):
        raise TypeError(f"{made.function.__name__}: say what it returns: `-> Added`, or `-> Added | None` to drop rows")
    out = shape(kind)

    def extended(config: Any, cx: Context, batch: Batch, errors: RowErrors) -> Output:
        rows = _each(made, config, cx, batch, errors)
        for row in [i for i, given in enumerate(rows) if given is None]:
            errors.add(row, TypeError("it returns None, and its annotation does not say so"))
        added, faults = out.written(rows)
        for row, fault in faults.items():
            errors.add(row, fault)
        return Output("extend", batch=added)

    def picked(config: Any, cx: Context, batch: Batch, errors: RowErrors) -> Output:
        rows = _each(made, config, cx, batch, errors)
        places = [i for i, row in enumerate(rows) if row is not None]
        added, faults = out.written([row for row in rows if row is not None])
        for at, fault in faults.items():
            errors.add(places[at], fault)
        keep = kernels.pack([row is not None for row in rows])
        return Output("keep-extend", keep=BooleanColumn(keep, batch.num_rows), batch=added)

    return picked if drops else extended


def _transform(made: Signature) -> Process:
    if made.of_role("row") is None:
        return _batchwise(made, _transformed)
    out = shape(out_row(made))
    function = made.function
    # Rows that come one by one may raise on the way, and that is their row's error.
    listed = replace(made, function=lambda *arguments: as_list(function(*arguments)))

    def process(config: Any, cx: Context, batch: Batch, errors: RowErrors) -> Output:
        lists = _each(listed, config, cx, batch, errors)
        rows = [row for made_of in lists for row in made_of or ()]
        written, faults = out.written(rows)
        if faults:
            written = _without_faulty(out, lists, faults, errors)
        return Output("replace", batch=written)

    return process


def out_row(made: Signature) -> Any:
    """The dataclass of the rows that a function gives."""
    hint, _ = optional(made.returns)
    kind = items(hint) or hint
    if not is_row(kind):
        name = made.function.__name__
        raise TypeError(f"{name}: say which rows it returns: `-> list[Out]`, `-> Iterator[Out]` or `-> Out | None`")
    return kind


def as_list(value: Any) -> list[Any]:
    """The rows that a function gave: none, one, or any number."""
    if value is None:
        return []
    if isinstance(value, Iterable):
        return list(value)
    return [value]


def _without_faulty(out: Any, lists: list[Any], faults: dict[int, Error], errors: RowErrors) -> Batch:
    """The rows of those input rows of which all can be written."""
    rows: list[Any] = []
    place = 0
    for i, made_of in enumerate(lists):
        places = range(place, place + len(made_of or ()))
        place = places.stop
        fault = next((faults[at] for at in places if at in faults), None)
        if fault is not None:
            errors.add(i, fault)
        else:
            rows += made_of or []
    return out.write(rows)  # type: ignore[no-any-return]


# Functions over batches.


def _batchwise(made: Signature, of: Callable[[Any], Output]) -> Process:
    if made.of_role("batch") is None:
        raise TypeError(f"{made.function.__name__}: expected a parameter that is a row, a dataclass, or a Batch")

    def process(config: Any, cx: Context, batch: Batch, errors: RowErrors) -> Output:
        return of(call(made, batch=batch, config=config, cx=cx, errors=errors))

    return process


def _filtered(given: Any) -> Output:
    if not isinstance(given, BooleanColumn):
        raise TypeError(f"a filter gives a column of booleans, not {type(given).__name__}")
    return Output("keep", keep=given)


def as_batch(given: Any) -> Batch:
    """A batch, or one of the columns of a dict."""
    if isinstance(given, Mapping) and all(isinstance(one, Column) for one in given.values()):
        return Batch.of(given)
    if not isinstance(given, Batch):
        raise TypeError(f"expected a Batch or columns by name, not {type(given).__name__}")
    return given


def _mapped(given: Any) -> Output:
    if isinstance(given, tuple):
        keep, added = given
        if not isinstance(keep, BooleanColumn):
            raise TypeError(f"the rows to keep are a column of booleans, not {type(keep).__name__}")
        return Output("keep-extend", keep=keep, batch=as_batch(added))
    return Output("extend", batch=as_batch(given))


def _transformed(given: Any) -> Output:
    if isinstance(given, tuple):
        main, side = given
        return Output("replace", batch=as_batch(main), side={name: as_batch(rows) for name, rows in side.items()})
    return Output("replace", batch=as_batch(given))
