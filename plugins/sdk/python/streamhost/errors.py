"""How a plugin says that something is wrong: with a call, or with one row of it."""

from __future__ import annotations

import os
import traceback
from typing import Any

KINDS = ("invalid", "transient", "permanent")


class Error(Exception):
    """Why a call failed, or, from a function over rows, why one row did.

    Make one with :meth:`invalid`, :meth:`transient` or :meth:`permanent`. Every other exception counts as a permanent one,
    and is told with the line that raised it.
    """

    def __init__(self, message: object, kind: str = "permanent") -> None:
        super().__init__(str(message))
        self.message = str(message)
        self.kind = kind

    @classmethod
    def invalid(cls, message: object) -> Error:
        """The configuration or the input's schema is wrong: the pipeline does not start."""
        return cls(message, "invalid")

    @classmethod
    def transient(cls, message: object) -> Error:
        """The same batch, or row, may pass later: the host retries it as often as the pipeline says."""
        return cls(message, "transient")

    @classmethod
    def permanent(cls, message: object) -> Error:
        """The same batch, or row, can never pass."""
        return cls(message, "permanent")

    def context(self, doing: object) -> Error:
        """The same, with what was being done before the message."""
        return type(self)(f"{doing}: {self.message}", self.kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Error) and (self.kind, self.message) == (other.kind, other.message)

    def __hash__(self) -> int:
        return hash((self.kind, self.message))


def told(error: BaseException) -> Error:
    """An exception as an :class:`Error`: one that the plugin did not mean is told with its stack."""
    if isinstance(error, Error):
        return error
    reason = str(error)
    name = type(error).__name__
    message = f"{name}: {reason}" if reason else name
    return Error.permanent(message + stack(error))


def stack(error: BaseException) -> str:
    """Where an exception came from: ` (plugin.py:12 in keep, called at …)`, without the SDK's own lines."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _own(frame.filename)]
    if not frames:
        return ""
    places = [f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}" for frame in reversed(frames)]
    return f" ({', called at '.join(places[:_MOST_FRAMES])})"


_MOST_FRAMES = 8
_HERE = os.path.dirname(os.path.abspath(__file__))


def _own(file: str) -> bool:
    return file.startswith(_HERE) or file.startswith("<")


class RowErrors:
    """The bad rows of one batch, in a function over batches that has a parameter of this type.

    Whether a bad row fails the query, is skipped or goes to a dead-letter sink is the pipeline's decision.
    """

    def __init__(self) -> None:
        self._errors: dict[int, Error] = {}

    def add(self, row: int, error: BaseException | str) -> None:
        """The row at this index of the batch cannot be processed.

        A transient error asks for a retry, every other one rejects the row. The first error of a row is the one that is told.
        """
        if isinstance(error, str):
            error = Error.permanent(error)
        self._errors.setdefault(row, told(error))

    def rows(self) -> list[int]:
        """Indices of the bad rows, ascending."""
        return sorted(self._errors)

    def items(self) -> list[tuple[int, Error]]:
        """The bad rows and why, by row."""
        return sorted(self._errors.items(), key=_row)

    def __len__(self) -> int:
        return len(self._errors)

    def __contains__(self, row: object) -> bool:
        return row in self._errors


def _row(item: tuple[int, Any]) -> int:
    return item[0]
