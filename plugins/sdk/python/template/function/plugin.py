"""A function for SQL: how many words a text has."""

import streamhost
from streamhost import Int32


@streamhost.config
class Config:
    """What the pipeline may set."""

    letters: int = 1
    """The fewest letters of a word that counts."""


@streamhost.function
def words(text: str, config: Config) -> Int32:
    """The words of a text that are long enough. Of NULL the result is NULL; with `str | None` it could be another."""
    return sum(len(word) >= config.letters for word in text.split())
