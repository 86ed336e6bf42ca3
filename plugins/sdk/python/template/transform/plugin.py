"""Splits a text into a row for each of its words."""

from collections.abc import Iterator
from dataclasses import dataclass

import streamhost


@dataclass
class Line:
    """The columns that the plugin reads."""

    text: str | None


@dataclass
class Word:
    """The columns of the rows that leave."""

    word: str


@streamhost.transform
def words(line: Line) -> Iterator[Word]:
    """The rows that a row becomes."""
    return (Word(word) for word in (line.text or "").split())
