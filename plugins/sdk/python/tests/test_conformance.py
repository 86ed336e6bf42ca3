"""The conformance plugins pass the cases of the ready-made Rust ones, and the guide's code runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SDK = Path(__file__).resolve().parent.parent
PLUGINS = SDK.parent.parent


@pytest.mark.parametrize("name", ["normalize", "sessionize", "route-by-date", "geo", "filter-threshold"])
def test_the_cases_of_rust_pass(name: str) -> None:
    command = [sys.executable, "-m", "streamhost.testing", str(SDK / "conformance" / name)]
    environment = {**os.environ, "PYTHONPATH": str(SDK)}
    done = subprocess.run(
        [*command, "--cases", str(PLUGINS / name / "tests")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


BLOCKS = re.findall(r"```python\n(.*?)```", (SDK / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_code_of_the_guide_runs(number: int, tmp_path: Path) -> None:
    file = tmp_path / "guide.py"
    file.write_text(BLOCKS[number])
    done = subprocess.run(
        [sys.executable, str(file)], env={**os.environ, "PYTHONPATH": str(SDK)}, capture_output=True, text=True
    )
    assert done.returncode == 0, BLOCKS[number] + done.stderr
