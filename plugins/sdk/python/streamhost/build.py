"""Makes the component of a plugin's folder: ``python -m streamhost.build FOLDER -o NAME.wasm``.

It needs componentize-py of the version below in the Python that runs it. Exit codes: 1 if the plugin is wrong, 3 if a tool is missing.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from .errors import Error
from .project import Project

#: The version that the SDK's compiled kernels go with.
COMPONENTIZE_PY = "0.25.1"
_SDK = Path(__file__).resolve().parent.parent
_WORLDS = {"transform": "stateless", "keyed": "stateful", "batch-sink": "batch-sink", "functions": "sql-functions"}
_EXPORTS = {
    "transform": "from streamhost.component.transform import Transform",
    "keyed": "from streamhost.component.keyed import Keyed",
    "batch-sink": "from streamhost.component.batch_sink import ForeachBatch",
    "functions": "from streamhost.component.functions import Functions",
}
_ENTRY = """\
import gc
import random

from streamhost.component import machine

machine.install()

from streamhost import manifest

manifest.project.update({about!r})

import {module} as module
from streamhost.component.base import Plugin, setup
{exports}

setup(module)
machine.close()
gc.collect()
gc.freeze()
"""


class Missing(Exception):
    """A tool that is not there."""


def main() -> int:
    """The command line."""
    arguments = _arguments()
    try:
        build(arguments.folder, arguments.output, arguments.wit)
        return 0
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 3
    except Error as error:
        print(error.message, file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="streamhost.build", description="Makes the component of a plugin's folder.")
    parser.add_argument("folder", type=Path, help="the folder, with pyproject.toml in it")
    parser.add_argument("-o", "--output", type=Path, help="the component; FOLDER/NAME.wasm by default")
    parser.add_argument("--wit", type=Path, default=_SDK / "wit", help="the contract; the SDK's by default")
    return parser.parse_args()


def build(folder: Path, output: Path | None = None, wit: Path = _SDK / "wit") -> Path:
    """Builds the component and answers where it is."""
    project = Project.read(folder.resolve())
    tool = _tool()
    _install(project)
    roles = _roles(project)
    output = output or project.folder / f"{project.name}.wasm"
    with tempfile.TemporaryDirectory() as place:
        entry = Path(place, "streamhost_app.py")
        exports = "\n".join(_EXPORTS[role] for role in roles)
        entry.write_text(_ENTRY.format(about=project.about, module=project.module, exports=exports))
        made = Path(place, "made.wasm")
        _run([*tool, *_options(project, roles, wit, place), "-o", str(made)])
        shutil.move(made, output)
    return output


def _options(project: Project, roles: list[str], wit: Path, place: str) -> list[str]:
    worlds = [option for role in roles for option in ("-w", _WORLDS[role])]
    paths = [Path(place), project.source, project.packages, _SDK]
    found = [option for path in paths if path.is_dir() for option in ("-p", str(path))]
    return ["-q", "-d", str(wit), *worlds, "componentize", "streamhost_app", *found, "--stub-wasi"]


def _tool() -> list[str]:
    """componentize-py beside this Python, or on the path."""
    beside = Path(sys.executable).parent / "componentize-py"
    found = shutil.which("componentize-py")
    # Run by this Python: the script names the one that it was installed for, and a folder of tools may have been moved.
    tool = [sys.executable, str(beside)] if beside.exists() else [found] if found else None
    remedy = f"{sys.executable} -m pip install componentize-py=={COMPONENTIZE_PY}"
    if tool is None:
        raise Missing(f"there is no componentize-py: {remedy}")
    said = subprocess.run([*tool, "--version"], capture_output=True, text=True, check=False).stdout.split()
    if said[-1:] != [COMPONENTIZE_PY]:
        raise Missing(f"componentize-py is {said[-1] if said else 'broken'}, and {COMPONENTIZE_PY} is needed: {remedy}")
    return tool


def _install(project: Project) -> None:
    """Brings the dependencies, if they are not there as they are written."""
    mark = project.packages.parent / "dependencies"
    wanted = "\n".join(project.dependencies)
    if not project.dependencies or (mark.exists() and mark.read_text() == wanted):
        return
    shutil.rmtree(project.packages, ignore_errors=True)
    print(f"installing {', '.join(project.dependencies)}", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(project.packages), "--only-binary", ":all:"]
    _run([*pip, "--platform", "any", *project.dependencies])
    mark.write_text(wanted)


def _roles(project: Project) -> list[str]:
    """What the module's plugins are used as. It is imported natively, so that what is wrong with it is told as Python tells it."""
    try:
        module = project.load()
    except Error:
        raise
    except Exception as error:
        raise Error.invalid(f"`{project.module}` cannot be imported:\n{_told(error)}") from None
    return list(dict.fromkeys(plugin.role for plugin in project.plugins(module)))


def _told(error: Exception) -> str:
    """An exception as Python tells it, without the lines of importing."""
    told = traceback.TracebackException.from_exception(error)
    importing = ("<frozen importlib", str(Path(importlib.__file__).parent), str(Path(__file__).parent))
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if not frame.filename.startswith(importing)])
    return "".join(told.format() if told.stack else told.format_exception_only())


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).split("Stack backtrace:")[0].strip()
        raise Error.invalid(f"{Path(command[0]).name} failed:\n{said}")


if __name__ == "__main__":
    sys.exit(main())
