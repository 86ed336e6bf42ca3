"""What leaves a call, in the contract's words but without its bindings: a component translates it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .batch import Batch
from .errors import Error, RowErrors
from .ipc import encode
from .schema import Schema

#: A row in error: its number, whether it may be tried again, and why.
RowError = tuple[int, bool, str]


@dataclass
class Binding:
    """What ``bind`` agrees on."""

    #: The columns that a batch consists of; all of the input's if none.
    reads: list[str] | None
    #: ``rows``, ``columns`` or ``nothing``.
    output: str
    schema: Schema
    side: dict[str, Schema] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a call gives."""

    #: ``replace``, ``keep``, ``extend`` or ``keep-extend``.
    kind: str = "replace"
    keep: bytes = b""
    main: bytes = b""
    side: dict[str, bytes] = field(default_factory=dict)
    errors: list[RowError] = field(default_factory=list)


def row_errors(errors: RowErrors, first: int = 0) -> list[RowError]:
    """The errors by row, counted from this row on."""
    return [(first + row, error.kind == "transient", error.message) for row, error in errors.items()]


def checked(what: str, batch: Batch, schema: Schema) -> bytes:
    """The message of a batch, which has to have these columns."""
    if not schema.alike(batch.schema):
        raise Error.permanent(
            f"{what}: the columns are {batch.schema}, and were {schema} for an empty batch: they must not depend on the rows"
        )
    return encode(batch)
