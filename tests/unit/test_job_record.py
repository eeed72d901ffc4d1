"""The record of a program's run that parlab broke off: it has the reason, on its page and everywhere else."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parlab.backend.embedded import Embedded
from parlab.commands import jobs
from parlab.errors import Interrupted, RunError
from parlab.host import signals
from parlab.host.background import Turn
from parlab.model.case import MPI
from parlab.model.job import Job
from parlab.model.job_events import Ended
from parlab.report.views import RunView
from parlab.results.record import Failure, Run
from parlab.run.asked import EXIT_OURS, Ask, Outcome
from parlab.run.job_request import JobRequest
from parlab.run.sweep import Sweep
from parlab.terminal.summary import in_short
from tests.unit.samples import SPEC

RunProgram = Callable[..., Run]


def well(ask: Ask, seconds: float = 4.0) -> Outcome:
    """All ranks ended with exit code 0."""
    facts: dict[str, Any] = {"code": 0, "goodbye": True, "stopped": False, "why": "", "peak": 0, "left": [], "died": []}
    times: dict[str, Any] = {"began": 10.0, "at": 10.0 + seconds, "cpu_s": 0.1}
    ended = [Ended(rank, pid=100 + rank, **facts, **times) for rank in range(ask.job.ranks)]
    return Outcome(0, "the program's", ended=ended, nodes={one.rank: "node-1" for one in ended}, wall_s=seconds)


@pytest.fixture
def run_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunProgram:
    """A sweep over 1, 2 and 4 nodes, in which each launch calls `launched`; the record that is kept."""

    def run(launched: Callable[[Ask], Outcome], exit_code: int = 0) -> Run:
        asks = [
            Ask(Job(("solver.py",), MPI, 2 * nodes), replace(SPEC, nodes=nodes), tmp_path, tmp_path, 60.0)
            for nodes in (1, 2, 4)
        ]
        kept: list[Run] = []
        monkeypatch.setattr(jobs, "open_for", lambda *_: Embedded())
        monkeypatch.setattr(jobs, "heard", lambda *_: nullcontext())
        monkeypatch.setattr(jobs, "run_job", lambda ask, *_: launched(ask))
        monkeypatch.setattr(jobs, "_keep", lambda run, _: kept.append(run))
        with ended_with(exit_code):
            jobs.run_program(JobRequest(tuple(asks), Sweep("nodes", (1, 2, 4)), quiet=True), Turn())
        (record,) = kept
        return record

    return run


@contextmanager
def ended_with(exit_code: int) -> Iterator[None]:
    """What the block ends with; 0 if it just ends."""
    found: Any = 0
    with signals.interruptible():
        try:
            yield
        except SystemExit as error:
            found = error.code
        except Interrupted as error:
            found = error.exit_code
    assert found == exit_code


def lost_at_four(ask: Ask) -> Outcome:
    if ask.spec.nodes == 4:
        raise RunError("the launcher is gone")
    return well(ask)


def test_a_sweep_that_parlab_broke_off_is_recorded_with_its_reason(run_program: RunProgram) -> None:
    run = run_program(lost_at_four, EXIT_OURS)
    assert len(run.cases) == 2
    assert run.failure == Failure("the launcher is gone", EXIT_OURS)
    assert not run.stands
    assert in_short(run) == "broke off"


def test_its_page_says_so_and_names_no_best_size(run_program: RunProgram) -> None:
    view = RunView(run_program(lost_at_four, EXIT_OURS))
    assert view.badges == [("broke off", "no")]
    assert view.warnings()[0] == "This run broke off, with exit code 125: the launcher is gone"
    assert view.sentence == ""
    assert view.findings["correct"].evidence.endswith("each time before this run broke off")


def test_a_sweep_without_its_last_sizes_for_a_signal_broke_off(run_program: RunProgram) -> None:
    def interrupted_after_two(ask: Ask) -> Outcome:
        if ask.spec.nodes == 2:
            with signals.undisturbed():
                signal.raise_signal(signal.SIGINT)
        return well(ask)

    run = run_program(interrupted_after_two, Interrupted.exit_code)
    assert len(run.cases) == 2
    assert run.failure == Failure("interrupted: no further run was started", Interrupted.exit_code)


def test_a_signal_during_the_last_run_leaves_nothing_out(run_program: RunProgram) -> None:
    def interrupted_at_last(ask: Ask) -> Outcome:
        if ask.spec.nodes == 4:
            with signals.undisturbed():
                signal.raise_signal(signal.SIGINT)
        return well(ask)

    run = run_program(interrupted_at_last, Interrupted.exit_code)
    assert len(run.cases) == 3
    assert run.failure is None


def test_a_program_that_fails_itself_has_an_exit_code_and_no_failure_of_parlab(run_program: RunProgram) -> None:
    def fails(ask: Ask) -> Outcome:
        return replace(well(ask), code=3, whose="rank 1's")

    run = run_program(fails, 3)
    assert run.failure is None
    assert in_short(run) == "exit code 3"
    assert run.cases[0].complaint == "exit code 3 is rank 1's"


def test_a_whole_sweep_has_no_failure(run_program: RunProgram) -> None:
    run = run_program(well)
    assert len(run.cases) == 3
    assert run.failure is None
    assert run.verdict.correct.evidence == "it ended with exit code 0, each time it ran"
