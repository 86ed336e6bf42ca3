"""A plugin's folder: its ``pyproject.toml``, and the module that has the plugin."""

from __future__ import annotations

import importlib
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from . import manifest
from .errors import Error
from .plugin import plugins_of


@dataclass
class Project:
    """What ``pyproject.toml`` says."""

    folder: Path
    name: str
    about: dict[str, str]
    module: str
    #: The folder that the module is in.
    source: Path
    dependencies: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Project:
        """Reads the project of a folder."""
        file = folder / "pyproject.toml"
        try:
            written = tomllib.loads(file.read_text())
        except OSError:
            raise Error.invalid(f"there is no {file}: `streamhost new plugin --lang python` writes one") from None
        except tomllib.TOMLDecodeError as error:
            raise Error.invalid(f"{file}: {error}") from None
        project: dict[str, Any] = written.get("project", {})
        if not project.get("name"):
            raise Error.invalid(f"{file}: [project] has no name")
        module, source = _module(folder, project["name"], written.get("tool", {}).get("streamhost", {}))
        about: dict[str, str] = {key: str(project[key]) for key in ("name", "version", "description") if key in project}
        dependencies = [one for one in project.get("dependencies", []) if not one.startswith("streamhost-sdk")]
        return cls(folder, project["name"], about, module, source, dependencies)

    @property
    def packages(self) -> Path:
        """Where its dependencies are installed."""
        return self.folder / ".streamhost" / "site-packages"

    def load(self) -> ModuleType:
        """Imports the module natively."""
        manifest.project.clear()
        manifest.project.update(self.about)
        for place in (self.packages, self.source):
            if place.is_dir() and str(place) not in sys.path:
                sys.path.insert(0, str(place))
        return importlib.import_module(self.module)

    def plugins(self, module: ModuleType) -> list[Any]:
        """The plugins of the module: one, or functions."""
        found = plugins_of(module)
        roles = [plugin.role for plugin in found]
        if not found:
            raise Error.invalid(
                f"`{self.module}` has no plugin: decorate a function with @streamhost.filter, map, transform, keyed, batch_sink or "
                "function, or make a subclass of streamhost.Keyed"
            )
        twice = next((role for role in roles if role != "functions" and roles.count(role) > 1), None)
        if twice is not None:
            raise Error.invalid(f"`{self.module}` has {roles.count(twice)} plugins for `{twice}`: a component has one")
        return found


def _module(folder: Path, name: str, settings: dict[str, Any]) -> tuple[str, Path]:
    names = [settings["module"]] if "module" in settings else ["plugin", name.replace("-", "_")]
    for module in names:
        for source in (folder, folder / "src"):
            if (source / f"{module}.py").is_file() or (source / module / "__init__.py").is_file():
                return module, source
    raise Error.invalid(
        f"{folder} has no module `{names[0]}`: write {names[0]}.py, or name another one in pyproject.toml with "
        '[tool.streamhost] module = "…"'
    )
