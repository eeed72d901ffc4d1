"""What a person sees of a run: while it goes on, of its result, of several."""

import io
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import pytest
from rich.console import Console

from parlab.model.case import Demand
from parlab.results.record import Answer, MeasuredCase, Run
from parlab.run.observer import Observer, Started
from parlab.terminal.live import Board, Lines, Silence, observing
from parlab.terminal.summary import differences
from parlab.terminal.tables import list_of, make_console, show_comparison, show_run
from tests.unit.samples import (
    ENVIRONMENT,
    SPEC,
    case,
    case_on,
    embedded_run,
    failed_run,
    in_a_line,
    nodes_of,
    noisy_repeat,
    raised,
    recording,
    repeat,
    run,
    shown,
    span,
    spans,
    took,
    usage,
    verdict,
)

LONG = "amap(chunk=1, order='longest first', initializer=None, method='forkserver', nodes=32, workers=64)"
UNBROKEN = f"{'very_' * 20}long"


def first_column(text: str) -> str:
    """The first column of tables, cells that take several lines joined, without blanks."""
    return "".join(line.split("  ")[0] for line in text.splitlines()).replace(" ", "")


RUNS = {
    "one size": run(case()),
    "three sizes, three repeats": run(*(case_on(nodes, repeats=3) for nodes in (1, 2, 4))),
    "32 nodes": run(case_on(32)),
    "raised as declared": run(case(raised("PicklingError"), name="lambda"), case()),
    "wrong": run(case(took(4.0, outcome="wrong", complaint="result 1 is 5, the serial solution's is 4"))),
    "not a measurement": run(case(noisy_repeat())),
    "broken off": failed_run(case()),
    "embedded": embedded_run(),
    "long names": run(case(name=LONG), case(took(4.0), took(5.0), name=UNBROKEN), case_on(8, repeats=2)),
    "all answers no": run(
        case(), verdict=verdict(**dict.fromkeys(("correct", "held", "quiet", "reproduced"), Answer.NO))
    ),
}


@pytest.mark.parametrize("made", RUNS.values(), ids=RUNS.keys())
def test_a_run_is_shown_whole_in_eighty_columns(made: Run) -> None:
    text = shown(show_run, made)
    for measured in made.cases:
        assert first_column(text).count(measured.name.replace(" ", "")) >= 2  # in the table, and where the time went
    for question in ("correct", "held", "quiet", "reproduced"):
        finding = getattr(made.verdict, question)
        assert f"\n{question} " in f"\n{text}"
        assert f"{question} {finding.answer.value}: {finding.evidence}" in in_a_line(text)
        assert finding.cure[1:] in in_a_line(text)
    assert ("This is not a measurement" in text) is not made.verdict.is_measurement


def test_of_a_run_that_measured_nothing_there_is_nothing_to_show() -> None:
    assert shown(show_run, failed_run()).strip() == ""


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    name = "pool(limits=[inf, 1], shape=[bold])"
    assert name in shown(show_run, run(case(name=name)))


def test_an_ordinary_name_stands_in_one_line() -> None:
    text = shown(show_run, run(*(case_on(nodes, repeats=3) for nodes in (1, 2, 4))))
    assert text.count("pool(nodes=4)") == 3  # in the table, where the time went, and over its bars


def test_work_that_is_not_the_predicted_is_pointed_out() -> None:
    text = shown(show_run, run(replace(case(took(4.0)), tasks=(Demand(2, 0),) * 8)))
    expected = "not as predicted: pool(nodes=1): there is no ideal: 1 task left a span, the serial solution has 8"
    assert expected in " ".join(text.split())


def test_ideal_measured_and_off_by_stand_side_by_side() -> None:
    line = shown(show_run, run(case(took(5.0), serial_s=8.0))).splitlines()[1]
    assert line.split() == ["pool(nodes=1)", "4.00", "s", "5.00", "s", "+25.0", "%", "1.60", "x"]


def test_of_several_repeats_median_and_spread_are_shown() -> None:
    text = shown(show_run, run(case(took(5.0), took(4.0), took(6.0))))
    assert "measured" not in text.splitlines()[0]
    assert in_a_line(text.splitlines()[0]) == "case ideal median spread off by speed-up"
    assert "4.00 s 5.00 s 40.0 % +25.0 %" in in_a_line(text)


