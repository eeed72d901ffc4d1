"""The house: each room stands on a floor and imports from the floors below; no import runs upward or in a circle."""

import ast
import shutil
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from parlab.backend.exec import PARTS
from tests.conftest import ROOT

PACKAGE = ROOT / "parlab"
FLOORS = (  # from the ground up; a room is a module or a package of parlab
    {"__init__", "errors", "thresholds", "formatting"},
    {"model", "host"},
    {"task", "analysis"},
    {"lab", "results"},
    {"course", "judge", "predict"},
    {"node", "site"},
    {"backend"},
    {"run"},
    {"terminal"},
    {"report"},
    {"commands"},
    {"menu", "program"},
    {"__main__"},
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name below it; a package goes by its own name."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = file
    return found


def imports(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of parlab that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            head, _, below = name.partition(".")
            if head != "parlab":
                continue
            while below and below not in known:  # a name in a module
                below = below.rpartition(".")[0]
            yield below or "__init__"


def graph(package: Path) -> dict[str, set[str]]:
    """What each module imports of the package itself."""
    known = modules(package)
    return {name: set(imports(file, known)) - {name} for name, file in known.items()}


def room(module: str) -> str:
    return module.partition(".")[0]


def upward(package: Path) -> list[str]:
    """Each import from a room that does not stand below, in words."""
    return [
        f"{module} imports {other}"
        for module, others in graph(package).items()
        for other in sorted(others)
        if room(other) != room(module) and FLOOR[room(other)] >= FLOOR[room(module)]
    ]


def test_every_room_has_a_floor() -> None:
    assert {room(module) for module in modules(PACKAGE)} == FLOOR.keys()


def test_no_import_runs_upward() -> None:
    assert upward(PACKAGE) == []


def test_no_imports_run_in_a_circle() -> None:
    try:
        TopologicalSorter(graph(PACKAGE)).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("model/span.py", "from parlab.task.recorder import Task"),
        ("model/span.py", "from parlab.task import recorder"),
        ("judge/noise.py", "import parlab.run.launch"),
        ("lab.py", "def later():\n    from parlab.commands.labs import run_file"),
        ("analysis/ideal.py", "from parlab.task.pace import burn"),  # of the same floor, another room
    ],
)
def test_an_import_that_runs_upward_is_found(module: str, line: str, tmp_path: Path) -> None:
    copy = tmp_path / "parlab"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "data"))
    (copy / module).write_text(f"{(copy / module).read_text()}\n{line}\n")
    (found,) = upward(copy)
    assert found.startswith(module.removesuffix(".py").replace("/", "."))


def test_a_lab_and_what_runs_in_nodes_need_nothing_that_runs_on_the_host() -> None:
    files = {
        file for part in PARTS for file in ([PACKAGE / part] if part.endswith(".py") else (PACKAGE / part).glob("*"))
    }
    known = modules(PACKAGE)
    sent = {name for name, file in known.items() if file in files}
    for module, others in graph(PACKAGE).items():
        if module in sent:
            assert others <= sent, f"{module} would not find all of that in a node"


def test_what_an_author_declares_with_stands_on_values_and_tasks_alone() -> None:
    assert {room(other) for other in graph(PACKAGE)["lab"]} == {"model", "task"}


def test_each_room_says_its_job_in_one_line_and_is_on_the_map() -> None:
    tour = (ROOT / "CONTRIBUTING.md").read_text()
    for name, file in modules(PACKAGE).items():
        text = ast.get_docstring(ast.parse(file.read_bytes()))
        assert text, f"{name} has no docstring"
        if file.name == "__init__.py" and name != "__init__":
            assert len(text.splitlines()) == 1, f"{name}: one line"
            assert f"`{name}/`" in tour, f"{name} is not on the map in CONTRIBUTING.md"


def test_modules_hold_one_idea() -> None:
    assert {name for name, file in modules(PACKAGE).items() if len(file.read_text().splitlines()) > 300} == set()
