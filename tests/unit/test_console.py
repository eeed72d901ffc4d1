"""What a person sees of a run: while it goes on, of its result, of several."""

import io
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.text import Text

from parlab.model.case import Demand
from parlab.results.record import Answer, Claim, Finding, MeasuredCase, Run
from parlab.run.observer import Observer, Started
from parlab.terminal.live import Board, Brief, Lines, Silence, Watch, observing
from parlab.terminal.states import STATES
from parlab.terminal.summary import INVALID, differences
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
    return "".join(line.strip().split("  ")[0] for line in text.splitlines()).replace(" ", "")


HEADINGS = ("case", "verdict")
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
    assert (text.splitlines()[-1] == INVALID) is not made.verdict.is_measurement


@pytest.mark.parametrize("made", RUNS.values(), ids=RUNS.keys())
def test_the_table_and_the_verdict_come_last(made: Run) -> None:
    for how in ({"quiet": True}, {}, {"verbose": True}):
        lines = shown(show_run, made, beside=[Text("kept as a record")], **how).splitlines()
        table, verdict = (next(i for i, line in enumerate(lines) if line.split()[:1] == [word]) for word in HEADINGS)
        if "outcome," in lines[table - 1]:
            table -= 1
        assert ("where the time went" in "".join(lines[:table])) is not how.get("quiet", False)
        assert ("  ideal " in "".join(lines[:table])) is not how.get("quiet", False)
        assert verdict > table
        assert lines[verdict - 1] == ""
        told = lines.index("kept as a record")
        assert lines[told + 1 :] == ([] if made.verdict.is_measurement else [INVALID])


def test_table_verdict_and_claims_of_five_cases_fit_a_screen_of_24_lines() -> None:
    names = [*(f"pool_of_ranks(nodes={nodes})" for nodes in (1, 2, 4)), "as_they_are_done(nodes=4)"]
    cases = [replace(case_on(4), name=name) for name in [*names, "in_chunks(many=16, chunk=4, nodes=4)"]]
    answered = verdict(*(Claim(f"claim {number}", Answer.YES, margin="never shown") for number in range(3)))
    two_lines = Finding(Answer.YES, "evidence " * 10)
    made = run(*cases, verdict=replace(answered, held=two_lines, quiet=two_lines))
    lines = shown(show_run, made, beside=[Text("kept as a record")]).splitlines()
    assert any(line.startswith("case ") for line in lines[-22:])  # the shell's prompt has the next line


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
    line = shown(show_run, run(case(took(5.0), serial_s=8.0)), quiet=True).splitlines()[1]
    assert line.split() == ["pool(nodes=1)", "4.00", "s", "5.00", "s", "+25.0", "%", "1.60", "x"]


def test_of_several_repeats_median_and_spread_are_shown() -> None:
    text = shown(show_run, run(case(took(5.0), took(4.0), took(6.0))), quiet=True)
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


@pytest.mark.parametrize(("missing", "said"), [(0.0, False), (0.02, False), (0.029, False), (0.031, True), (0.2, True)])
def test_more_than_three_percent_without_an_explanation_is_said(missing: float, said: bool) -> None:
    text = in_a_line(shown(show_run, run(case(repeat(spans(delivered=1 - missing))))))
    assert ("unexplained: pool(nodes=1): in " in text) is said


def test_of_what_is_over_in_milliseconds_nothing_is_called_unexplained() -> None:
    text = shown(show_run, run(case(repeat([span(seconds=0.01, cpu_s=0.0)]))))
    assert "100.0 % unexplained" in text
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
    observer.begin(started.spec, started.nodes, 2)
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
        "case 1 of 2, pool(nodes=4): 32 tasks on 8 workers, ideally 4.00 s",
        "hello from rank 0",
        "pool(nodes=4): 4.00 s, 4.00 s",
    ]


def test_lines_number_repeats_and_know_no_limit_on_simulated_nodes() -> None:
    def tell(console: Console) -> None:
        lines = Lines(console)
        lines.begin(SPEC, nodes_of(1, limit=None), 1)
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
    with observing(console, "sample: a heading", Watch.NOT) as observer:
        assert type(observer) is Silence
        heard(observer, [case()])
    assert console.export_text() == ""
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_board_and_a_file_has_lines() -> None:
    for terminal, kind in ((True, Board), (False, Lines)):
        console = recording(terminal=terminal)
        with observing(console, "sample: a heading", Watch.CLOSELY) as observer:
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
    assert board(started=None) == "starting ... 0 s\n"


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
        assert f"simulated-{number} 1" in text
    assert "uses" not in text


def test_a_board_is_cleared_for_the_next_case_and_after_it() -> None:
    made = Board(Console(file=io.StringIO()))
    heard(made)
    made.started(replace(STARTED, name="another"))
    assert "another" in shown(lambda console: console.print(made))
    assert "0 of 32 tasks" in in_a_line(shown(lambda console: console.print(made)))
    made.case(case())
    assert shown(lambda console: console.print(made)) == "case 2 of 2: starting ... 0 s\n"


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
    assert "node-1 8 node-2 9" in text


