"""The record and its table."""

import io
import json
from fractions import Fraction
from pathlib import Path

import pytest
from rich.console import Console

from parlab.console import shares, show_run
from parlab.record import Cases, Measured, Repeat, Run, write_json
from parlab.spans import Span
from parlab.spec import Spec


def span(node: str, start: float) -> Span:
    return Span(start, start, start + 1, start + 1.02, 0.1, node, 1, 2, 3)


def measured(nodes: int, *, wrong: str | None = None) -> Measured:
    spans = tuple(span(f"worker-{number}", 10.0) for number in range(1, nodes + 1))
    spec = Spec(nodes, 2, Fraction(1, 8), 0.5)
    return Measured(f"pool(nodes={nodes})", {"chunk": 1}, spec, 1.0, float(nodes), (Repeat(spans, wrong),))


def run(*cases: Measured) -> Run:
    return Run("sample", "cluster", cases[-1].spec, cases, {"cpus": 2})


def test_measured_is_from_first_submission_to_last_receipt() -> None:
    case = measured(4)
    assert case.measured_s == pytest.approx(1.02)
    assert case.off_by == pytest.approx(0.02)
    assert case.units == pytest.approx(2.04)
    assert case.speedup == pytest.approx(4 / 1.02)


def test_the_record_has_the_names_it_promises(tmp_path: Path) -> None:
    write_json(run(measured(1), measured(2)), tmp_path / "r.json")
    record = json.loads((tmp_path / "r.json").read_text())
    assert list(record) == ["schema", "lab", "backend", "spec", "cases", "environment"]
    assert record["spec"] == {"nodes": 2, "cores": 2, "speed": 0.125, "unit": 0.5}
    names = "name settings spec workers ideal_s measured_s off_by speedup by_node repeats"
    assert list(record["cases"][0]) == names.split()
    assert record["cases"][1]["by_node"] == {"worker-1": 1, "worker-2": 1}
    assert record["cases"][1]["repeats"][0]["measured_s"] == pytest.approx(1.02)
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_nodes_stand_in_the_order_of_their_numbers() -> None:
    assert list(measured(12).by_node)[8:] == ["worker-9", "worker-10", "worker-11", "worker-12"]


def test_expectations_find_cases_by_name() -> None:
    cases = Cases((measured(1), measured(2)))
    assert cases["pool(nodes=2)"].workers == 4
    assert len(cases) == 2


def test_shares_show_idle_nodes_and_stay_short() -> None:
    lazy = measured(2)
    lazy = Measured("x", {}, Spec(4, 2, Fraction(1, 8), 0.5), 1, 1, lazy.repeats)
    assert shares(lazy) == "1 1 0 0"
    assert shares(measured(32)) == "1 on each of 32"


def test_the_table_fits_eighty_columns_and_names_a_wrong_result() -> None:
    console = Console(width=80, file=io.StringIO(), record=True)
    show_run(run(measured(8), measured(32, wrong="result 1 is 5")), console)
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "wrong result: pool(nodes=32): result 1 is 5" in text
    assert "…" not in text
