"""What all plugins have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import update_wrapper
from types import ModuleType
from typing import Any

from . import manifest
from .signature import Signature, signature

#: The columns that a plugin reads: their names, or a function of the configuration that gives them. None are all.
Reads = Iterable[str] | Callable[..., Iterable[str]] | None


class Plugin:
    """A plugin. It can be called as the function that it was made of."""

    #: What a component is used as: ``transform``, ``keyed``, ``batch-sink`` or ``functions``.
    role: str
    #: The class of its configuration, if it has one.
    config: type[Any] | None

    def __init__(self, function: Callable[..., Any], about: dict[str, Any]) -> None:
        update_wrapper(self, function)
        self.function = function
        self.signature: Signature = signature(function)
        self.manifest = manifest.of(function, about)
        self.config = self.signature.config

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def reads_of(reads: Reads, config: Any) -> list[str] | None:
    """The columns that a plugin reads with this configuration."""
    if reads is None:
        return None
    return list(reads(config) if callable(reads) else reads)


def plugins_of(module: ModuleType) -> list[Any]:
    """The plugins that a module has, in their order: what the decorators made, and classes of its own that are plugins."""
    found: list[Any] = []
    for value in vars(module).values():
        if isinstance(value, Plugin) and value not in found:
            found.append(value)
        elif isinstance(value, type) and value.__module__ == module.__name__ and hasattr(value, "__streamhost_plugin__"):
            found.append(value.__streamhost_plugin__())
    return found
