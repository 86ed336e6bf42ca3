"""The interface ``transform``."""

from __future__ import annotations

from typing import Any

import wit_world.exports
from wit_world.exports import transform as wit

from ..outcome import Outcome
from .base import context, failure, of_role, row_errors


class Transform(wit_world.exports.Transform):
    """Stateless work on a batch."""

    def process(self, cx: Any, batch: bytes) -> wit.Outcome:
        try:
            outcome: Outcome = of_role("transform").process(context(cx), batch)
            return wit.Outcome(_rows(outcome), list(outcome.side.items()), row_errors(outcome.errors))
        except BaseException as error:
            raise failure(error) from None


def _rows(outcome: Outcome) -> wit.Rows:
    if outcome.kind == "keep":
        return wit.Rows_Keep(outcome.keep)
    if outcome.kind == "extend":
        return wit.Rows_Extend(outcome.main)
    if outcome.kind == "keep-extend":
        return wit.Rows_KeepExtend((outcome.keep, outcome.main))
    return wit.Rows_Replace(outcome.main)
