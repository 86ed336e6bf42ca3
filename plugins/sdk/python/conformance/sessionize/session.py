"""A key's session, and the rows of a call that are added to it."""

from dataclasses import dataclass

from streamhost import Column, Error, RowErrors
from streamhost.columns import FixedColumn
from streamhost.keyed import Entries, Groups


@dataclass(slots=True)
class Session:
    """A session as it is after the rows of a call."""

    #: The key's row in the call's keys.
    key: int
    start: int
    end: int
    n: int
    #: How many rows of the call are in it.
    added: int = 0
    #: The row of the call that is the earliest of the session; none if that came before.
    first: int | None = None
    #: The row of the call that is the latest.
    last: int | None = None
    #: Its end before these rows, if there was a session.
    before: int | None = None

    def add(self, time: int, row: int) -> None:
        """Of rows of the same time, the one that came first is the earliest, and the one that came last is the latest."""
        self.n += 1
        self.added += 1
        if time < self.start:
            self.start, self.first = time, row
        if time >= self.end:
            self.end, self.last = time, row


def stored(entries: Entries) -> dict[int, Session]:
    """The sessions before the call, of its keys."""
    columns = [raw(column) for column in entries.values.columns]
    rows = zip(entries.keys, *columns)
    return {key: Session(key, start, end, n, before=end) for key, start, end, n in rows}


def raw(column: Column) -> list[int | None]:
    """The numbers of a column."""
    if not isinstance(column, FixedColumn):
        raise Error.permanent("the state has other columns than the plugin keeps")
    return column.raw()


def sessions(groups: Groups, times: Column, entries: Entries, errors: RowErrors) -> list[Session]:
    """The session of each key, with its rows added, however far apart they are. A row without a time is in error."""
    of_rows, before = raw(times), stored(entries)
    found = []
    for key in range(len(groups)):
        session = before.get(key)
        for row in groups.range(key):
            time = of_rows[row]
            if time is None:
                errors.add(row, Error.permanent("the time is null"))
            elif session is None:
                session = Session(key, time, time, 1, 1, row, row)
            else:
                session.add(time, row)
        if session is not None:
            found.append(session)
    return found
