"""What makes a function a plugin. A module has one, or several ``function``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar, overload

from .functions import Function
from .keyed.rowwise import KeyedFunction
from .plugin import Reads
from .sink import BatchSink, Written
from .stateless import Stateless

F = Callable[..., Any]
T = TypeVar("T")
#: A length of time as text, or a function of the configuration that gives one or nothing.
Ttl = str | timedelta | Callable[..., timedelta | None] | None


def _about(
    name: str | None, version: str | None, summary: str | None, deterministic: bool, asks: Iterable[str]
) -> dict[str, Any]:
    return {"name": name, "version": version, "summary": summary, "deterministic": deterministic, "asks": tuple(asks)}


def _decorate(make: Callable[[F], T], function: F | None) -> Any:
    return make if function is None else make(function)


@overload
def filter(function: F, /) -> Stateless: ...
@overload
def filter(
    *,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Callable[[F], Stateless]: ...
def filter(
    function: F | None = None,
    /,
    *,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Any:
    """Keeps rows: ``def keep(event: Event) -> bool``, or ``def keep(batch: Batch) -> BooleanColumn``.

    ``reads`` names the columns that a function over batches gets; one over rows gets those of its row.
    """
    about = _about(name, version, summary, deterministic, asks)
    return _decorate(lambda of: Stateless("filter", of, reads, about), function)


@overload
def map(function: F, /) -> Stateless: ...
@overload
def map(
    *,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Callable[[F], Stateless]: ...
def map(
    function: F | None = None,
    /,
    *,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Any:
    """Adds columns: ``def share(event: Event) -> Added``, with ``| None`` to drop rows; or of batches, to columns by name.

    A function over batches that drops rows gives ``(keep, columns)``, with columns for all rows or for those kept.
    """
    about = _about(name, version, summary, deterministic, asks)
    return _decorate(lambda of: Stateless("map", of, reads, about), function)


@overload
def transform(function: F, /) -> Stateless: ...
@overload
def transform(
    *,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Callable[[F], Stateless]: ...
def transform(
    function: F | None = None,
    /,
    *,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Any:
    """Makes new rows: ``def words(line: Line) -> Iterator[Word]``, or ``def words(batch: Batch) -> Batch``.

    A function over batches may give ``(batch, {"side": batch})``.
    """
    about = _about(name, version, summary, deterministic, asks)
    return _decorate(lambda of: Stateless("transform", of, reads, about), function)


@overload
def keyed(function: F, /) -> KeyedFunction: ...
@overload
def keyed(
    *,
    expired: F | None = None,
    ttl: Ttl = None,
    tables: dict[str, dict[str, Any]] | None = None,
    migrate: F | None = None,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Callable[[F], KeyedFunction]: ...
def keyed(
    function: F | None = None,
    /,
    *,
    expired: F | None = None,
    ttl: Ttl = None,
    tables: dict[str, dict[str, Any]] | None = None,
    migrate: F | None = None,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Any:
    """Keeps state for each key: ``def visits(user: User, events: Group[Event], visit: Value[Visit], timers: Timers) -> Ended | None``.

    ``expired`` is called for timers, ``ttl`` removes what was not written for so long, ``tables`` says ``ttl`` and ``version`` of
    single tables, and ``migrate`` makes entries of older versions ones of now.
    """
    about = _about(name, version, summary, deterministic, asks)
    return _decorate(lambda of: KeyedFunction(of, expired, ttl, tables or {}, migrate, reads, about), function)


def batch_sink(
    *,
    outputs: Written,
    reads: Reads = None,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
    deterministic: bool = True,
    asks: Iterable[str] = (),
) -> Callable[[F], BatchSink]:
    """Stores epochs: ``def store(rows: EpochRows, outputs: Outputs, cx: Context) -> None``.

    ``outputs`` are the outputs' names, each with a dataclass or a :class:`Schema`, or a function of configuration and input schema
    that gives such a dict.
    """
    about = _about(name, version, summary, deterministic, asks)
    return lambda of: BatchSink(of, outputs, reads, about)


@overload
def function(of: F, /) -> Function: ...
@overload
def function(
    *,
    arguments: str | None = None,
    returns: str | None = None,
    deterministic: bool = True,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
) -> Callable[[F], Function]: ...
def function(
    of: F | None = None,
    /,
    *,
    arguments: str | None = None,
    returns: str | None = None,
    deterministic: bool = True,
    name: str | None = None,
    version: str | None = None,
    summary: str | None = None,
) -> Any:
    """A function for SQL: ``def risk(amount: float, country: str | None) -> float``.

    Over columns it says its types as DDL: ``@function(arguments="price DOUBLE NOT NULL", returns="DOUBLE")``, takes a
    :class:`Batch` and gives a :class:`Column`.
    """
    about = _about(name, version, summary, True, ())
    return _decorate(lambda made: Function(made, arguments, returns, deterministic, about), of)
