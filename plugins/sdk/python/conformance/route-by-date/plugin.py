"""Stores rows by their date, in one output or several."""

from dataclasses import field

import streamhost
from dates import Pattern, days
from router import Route, Router
from streamhost import EpochRows, Error, Field, Outputs, Schema, column, compute, types
from streamhost.ddl import type_name


@streamhost.config
class Config:
    """Which rows go where."""

    column: str
    """The column of dates, a DATE or a TIMESTAMP. A TIMESTAMP's date is that in UTC."""
    as_: str = "day"
    """The new column's name."""
    text: str = "{year}-{month}-{day}"
    """The new column's text, in which `{year}`, `{month}` and `{day}` stand for the date's."""
    output: str = "days"
    """The output of the rows that no route takes."""
    routes: list[Route] = field(default_factory=list)
    """Outputs of stretches of time. A row goes to the first that takes its date."""
    undated: str | None = None
    """The output of the rows without a date. Without one they are an error."""

    def router(self) -> Router:
        """Where dates go."""
        return Router(self.output, self.routes, self.undated)


def outputs(config: Config, input: Schema) -> dict[str, Schema]:
    """Every output has the columns that come in, and the new one."""
    if config.column not in input:
        raise Error.invalid(f"config: there is no column `{config.column}`; the columns are {input}")
    kind = input.field(config.column).type
    if kind != types.DATE and not isinstance(kind, types.TimestampType):
        has = type_name(kind)
        raise Error.invalid(f"config: column `{config.column}` has type {has}, and dates are DATE or TIMESTAMP")
    if config.as_ in input:
        raise Error.invalid(f"config: there is a column `{config.as_}` already; name another one with `as`")
    Pattern(config.text)
    columns = Schema([*input, Field(config.as_, types.STRING)])
    return dict.fromkeys(config.router().names, columns)


@streamhost.batch_sink(outputs=outputs)
def route(rows: EpochRows, outputs: Outputs, config: Config) -> None:
    """Adds the text of each row's date, and stores the row where its date goes."""
    router, pattern = config.router(), Pattern(config.text)
    for batch in rows:
        of_rows = days(batch, config.column)
        places = router.places(of_rows, config.column)
        dated = batch.with_columns({config.as_: column(types.STRING, pattern.texts(of_rows))})
        for place, name in enumerate(router.names):
            here = compute.mask([of == place for of in places])
            outputs.write(name, dated.filter(here))

