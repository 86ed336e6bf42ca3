"""Cases in files: what ``streamhost test`` runs on the component, run natively."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import told
from ..plugin import plugins_of
from .functions import bind_functions
from .keyed import Job, bind_keyed
from .rows import lines, plain, same
from .sink import bind_sink
from .stateless import bind

_CASE = {"config", "schema", "function", "input", "expect", "outputs", "statements", "errors", "failure", "keys", "epochs"}
_EPOCH = {"watermark", "now", "input", "expect", "outputs", "errors", "failure"}


def cases(plugin: Any, folder: str | Path) -> None:
    """Runs every ``tests/*.toml`` of the plugin's folder, or of that of a file: ``cases(keep, __file__)``.

    ``plugin`` is what a decorator made, a subclass of ``Keyed``, a list of functions, or the module that has any of these.
    """
    if isinstance(plugin, ModuleType):
        plugin = of_project(plugins_of(plugin))
    place = Path(folder)
    place = place.parent if place.is_file() else place
    tests = place if place.name == "tests" else place / "tests"
    files = sorted(tests.glob("*.toml"))
    assert files, f"no cases in {tests}: put one there as a .toml file"
    for file in files:
        run_case(plugin, file)


def run_case(plugin: Any, file: Path) -> None:
    """Runs one case."""
    case = tomllib.loads(file.read_text())
    _known(case, _CASE, str(file))
    first = plugin[0] if isinstance(plugin, list) else plugin
    run: dict[str, Callable[[Any, dict[str, Any], str], None]] = {
        "transform": _stateless,
        "keyed": _keyed,
        "batch-sink": _sink,
        "functions": _functions,
    }
    run[first.role](plugin, case, str(file))


def _known(table: dict[str, Any], names: set[str], where: str) -> None:
    unknown = next((name for name in table if name not in names), None)
    assert unknown is None, f"{where}: unknown key `{unknown}`"


def _failure(error: BaseException, binding: bool) -> str:
    of = told(error)
    return f"{'invalid' if binding and of.kind == 'permanent' else of.kind}: {of.message}"


def _given(case: dict[str, Any], where: str, make: Callable[[], Any], run: Callable[[Any], Any]) -> Any:
    """What the plugin gives; nothing if it fails as the case expects."""
    failure: str | None = None
    answer = None
    try:
        bound = make()
    except Exception as error:
        failure = _failure(error, True)
    else:
        try:
            answer = run(bound)
        except Exception as error:
            failure = _failure(error, False)
    assert failure == case.get("failure"), f"{where}: expected the failure {case.get('failure')!r}, got {failure or answer!r}"
    return answer


def _outputs(where: str, given: dict[str, list[Any]], expected: dict[str, str]) -> None:
    for name in dict.fromkeys([*expected, *given]):
        same(f"{where}: output `{name}`", given.get(name, []), expected.get(name, ""))


def _errors(where: str, given: list[str], expected: list[str]) -> None:
    assert given == expected, f"{where}: expected the errors {expected}, got {given}"


def _config(case: dict[str, Any]) -> str:
    return json.dumps(case.get("config", {}))


def _stateless(plugin: Any, case: dict[str, Any], where: str) -> None:
    answer = _given(
        case,
        where,
        lambda: bind(plugin, _config(case), case.get("schema", "")),
        lambda bound: bound.run(case.get("input", "")),
    )
    if answer is not None:
        same(f"{where}: the rows", answer.rows, case.get("expect", ""))
        _errors(where, answer.errors, case.get("errors", []))
        _outputs(where, answer.side, case.get("outputs", {}))


def _sink(plugin: Any, case: dict[str, Any], where: str) -> None:
    stored = _given(
        case,
        where,
        lambda: bind_sink(plugin, _config(case), case.get("schema", "")),
        lambda bound: bound.run(case.get("input", "")),
    )
    if stored is not None:
        _outputs(where, stored.outputs, case.get("outputs", {}))
        given = [(one.output, one.statement.strip(), one.parameters) for one in stored.statements]
        expected = [
            (one["output"], one["statement"].strip(), lines(one["parameters"])) for one in case.get("statements", [])
        ]
        assert given == expected, f"{where}: expected the statements {expected}, got {given}"


def _functions(plugin: Any, case: dict[str, Any], where: str) -> None:
    names: list[str] = []

    def run(bound: Any) -> list[Any]:
        names.append(bound.named(case.get("function")))
        return bound.call(names[0], case.get("input", ""))  # type: ignore[no-any-return]

    results = _given(case, where, lambda: bind_functions(plugin, _config(case)), run)
    if results is not None:
        same(f"{where}: the results", [plain({names[0]: result}) for result in results], case.get("expect", ""))


def _keyed(plugin: Any, case: dict[str, Any], where: str) -> None:
    job = _given(
        case, where, lambda: bind_keyed(plugin, _config(case), case["schema"], case["keys"]), lambda job: job
    )
    for number, epoch in enumerate(case.get("epochs", [])) if job is not None else ():
        _known(epoch, _EPOCH, f"{where}: epoch {number}")
        _epoch(job, epoch, f"{where}: epoch {number}")


def _epoch(job: Job, epoch: dict[str, Any], where: str) -> None:
    if "watermark" in epoch:
        job.watermark(epoch["watermark"])
    if "now" in epoch:
        job.now(epoch["now"])
    answer = _given(epoch, where, lambda: job, lambda bound: bound.epoch(epoch.get("input", "")))
    if answer is not None:
        same(f"{where}: the rows", answer.rows, epoch.get("expect", ""))
        _errors(where, answer.errors, epoch.get("errors", []))
        _outputs(where, answer.side, epoch.get("outputs", {}))


def of_project(plugins: list[Any]) -> Any:
    """What :func:`run_case` takes, of a module's plugins: its functions together, or its one plugin."""
    functions = [plugin for plugin in plugins if plugin.role == "functions"]
    return functions if functions else plugins[0]


def failed(plugin: Any, file: Path) -> str | None:
    """Why a case does not pass."""
    try:
        run_case(plugin, file)
        return None
    except Exception as error:
        return str(error) or repr(error)

