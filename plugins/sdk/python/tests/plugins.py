"""Plugins that the tests use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import streamhost
from streamhost import (
    Batch,
    BooleanColumn,
    Clock,
    Column,
    Context,
    EpochRows,
    Error,
    Fired,
    Group,
    Int32,
    Outputs,
    RowErrors,
    Timers,
    Timestamp,
    Value,
    compute,
    rename,
)


@dataclass
class Event:
    value: float


@dataclass
class Share:
    share: float


@dataclass
class Word:
    word: str


@dataclass
class Line:
    text: str | None


@streamhost.filter
def keep(event: Event) -> bool:
    return event.value > 10.0


@streamhost.map
def share(event: Event) -> Share | None:
    if event.value < 0:
        raise ValueError("below nothing")
    return Share(event.value / 100) if event.value else None


@streamhost.transform
def words(line: Line) -> Iterator[Word]:
    for word in (line.text or "").split():
        if word == "bad":
            raise Error.transient("a bad word")
        yield Word(word)


@streamhost.filter(reads=["value"])
def above(batch: Batch) -> BooleanColumn:
    return batch["value"] > 10


@streamhost.map(reads=["value"])
def halved(batch: Batch) -> tuple[BooleanColumn, dict[str, Column]]:
    value = batch["value"]
    return value > 1, {"half": value / 2}


@streamhost.map(reads=["text"])
def parsed(batch: Batch, errors: RowErrors) -> Batch:
    numbers: list[int | None] = []
    for row, text in enumerate(batch["text"]):
        try:
            numbers.append(int(text))
        except (TypeError, ValueError) as error:
            errors.add(row, error)
            numbers.append(None)
    return Batch.of(number=streamhost.column(streamhost.types.BIGINT, numbers))


@streamhost.transform
def split(batch: Batch) -> tuple[Batch, dict[str, Batch]]:
    big = batch["value"] >= 100
    return batch.filter(big), {"small": batch.filter(~big)}


@streamhost.filter
def recent(event: Event, cx: Context) -> bool:
    return event.value >= cx.now


@dataclass
class User:
    user: int


@dataclass
class Seen:
    at: Timestamp


@dataclass
class Visit:
    start: Timestamp
    end: Timestamp
    events: int


@dataclass
class Ended:
    user: int
    events: int


def ended(user: User, fired: Fired, visit: Value[Visit]) -> Ended | None:
    last, visit.value = visit.value, None
    return None if last is None else Ended(user.user, last.events)


@streamhost.keyed(expired=ended, ttl="1h")
def visits(user: User, rows: Group[Seen], visit: Value[Visit], timers: Timers) -> Ended | None:
    for row in rows:
        if visit.value is None:
            visit.value = Visit(row.at, row.at, 0)
        visit.value.end = max(visit.value.end, row.at)
        visit.value.events += 1
    if visit.value is not None and visit.value.events > 100:
        raise Error.permanent("too many")
    if visit.value is not None:
        timers.replace(Clock.EVENT_TIME, visit.value.end + 60_000_000)
    return None


@dataclass
class Sale:
    item: str
    pieces: int


@dataclass(frozen=True)
class Item:
    item: str


@dataclass
class Sold:
    pieces: int


@dataclass
class Best:
    item: str
    pieces: int


@dataclass
class Before1:
    item: str
    dozens: Int32


def migrate(before: streamhost.Before) -> Batch:
    if (before.table, before.version) != ("sold", 1):
        raise before.unknown()
    return before.each(Before1, lambda old: Sale(old.item, old.dozens * 12))


@streamhost.keyed(tables={"sold": {"version": 2}}, migrate=migrate)
def best(sales: Group[Sale], sold: dict[Item, Sold], all_sales: list[Sale]) -> Best | None:
    for sale in sales:
        of = sold.setdefault(Item(sale.item), Sold(0))
        of.pieces += sale.pieces
        all_sales.append(sale)
        if of.pieces <= 0:
            del sold[Item(sale.item)]
    if not sold:
        all_sales.clear()
        return None
    item, most = max(sold.items(), key=lambda pair: pair[1].pieces)
    return Best(item.item, most.pieces)


@dataclass
class Total:
    user: Annotated[str, rename("who")]
    total: float


@dataclass
class Paid:
    user: str
    value: float


@streamhost.batch_sink(outputs={"totals": Total, "raw": "user STRING, value DOUBLE"}, reads=["user", "value"])
def store(rows: EpochRows, outputs: Outputs, cx: Context) -> None:
    totals: dict[str, float] = {}
    for batch in rows:
        outputs.write("raw", batch)
        for user, value in zip(batch["user"], batch["value"]):
            totals[user] = totals.get(user, 0.0) + value
    outputs.write_rows("totals", [Total(user, total) for user, total in totals.items()])
    changed = outputs.execute("totals", "DELETE FROM t WHERE epoch = $1", epoch(cx))
    assert changed == 1


def epoch(cx: Context) -> Batch:
    return Batch.of(epoch=streamhost.column(streamhost.types.BIGINT, [cx.epoch]))


@streamhost.config
class Home:
    """Where one is at home."""

    home: str
    """The country whose payments are no risk by themselves."""


@streamhost.function
def risk(amount: float, country: str | None, config: Home) -> float:
    if amount < 0:
        raise Error.permanent(f"{amount} is no amount")
    return min(amount / 10_000 + (0.25 if country != config.home else 0.0), 1.0)


@streamhost.function(arguments="price DOUBLE NOT NULL", returns="DOUBLE", deterministic=False)
def doubled(batch: Batch) -> Column:
    return batch["price"] * 2


@streamhost.filter(reads=["text"])
def searched(batch: Batch) -> BooleanColumn:
    text = batch["text"]
    return (compute.contains(text, "ö") | compute.starts_with(text, "a")) & ~compute.is_(text, "aö")