def at(made: Board, now: list[float], seconds: float) -> str:
    """What a board shows so many seconds after its case began."""
    now[0] = 100.0 + seconds
    return in_a_line(shown(lambda console: console.print(made)))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which stands still until it is set."""
    found = [100.0]
    monkeypatch.setattr("parlab.terminal.live.time", SimpleNamespace(monotonic=lambda: found[0]))
    return found


def test_a_board_tells_the_number_of_the_case_and_about_how_long_it_still_takes(now: list[float]) -> None:
    made = Board(Console(file=io.StringIO()))
    Lines.begin(made, SPEC, nodes_of(1), 5)
    made.case(case())
    made.started(STARTED)
    assert "case 2 of 5, pool(nodes=4)" in at(made, now, 0.0)
    assert "1.0 s of ideally 4.0 s, about 3 s left" in at(made, now, 1.0)
    made.spans([span(start=10.0, seconds=2.0, pid=pid) for pid in range(8)])  # twice as long as they ideally take
    assert "2.5 s of ideally 4.0 s, about 6 s left" in at(made, now, 2.5)
    assert "left" not in at(made, now, 9.0)  # it was wrong


def test_the_clock_of_a_task_without_end_runs_on_and_so_does_that_of_a_start(now: list[float]) -> None:
    made = Board(Console(file=io.StringIO()))
    Lines.begin(made, SPEC, nodes_of(1), 1)
    assert at(made, now, 0.0) == at(Board(Console(file=io.StringIO())), now, 0.0)
    assert at(made, now, 21.0) == "starting ... 21 s"
    now[0] = 100.0
    made.started(replace(STARTED, tasks=1, ideal_s=None))
    assert "0 of 1 task 60.0 s" in at(made, now, 60.0)
    made.spans([span(start=10.0, seconds=2.0)])  # it was not the last: another one was not planned
    assert "1 of 1 task 2.0 s, and 68.0 s to end" in at(made, now, 70.0)
    made.started(replace(STARTED, tasks=0, ideal_s=None))
    assert "0 of 0 tasks 5.0 s" in at(made, now, 75.0)


def test_a_board_counts_the_tasks_of_chunks_by_what_comes_back_or_by_the_cpu_that_was_used() -> None:
    for chunk, owed_s, words in (
        (4, 0.0, "4 of 32 tasks, in chunks of 4"),  # they only wait
        (4, 16.0, "4 of 32 tasks, in chunks of 4"),  # 0.4 s was used: 0.8 of a task
        (4, 1.5, "about 8 of 32 tasks, in chunks of 4"),
        (4, 0.1, "about 32 of 32 tasks, in chunks of 4"),
        (1, 1.5, "4 of 32 tasks"),
    ):
        lines = board(started=replace(STARTED, chunk=chunk, owed_s=owed_s)).splitlines()
        assert lines[1].strip("━╸╺ ") == words


def test_progress_is_drawn_in_the_colour_of_computing_and_not_of_errors() -> None:
    console = recording(terminal=True)
    made = Board(Console(file=io.StringIO()))
    heard(made)
    console.print(made)
    assert STATES["computing"].colour in console.export_html(inline_styles=True)
    assert "f92672" not in console.export_html(inline_styles=True, clear=False)  # rich's own


def test_a_run_that_is_watched_briefly_has_one_line_that_goes_and_in_a_file_none() -> None:
    for terminal in (True, False):
        console = recording(terminal=terminal)
        with observing(console, "sample", Watch.BRIEFLY) as observer:
            assert type(observer) is (Brief if terminal else Silence)
            heard(observer, [case()])
        lines = console.export_text().strip().splitlines()
        assert len(lines) == (1 if terminal else 0)  # the last that was drawn, which a terminal erases


def test_the_one_line_tells_how_far_the_run_is(now: list[float]) -> None:
    made = Brief(Console(file=io.StringIO()), "sample")
    made.live.stop()
    assert at(made, now, 0.0) == "sample starting ..."
    made.say("bringing up the head [1]")
    assert at(made, now, 0.0) == "sample bringing up the head [1]"
    made.begin(SPEC, nodes_of(1), 2)
    assert at(made, now, 3.0) == "sample case 1 of 2, starting ... 3 s"
    now[0] = 100.0
    heard(made)
    assert at(made, now, 1.0).startswith("sample case 1 of 2, 4 of 32 tasks, 1.0 s of ideally 4.0 s, about ")
    made.case(case())
    assert at(made, now, 1.0) == "sample case 2 of 2, starting ... 0 s"


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


def test_outcomes_that_are_not_right_are_told_to_be_as_declared_or_not() -> None:
    made = run(case(took(4.0, outcome="wrong"), declared="wrong"), case())
    assert "outcome, as declared" in in_a_line(shown(show_run, made)).replace(
        "case ideal measured off by speed-up ", ""
    )
    undeclared = run(case(took(4.0, outcome="wrong", complaint="result 1 is 5")))
    assert "as declared" not in shown(show_run, undeclared)
