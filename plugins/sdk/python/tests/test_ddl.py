"""Schemas as text."""

import pytest

from streamhost import Date, Error, Schema, Timestamp


def test_every_type_prints_as_it_is_read() -> None:
    text = (
        "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h STRING, i BINARY, j DATE, "
        "k TIMESTAMP, l TIMESTAMP_NTZ, m DECIMAL(38,10), n ARRAY<STRUCT<x: INT, `y z`: MAP<STRING, INT>>>"
    )
    assert str(Schema.parse(text)) == text


def test_not_null_and_quoted_names_are_read() -> None:
    (field,) = Schema.parse("`a``b c` int not null")
    assert (field.name, field.nullable) == ("a`b c", False)


def test_an_unknown_type_is_shown_with_its_place() -> None:
    with pytest.raises(Error) as refusal:
        Schema.parse("a INT, b TEXT")
    assert str(refusal.value) == (
        "schema, column 10: expected a type, such as INT, BIGINT, DOUBLE, STRING or TIMESTAMP, found `TEXT`"
    )


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(Error):
        Schema.parse(f"a {'ARRAY<' * 9}INT{'>' * 9}")


def test_a_moment_is_shown_as_it_is_written() -> None:
    assert [str(Timestamp(at)) for at in (0, -1, 1_740_830_400_500_000)] == [
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "2025-03-01T12:00:00.500Z",
    ]
    assert [str(Date(day)) for day in (19_782, 11_016, -1)] == ["2024-02-29", "2000-02-29", "1969-12-31"]