@pytest.mark.parametrize(
    ("measured", "tasks"),
    [
        (case_on(4), "8 8 8 8"),
        (case(spec=replace(SPEC, nodes=4)), "8 0 0 0"),
        (case_on(8), "8 8 8 8 8 8 8 8"),
        (case_on(32), "8 on each of 32"),
        (case(spec=replace(SPEC, nodes=32)), "0 to 8 on each of 32"),
    ],
)
def test_tasks_are_shown_by_node_idle_ones_too(measured: MeasuredCase, tasks: str) -> None:
    assert f" x {tasks}" in in_a_line(shown(show_run, run(measured)))


def test_a_case_that_raised_has_its_error_in_place_of_figures() -> None:
    text = shown(show_run, run(case(raised("PicklingError"), name="lambda")))
    assert "lambda - - - - PicklingError" in in_a_line(text)
    assert "nan" not in text


def test_a_case_that_raised_midway_has_its_time_and_no_ideal() -> None:
    text = shown(show_run, run(case(took(1.0, outcome="ValueError"), name="pool")))
    assert "pool - 1.00 s - - ValueError" in in_a_line(text)
    assert "nan" not in text


def test_where_the_time_went_is_told_in_shares_with_start_up_and_shut_down() -> None:
    waits = span(seconds=4.0, cpu_s=0.25, way_s=0.5)  # of 5 s: 2 s at an eighth, 1 s on the way
    text = in_a_line(shown(show_run, run(case(repeat([waits], startup_s=1.25, shutdown_s=0.5)))))
    assert "computing 40.0 %" in text
    assert "transfer 20.0 %" in text
    assert "unexplained 40.0 %" in text
    assert "start-up 1.25 s, shut-down 0.50 s" in text
    assert "waiting" not in text  # what is nothing is not shown


@pytest.mark.parametrize(("missing", "said"), [(0.0, False), (0.02, False), (0.029, False), (0.031, True), (0.2, True)])
def test_more_than_three_percent_without_an_explanation_is_said(missing: float, said: bool) -> None:
    text = in_a_line(shown(show_run, run(case(repeat(spans(delivered=1 - missing))))))
    assert ("unexplained: pool(nodes=1): in " in text) is said


def test_of_what_is_over_in_milliseconds_nothing_is_called_unexplained() -> None:
    text = shown(show_run, run(case(repeat([span(seconds=0.01, cpu_s=0.0)]))))
    assert "unexplained 100.0 %" in in_a_line(text)
    assert "unexplained: pool(nodes=1)" not in text


# several runs


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (run(case(took(4.2))), "+5.0 %"),
        (run(case(took(3.0)), case(took(4.2))), "-25.0 %"),
        (run(case(), verdict=verdict()), "reproduced"),
        (run(case(), verdict=verdict(reproduced=Answer.NO)), "reproduced: no"),
        (run(case()), "no claims"),
        (run(case(), verdict=verdict(reproduced=Answer.CANNOT)), "reproduced: cannot be shown here"),
        (run(case(noisy_repeat())), "not a measurement"),
        (run(case(took(4.0, complaint="result 1 is 5"))), "wrong"),
        (run(case(noisy_repeat(), took(4.0, complaint="result 1 is 5"))), "wrong"),
        (failed_run(case(took(4.0, complaint="result 1 is 5"))), "broke off"),
        (failed_run(), "x 1/8 nothing"),
        (run(case(raised())), "x 1/8 nothing"),
        (embedded_run(), "embedded"),
    ],
)
def test_a_run_is_a_line_of_the_list(made: Run, words: str) -> None:
    heading, *lines = shown(lambda console: console.print(list_of({7: made}))).splitlines()
    assert heading.split() == ["lab", "started", "where", "size", "most", "off", "by", "verdict"]
    line = in_a_line("\n".join(lines))
    assert line.startswith(f"7 {made.lab} 02 Jan 03:04 {made.backend} ")
    assert words in line


def compared(first: Run, second: Run) -> str:
    return in_a_line(shown(show_comparison, first, second, wide=True))


def test_runs_are_compared_case_by_case() -> None:
    first = run(case(took(4.0)), case(took(5.0), name="only A"))
    second = run(case(took(5.0)), case(raised(), name="only B"), id="20260102T040404-sample-fffff1")
    text = compared(first, second)
    assert f"A {first.id} cluster" in text
    assert f"B {second.id} cluster" in text
    assert "4.00 s 5.00 s 1.250 ±1.0 % +0.0 % +25.0 %" in text
    assert "Not significant" not in text
    assert "5.00 s - - +25.0 % -" in text[text.index("only A") :]
    assert "only B - - ValueError - - -" in text
    assert "different" not in text


