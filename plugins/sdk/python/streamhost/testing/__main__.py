"""``python -m streamhost.testing FOLDER``: runs the cases of a plugin's folder natively."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import Error
from ..project import Project
from .cases import failed, of_project


def main() -> int:
    """The command line. 0 if all pass, 1 if one does not, 2 if there is no plugin."""
    parser = argparse.ArgumentParser(prog="streamhost.testing", description="Runs the cases of a plugin's folder natively.")
    parser.add_argument("folder", type=Path, help="the folder, with pyproject.toml in it")
    parser.add_argument("--cases", type=Path, help="the folder of the cases; FOLDER/tests by default")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    try:
        project = Project.read(folder)
        plugin = of_project(project.plugins(project.load()))
    except Error as error:
        print(error.message, file=sys.stderr)
        return 2
    files = sorted((arguments.cases or folder / "tests").glob("*.toml"))
    results = [(file, failed(plugin, file)) for file in files]
    for file, why in results:
        print(f"test {file.stem.replace('-', ' ')} ... {'ok' if why is None else 'FAILED'}")
        if why is not None:
            print(why)
    wrong = sum(why is not None for _, why in results)
    print(f"{len(results) - wrong} passed, {wrong} failed")
    return 1 if wrong or not results else 0


if __name__ == "__main__":
    sys.exit(main())
