"""The record and its table."""

import io
import json
from fractions import Fraction
from pathlib import Path

import pytest
from rich.console import Console

from parlab.console import View, shares
from parlab.lab import Lab
from parlab.record import Claim, MeasuredCase, Repeat, Run, write_json
from parlab.spans import Span
from parlab.spec import Spec
from parlab.verdict import judge


def span(node: str, start: float) -> Span:
    times = {"submitted": start, "started": start + 0.01, "finished": start + 1, "received": start + 1.02}
    return Span(**times, cpu_s=0.1, node=node, rank=1, pid=2, thread=3)


def measured(nodes: int, *, wrong: str | None = None) -> MeasuredCase:
    spans = tuple(span(f"worker-{number}", 10.0 + number) for number in range(1, nodes + 1))
    spec = Spec(nodes, 2, Fraction(1, 8), 0.5)
    return MeasuredCase(f"pool(nodes={nodes})", {"chunk": 1}, spec, 1.0, float(nodes), (Repeat(spans, wrong),))


def run(*cases: MeasuredCase) -> Run:
    return Run("sample", "cluster", cases[-1].spec, cases, (Claim("it halves", False, "too slow"),), {"cpus": 2})


def test_measured_is_from_first_submission_to_last_receipt() -> None:
    case = measured(4)
    assert case.measured_s == pytest.approx(4.02)  # four spans, each a second after the one before
    assert case.off_by == pytest.approx(3.02)
    assert case.units == pytest.approx(8.04)
    assert case.speedup == pytest.approx(4 / 4.02)


def test_the_record_has_the_names_it_promises(tmp_path: Path) -> None:
    write_json(run(measured(1), measured(2)), tmp_path / "r.json")
    record = json.loads((tmp_path / "r.json").read_text())
    assert list(record) == ["schema", "lab", "backend", "spec", "cases", "claims", "environment"]
    assert record["spec"] == {"nodes": 2, "cores": 2, "speed": 0.125, "unit": 0.5}
    names = "name settings spec workers ideal_s measured_s off_by speedup by_node repeats"
    assert list(record["cases"][0]) == names.split()
    assert record["cases"][1]["by_node"] == {"worker-1": 1, "worker-2": 1}
    assert record["cases"][1]["repeats"][0]["measured_s"] == pytest.approx(2.02)
    assert len(record["cases"][1]["repeats"][0]["spans"]) == 2
    assert record["claims"] == [{"name": "it halves", "holds": False, "why": "too slow"}]
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_nodes_stand_in_the_order_of_their_numbers() -> None:
    assert list(measured(12).by_node)[8:] == ["worker-9", "worker-10", "worker-11", "worker-12"]


def test_expectations_find_cases_by_name_and_are_judged() -> None:
    lab = Lab(unit=0.5)

    @lab.expect
    def workers_are_counted(cases):  # type: ignore[no-untyped-def]
        assert cases["pool(nodes=2)"].workers == 4

    @lab.expect
    def it_halves(cases):  # type: ignore[no-untyped-def]
        raise AssertionError("far too slow\nand more")

    @lab.expect
    def it_runs_on_eight(cases):  # type: ignore[no-untyped-def]
        assert cases["pool(nodes=8)"]

    claims = judge(lab, (measured(1), measured(2)))
    assert claims == (
        Claim("workers are counted", True, ""),
        Claim("it halves", False, "far too slow"),
        Claim("it runs on eight", False, "KeyError: 'pool(nodes=8)'"),
    )


def test_shares_show_idle_nodes_and_stay_short() -> None:
    lazy = measured(2)
    lazy = MeasuredCase("x", {}, Spec(4, 2, Fraction(1, 8), 0.5), 1, 1, lazy.repeats)
    assert shares(lazy) == "1 1 0 0"
    assert shares(measured(32)) == "1 on each of 32"


def test_the_table_fits_eighty_columns_and_names_what_is_wrong() -> None:
    console = Console(width=80, file=io.StringIO(), record=True)
    view = View(console)
    whole = run(measured(8), measured(32, wrong="result 1 is 5"))
    view.begin("cluster", whole.spec)
    for case in whole.cases:
        view.case(case)
    view.end(whole)
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "wrong result: pool(nodes=32): result 1 is 5\n" in text
    assert "expected: it halves: no: too slow\n" in text
    assert len(text.splitlines()) == 6
