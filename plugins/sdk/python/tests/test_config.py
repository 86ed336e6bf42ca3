"""Configurations: what is read, what is refused, and what the component says of them."""

import json
from dataclasses import field
from datetime import timedelta
from enum import Enum
from typing import Literal

import pytest

import streamhost
from streamhost import Error
from streamhost.config import parse, schema
from streamhost.interval import parse as length


class Unit(Enum):
    M = "m"
    KM = "km"


@streamhost.config
class Inner:
    """A part."""

    from_: str
    """Where it begins."""


@streamhost.config
class Config:
    """All there is."""

    at_most: int
    """The most that is let through."""
    ratio: float = 1.5
    name: str | None = None
    op: Literal[">", "<"] = ">"
    unit: Unit = Unit.M
    gap: timedelta = timedelta(seconds=1)
    threshold: int | float = 10
    parts: list[Inner] = field(default_factory=list)
    by_name: dict[str, bool] = field(default_factory=dict)


def read(text: str) -> Config:
    made = parse(Config, text)
    assert made is not None
    return made


def test_every_type_is_read() -> None:
    made = read(
        '{"at-most": 3, "ratio": 2, "name": "x", "op": "<", "unit": "km", "gap": "1h 30m", "threshold": 2.5,'
        '"parts": [{"from": "a"}], "by-name": {"a": true}}'
    )
    assert (made.at_most, made.ratio, made.name, made.op, made.unit) == (3, 2.0, "x", "<", Unit.KM)
    assert (made.gap, made.threshold) == (timedelta(minutes=90), 2.5)
    assert made.parts[0].from_ == "a" and made.by_name == {"a": True}
    assert isinstance(read('{"at-most": 3, "threshold": 9007199254740993}').threshold, int)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"at-mots": 1}', "config: unknown field `at-mots`, expected one of `at-most`, `ratio`, "),
        ("", "config: missing field `at-most`"),
        ('{"at-most": "x"}', 'config: invalid type: string "x", expected i64'),
        ('{"at-most": true}', "config: invalid type: boolean `true`, expected i64"),
        ('{"at-most": 1, "op": "="}', "config: unknown variant `=`, expected `>` or `<`"),
        ('{"at-most": 1, "unit": "yd"}', "config: unknown variant `yd`, expected `m` or `km`"),
        ('{"at-most": 1, "parts": [{}]}', "config: missing field `from`"),
        ('{"at-most": 1, "gap": "a while"}', "config: `a while` is no length of time; "),
        ("[", "config: "),
        ("3", "config: invalid type: integer `3`, expected struct Config"),
    ],
)
def test_what_is_wrong_is_told(text: str, message: str) -> None:
    with pytest.raises(Error) as refusal:
        read(text)
    assert refusal.value.kind == "invalid"
    assert str(refusal.value).startswith(message)


def test_no_configuration_takes_no_keys() -> None:
    assert parse(None, "") is None
    with pytest.raises(Error, match="unknown field `a`, there are no fields"):
        parse(None, '{"a": 1}')


def test_the_schema_has_the_descriptions() -> None:
    made = json.loads(schema(Config))
    assert made["description"] == "All there is."
    assert made["properties"]["at-most"] == {"description": "The most that is let through.", "type": "integer"}
    assert made["properties"]["unit"] == {"enum": ["m", "km"], "default": "m"}
    assert made["properties"]["parts"]["items"]["properties"]["from"]["description"] == "Where it begins."
    assert made["required"] == ["at-most"] and made["additionalProperties"] is False


def test_a_length_of_time_is_read_as_in_a_pipeline_file() -> None:
    assert [length(text).total_seconds() for text in ("200ms", "10 minutes", "1h30m", " 1 day, 1s ")] == [0.2, 600, 5400, 86_401]
    for text in ("", "10", "minutes", "-1s", "1.5h", "3 moons", "999999999999999 days"):
        with pytest.raises(Error):
            length(text)
