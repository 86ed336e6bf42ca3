"""A new plugin of each kind passes its tests, as `streamhost new` writes it."""

import subprocess
import sys
from pathlib import Path

import pytest

SDK = Path(__file__).resolve().parent.parent
TEMPLATE = SDK / "template"
KINDS = ["filter", "map", "transform", "keyed", "batch-sink", "function"]


def write(kind: str, folder: Path) -> None:
    """Writes a plugin as `streamhost new plugin` does."""
    summary = (TEMPLATE / kind / "summary").read_text().strip()

    def filled(name: str) -> str:
        text = (TEMPLATE / name).read_text().replace("{{name}}", f"my-{kind}")
        return text.replace("{{summary}}", summary).replace("{{sdk}}", str(SDK))

    own = f"{kind}/README.md.tmpl"
    files = {
        "pyproject.toml": filled("pyproject.toml.tmpl"),
        "README.md": filled(own if (TEMPLATE / own).exists() else "README.md.tmpl"),
        ".gitignore": filled("gitignore"),
        "plugin.py": filled(f"{kind}/plugin.py"),
        "tests/test_plugin.py": filled("test_plugin.py"),
        "tests/basic.toml": filled(f"{kind}/basic.toml"),
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_its_tests(kind: str, tmp_path: Path) -> None:
    write(kind, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_cases_are_those_of_rust(kind: str) -> None:
    ours, rusts = TEMPLATE / kind / "basic.toml", SDK.parent / "rust" / "template" / kind / "basic.toml"
    assert ours.read_text() == rusts.read_text()