def test_runs_of_different_hosts_and_specs_are_said_to_be() -> None:
    first = run(case())
    second = run(
        case(spec=replace(SPEC, nodes=4, speed=Fraction(1, 16), unit=0.1)),
        lab="another",
        backend="embedded",
        environment=ENVIRONMENT | {"cpu": "Model 2", "cpus": 16, "git": "def"},
    )
    text = compared(first, second)
    assert "different labs: sample and another" in text
    assert "different backends: cluster and embedded" in text
    assert "different specs: 1 node x 2 virtual cores x 1/8 with units of 0.5 s, and 4 nodes" in text
    assert "x 1/16 with units of 0.1 s" in text
    assert "different hosts: cpu Model 1 and Model 2; cpus 2 and 16" in text
    assert "also different: git abc and def" in text


def test_what_a_run_does_not_know_of_its_host_is_no_difference() -> None:
    assert differences(run(), run(environment={**ENVIRONMENT, "cpu": None}, id="another")) == []
    assert differences(run(), run(id="another")) == []
    assert differences(run(), run()) == ["A and B are the same run"]


def test_other_work_has_no_ratio() -> None:
    one, other = run(case(took(4.0))), run(case(took(2.0), ideal_s=2.0))
    same = compared(one, one)
    assert "1.000 ±" in same
    assert "Not significant: " in same
    assert shown(show_comparison, one, other).splitlines()[-1].split()[-5] == "-"


@pytest.mark.parametrize("other", RUNS.values(), ids=RUNS.keys())
def test_any_two_runs_can_be_compared(other: Run) -> None:
    text = shown(show_comparison, RUNS["three sizes, three repeats"], other, wide=True)
    for measured in other.cases:
        assert measured.name.replace(" ", "") in first_column(text)
    assert "nan" not in text


# while it goes on


STARTED = Started(
    "pool(nodes=4)", replace(SPEC, nodes=4), nodes_of(4), tasks=32, workers=8, ideal_s=4.0, repeat=1, repeats=1
)


def heard(observer: Observer, measured: Iterable[MeasuredCase] = (), started: Started = STARTED) -> None:
    """Tell an observer all there is to tell of a run."""
    observer.begin(started.spec, started.nodes)
    observer.started(started)
    for number in range(1, started.spec.nodes + 1):
        observer.spans([span(f"node-{number}")])
        observer.reading(f"node-{number}", usage(100.0, used_s=7.0))
        observer.reading(f"node-{number}", usage(100.5, used_s=7.1))
    observer.say("hello from rank 0")
    for one in measured:
        observer.case(one)


def test_lines_tell_of_each_start_and_finish() -> None:
    text = shown(lambda console: heard(Lines(console), [case_on(4, repeats=2)]))
    assert text.splitlines() == [
        "a node: 2 virtual cores of 1/8 host core, limit 0.25 CPU, head 0.5; unit 0.5 s",
        "pool(nodes=4): 32 tasks on 8 workers, ideally 4.00 s",
        "hello from rank 0",
        "pool(nodes=4): 4.00 s, 4.00 s",
    ]


def test_lines_number_repeats_and_know_no_limit_on_simulated_nodes() -> None:
    def tell(console: Console) -> None:
        lines = Lines(console)
        lines.begin(SPEC, nodes_of(1, limit=None))
        lines.started(replace(STARTED, repeat=2, repeats=3))

    first, second = shown(tell).splitlines()
    assert first == "a node: 2 virtual cores of 1/8 host core, no limit; unit 0.5 s"
    assert second == "pool(nodes=4), 2 of 3: 32 tasks on 8 workers, ideally 4.00 s"


def test_lines_tell_of_what_is_wrong_and_not_of_times_there_are_none_of() -> None:
    def tell(console: Console) -> None:
        Lines(console).case(case(took(4.0, complaint="result [b] is 5")))
        Lines(console).case(case(raised()))

    text = shown(tell)
    assert text.splitlines() == ["pool(nodes=1): 4.00 s", "pool(nodes=1): result [b] is 5"]


def test_silence_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console = recording(terminal=True)
    with observing(console, "sample: a heading", quiet=True) as observer:
        assert type(observer) is Silence
        heard(observer, [case()])
    assert console.export_text() == ""
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_board_and_a_file_has_lines() -> None:
    for terminal, kind in ((True, Board), (False, Lines)):
        console = recording(terminal=terminal)
        with observing(console, "sample: a heading", quiet=False) as observer:
            assert type(observer) is kind
            heard(observer, [case_on(4)])
        text = console.export_text()
        assert "sample: a heading\n" in text
        assert "pool(nodes=4): 4.00 s\n" in text


