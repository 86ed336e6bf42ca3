"""What a build says of a module that is wrong."""

import sys
from pathlib import Path

import pytest
from streamhost.build import _roles
from streamhost.errors import Error
from streamhost.project import Project

PROJECT = '[project]\nname = "{name}"\n[tool.streamhost]\nmodule = "{name}"\n'


def refusal(folder: Path, name: str, source: str) -> str:
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name))
    (folder / f"{name}.py").write_text(source)
    with pytest.raises(Error) as error:
        _roles(Project.read(folder))
    sys.path.remove(str(folder))
    return str(error.value)


def test_a_module_that_cannot_be_imported_is_told_by_its_own_lines(tmp_path: Path) -> None:
    said = refusal(tmp_path, "fails", "def half(n):\n    return 1 // n\n\nhalf(0)\n")
    lines = said.splitlines()
    assert lines[:2] == ["`fails` cannot be imported:", "Traceback (most recent call last):"]
    assert [line.split(", ")[1] for line in lines if line.startswith("  File")] == ["line 4", "line 2"]
    assert "ZeroDivisionError" in lines[-1]


def test_what_is_no_python_is_told_with_its_line(tmp_path: Path) -> None:
    said = refusal(tmp_path, "broken", "def x(:\n")
    assert "Traceback" not in said
    assert 'broken.py", line 1' in said and "SyntaxError: invalid syntax" in said
