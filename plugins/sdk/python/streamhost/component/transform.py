"""The interface ``transform``."""

from __future__ import annotations

from typing import Any

import wit_world.exports
from wit_world.exports import transform as wit

from ..outcome import Outcome
from .base import begin, context, failure, of_role, out, row_errors


class Transform(wit_world.exports.Transform):
    """Stateless work on a batch."""

    def process(self, cx: Any, batch: bytes) -> wit.Outcome:
        begin()
        try:
            outcome: Outcome = of_role("transform").process(context(cx), batch)
            return wit.Outcome(_rows(outcome), [(name, out(rows)) for name, rows in outcome.side.items()], row_errors(outcome.errors))
        except BaseException as error:
            raise failure(error) from None


def _rows(outcome: Outcome) -> wit.Rows:
    if outcome.kind == "keep":
        return wit.Rows_Keep(out(outcome.keep))
    if outcome.kind == "extend":
        return wit.Rows_Extend(out(outcome.main))
    if outcome.kind == "keep-extend":
        return wit.Rows_KeepExtend((out(outcome.keep), out(outcome.main)))
    return wit.Rows_Replace(out(outcome.main))
