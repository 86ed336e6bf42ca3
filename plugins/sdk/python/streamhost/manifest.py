"""What a plugin says of itself."""

from __future__ import annotations

import inspect
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Manifest:
    """Name, version and summary, which are the project's unless the decorator gives others."""

    name: str
    version: str = "0.1.0"
    summary: str = ""
    #: Same rows in, same bytes out: lets a replay reproduce an epoch exactly.
    deterministic: bool = True
    #: What it wants of the host beyond rows; it gets what the pipeline allows. `http` is of no use: this SDK has no requests.
    asks: tuple[str, ...] = ()


#: Said by ``streamhost.build``, which has read ``pyproject.toml``; in a component there are no files.
project: dict[str, str] = {}


def of(function: Callable[..., Any] | type[Any], given: dict[str, Any]) -> Manifest:
    """The manifest of a decorated function, from what its decorator gives and what its project says."""
    about = project or _project_of(function)
    doc = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    defaults = {
        "name": about.get("name") or function.__name__.replace("_", "-"),
        "version": about.get("version") or "0.1.0",
        "summary": about.get("description") or doc,
    }
    return Manifest(**{**defaults, **{name: value for name, value in given.items() if value is not None}})


def _project_of(function: Callable[..., Any] | type[Any]) -> dict[str, str]:
    folder = os.path.dirname(getattr(inspect.getmodule(function), "__file__", None) or "")
    for place in (folder, os.path.dirname(folder)):
        try:
            with open(os.path.join(place, "pyproject.toml"), "rb") as file:
                read: dict[str, str] = tomllib.load(file).get("project", {})
                return read
        except OSError:
            continue
    return {}
