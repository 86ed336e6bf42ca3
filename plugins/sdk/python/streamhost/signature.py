"""What the parameters of a plugin's function are, by their annotations."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from .batch import Batch
from .config import is_config
from .context import Context
from .errors import RowErrors
from .rows import is_row

_ITERABLES = (
    list,
    tuple,
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.Sequence,
)


@dataclasses.dataclass
class Signature:
    """The parameters of a function: what each is given, in order."""

    function: Callable[..., Any]
    #: The annotations by name; of the result under ``return``.
    hints: dict[str, Any]
    names: list[str]
    #: ``config``, ``cx``, ``errors``, ``batch``, ``row``, or nothing for what only some kinds have.
    roles: dict[str, str | None]
    config: type[Any] | None = None

    @property
    def returns(self) -> Any:
        """The annotation of the result, if there is one."""
        return self.hints.get("return")

    def of_role(self, role: str) -> str | None:
        """The name of the parameter that has a role."""
        return next((name for name in self.names if self.roles[name] == role), None)


def signature(function: Callable[..., Any]) -> Signature:
    """Reads the annotations of a function."""
    hints = typing.get_type_hints(function, include_extras=True)
    names = list(inspect.signature(function).parameters)
    missing = next((name for name in names if name not in hints), None)
    if missing is not None:
        raise TypeError(f"{function.__name__}: parameter `{missing}` has no annotation, which says what it is")
    made = Signature(function, hints, names, {name: _role(hints[name]) for name in names})
    made.config = next((hints[name] for name in names if made.roles[name] == "config"), None)
    return made


def _role(hint: Any) -> str | None:
    if is_config(hint):
        return "config"
    known = {Context: "cx", RowErrors: "errors", Batch: "batch"}
    if isinstance(hint, type) and hint in known:
        return known[hint]
    return "row" if is_row(hint) else None


def call(made: Signature, **given: Any) -> Any:
    """Calls the function with what its parameters' roles are given."""
    return made.function(*[given[str(made.roles[name])] for name in made.names])


def rowwise(made: Signature, config: Any, cx: Context) -> Callable[[Any], Any]:
    """The function of a row alone."""
    function = made.function
    if made.names == [made.of_role("row")]:
        return function
    fixed = {"config": config, "cx": cx}
    before = [fixed.get(str(made.roles[name])) for name in made.names]
    place = made.names.index(str(made.of_role("row")))
    head, tail = before[:place], before[place + 1 :]
    return lambda row: function(*head, row, *tail)


def optional(hint: Any) -> tuple[Any, bool]:
    """A type, and whether it may be None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [one for one in typing.get_args(hint) if one is not type(None)]
        if len(rest) == 1 and len(typing.get_args(hint)) == 2:
            return rest[0], True
    return hint, False


def items(hint: Any) -> Any:
    """The type of what an annotation such as ``list[Word]`` or ``Iterator[Word]`` has; nothing if it has none."""
    if typing.get_origin(hint) in _ITERABLES:
        return typing.get_args(hint)[0]
    return None