def board(*, usages: bool = True, started: Started | None = STARTED, prefix: str = "node") -> str:
    """What a board shows when each node has done a task, and used 0.2 CPU for half a second."""
    quiet = Console(file=io.StringIO())
    made = Board(quiet)
    if started is not None:
        made.started(started)
        for number in range(1, started.spec.nodes + 1):
            made.spans([span(f"{prefix}-{number}")])
            for at, used_s in ((100.0, 7.0), (100.5, 7.1)) if usages else ():
                made.reading(f"{prefix}-{number}", usage(at, used_s=used_s))
    return shown(lambda console: console.print(made))


def test_a_board_says_that_it_waits_for_the_first_case() -> None:
    assert board(started=None) == "starting ...\n"


def test_a_board_shows_what_each_node_uses_and_has_done() -> None:
    text = in_a_line(board())
    assert "pool(nodes=4)" in text
    assert "4 of 32 tasks" in text
    assert "s of ideally 4.0" in text
    for number in range(1, 5):
        assert f"node-{number} 0.20 of 0.25 CPU" in text
    assert text.count("node-") == 4


def test_a_board_of_many_nodes_shows_their_sum() -> None:
    text = board(started=replace(STARTED, spec=replace(SPEC, nodes=32), nodes=nodes_of(32)))
    assert "32 nodes 6.40 of 8 CPU" in in_a_line(text)
    assert "32 of 32 tasks" in in_a_line(text)
    assert "node-" not in text


def test_a_board_without_usage_shows_the_nodes_that_have_done_tasks() -> None:
    text = in_a_line(board(usages=False, prefix="simulated"))
    for number in range(1, 5):
        assert f"simulated-{number} - " in text
    assert "worker" not in text


def test_a_board_is_cleared_for_the_next_case_and_after_it() -> None:
    made = Board(Console(file=io.StringIO()))
    heard(made)
    made.started(replace(STARTED, name="another"))
    assert "another" in shown(lambda console: console.print(made))
    assert "0 of 32 tasks" in in_a_line(shown(lambda console: console.print(made)))
    made.case(case())
    assert shown(lambda console: console.print(made)) == "starting ...\n"


def test_a_board_counts_tasks_and_seconds_from_the_start_of_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("parlab.terminal.live.time", SimpleNamespace(monotonic=lambda: now[0]))
    made = Board(Console(file=io.StringIO()))
    made.started(STARTED)
    made.spans(spans(nodes=2))
    made.spans([span("node-2")])
    now[0] = 102.5
    text = in_a_line(shown(lambda console: console.print(made)))
    assert "17 of 32 tasks 2.5 s of ideally 4.0" in text
    assert "node-1 - 8" in text.replace("━", "").replace("  ", " ")
    assert "node-2 - 9" in text.replace("━", "").replace("  ", " ")


def test_a_board_needs_two_readings_apart_that_count() -> None:
    made = Board(Console(file=io.StringIO()))
    made.started(STARTED)
    for reading in (usage(100.0, used_s=None), usage(100.5, used_s=7.0), usage(100.5, used_s=7.1)):
        made.reading("node-1", reading)
    assert "CPU" not in shown(lambda console: console.print(made))


@pytest.mark.parametrize("name", [LONG, UNBROKEN, "pool(limits=[inf, 1], shape=[bold])"])
def test_a_board_shows_any_name_whole(name: str) -> None:
    assert name.replace(" ", "") in first_column(board(started=replace(STARTED, name=name)))


def test_what_is_not_a_terminal_is_eighty_columns_wide() -> None:
    assert make_console().width == 80


def test_a_long_name_breaks_before_its_settings() -> None:
    text = shown(show_run, run(case(name="one_after_another(jobs='waiting')")))
    assert text.count("one_after_another\n") + text.count("one_after_another  ") == 2
    assert text.count(" (jobs='waiting')") == 2


def test_outcomes_that_are_not_right_are_told_to_be_as_declared_or_not() -> None:
    made = run(case(took(4.0, outcome="wrong"), declared="wrong"), case())
    assert "outcome, as declared" in in_a_line(shown(show_run, made)).replace(
        "case ideal measured off by speed-up ", ""
    )
    undeclared = run(case(took(4.0, outcome="wrong", complaint="result 1 is 5")))
    assert "as declared" not in shown(show_run, undeclared)
