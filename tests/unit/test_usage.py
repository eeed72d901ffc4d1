"""What the terminal says of a program after its end: its facts, and the speed-ups of a sweep with their baseline."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from parlab.model.job_events import PEAK
from parlab.results.record import NodeRecord
from parlab.run.sweep import Sweep
from parlab.terminal.job import in_a_table
from parlab.terminal.tables import show_run
from parlab.terminal.usage import usage
from tests.unit.samples import SPEC, case, readings, repeat, run, shown, span, took


def test_a_launch_of_a_program_has_its_facts() -> None:
    ranks = [span(seconds=4.0, cpu_s=cpu_s, pid=rank) for rank, cpu_s in enumerate((0.1, 0.5))]
    throttled = tuple(replace(one, throttled=one.periods) for one in readings())
    launch = repeat(ranks, nodes={"node-1": NodeRecord(0.25, readings=throttled)}, metrics={f"{PEAK}node-1": 34.0})
    assert usage(launch) == [
        ("start-up", "0.40 s"),
        ("CPU", "node-1 0.60 s"),
        ("peak memory", "node-1 34 MB"),
        ("throttled", "node-1 100 % of periods, at 0.25 CPU"),
        ("imbalance", "rank 1 on node-1 used 0.50 s of CPU, 1.7 times the mean"),
    ]


def test_a_sweep_names_the_baseline_of_its_speed_ups() -> None:
    cases = [case(took(seconds), ideal_s=None, serial_s=1.74) for seconds in (1.74, 0.95)]
    made = run(*cases, command=("python", "solver.py"), exit_code=0)
    ran: Any = [(SimpleNamespace(spec=replace(SPEC, nodes=nodes)), []) for nodes in (1, 2)]
    lines = list(in_a_table(made, ran, Sweep("nodes", (1, 2))))
    assert [line.split()[3] for line in lines[1:3]] == ["1.00", "1.83"]
    assert lines[3] == "speed-up    against nodes=1, the smallest size"


def test_where_a_program_s_time_went_is_not_told_as_its_spans_do_not_know() -> None:
    assert "where the time went" in shown(show_run, run(case()))
    assert "where the time went" not in shown(show_run, run(case(), command=("python", "solver.py"), exit_code=0))
