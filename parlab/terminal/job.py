"""The summary of a program after its end, on standard error: six lines, or a table with the sizes of a sweep.

For a traced program, a summary of its tasks follows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from parlab.formatting import percent, plural, seconds, size
from parlab.model.span import OK
from parlab.model.workers import most_at_once
from parlab.results.record import Answer, Run
from parlab.run.asked import Ask, Outcome
from parlab.run.sweep import Sweep
from parlab.terminal.timeline import timeline
from parlab.terminal.usage import usage

BAR = 20  # characters, for an efficiency of 100 %


def size_of(ask: Ask, sweep: Sweep) -> int:
    """The size of this run in the sweep."""
    return ask.job.ranks if sweep.key == "ranks" else int(getattr(ask.spec, sweep.key))


def in_a_table(run: Run, ran: Sequence[tuple[Ask, Sequence[Outcome]]], sweep: Sweep) -> Iterator[str]:
    """Time, speed-up and efficiency at each size that ended well, and whether the limits held.

    The reference is the smallest size. Either the work is the same at all sizes, and the speed-up is that over the
    smallest; or the work grows with the size (`--weak`), and the time should stay the same. For several runs at one
    size, the time is the median.
    """
    rows = [(size_of(ask, sweep), case) for (ask, _), case in zip(ran, run.cases, strict=True) if case.completed]
    yield f"{sweep.key:>8}{'time':>10}{'' if sweep.weak else '  speed-up'}  efficiency"
    for number, case in rows:
        first, case_first = rows[0]
        gain = case_first.measured_s / case.measured_s
        efficiency = gain if sweep.weak else gain * first / number
        speedup = "" if sweep.weak else f"{gain:>10.2f}"
        bar = "█" * round(BAR * min(efficiency, 1.0))
        yield f"{number:>8}{seconds(case.measured_s):>10}{speedup}{percent(efficiency, 0):>12}  {bar}"
    if rows and not sweep.weak:
        yield f"speed-up    against {sweep.key}={rows[0][0]}, the smallest size"
    yield _limits(run)


def in_six_lines(run: Run, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Wall time, CPU and memory by node, throttling, the largest imbalance, and whether the limits held.

    For several runs, the wall time is the range over all of them; the other numbers are from the last run.
    """
    outcome = outcomes[-1]
    walls = sorted(each.wall_s for each in outcomes)
    of_several = f" to {seconds(walls[-1])} in {len(walls)} runs" if len(walls) > 1 else ""
    yield f"wall        {seconds(walls[0])}{of_several}, and {seconds(outcome.startup_s)} to start"
    has = run.cases[0].settings.get("memory")
    of = {"peak memory": f" of {size(int(has))}"} if has is not None else {}
    for name, value in usage(run.cases[0].repeats[-1]):
        if name != "start-up":
            yield f"{name:<11} {value}{of.get(name, '')}"
    yield _limits(run)


def _limits(run: Run) -> str:
    held, quiet = run.verdict.held, run.verdict.quiet
    prefix = {Answer.YES: "held: ", Answer.NO: "did not hold: "}.get(held.answer, "")
    busy = f"; the host was not quiet: {quiet.evidence}" if quiet.answer is Answer.NO else ""
    return f"limits      {prefix}{held.evidence}{busy}"


def of_tasks(run: Run, outcomes: Sequence[Outcome], width: int, *, plain: bool) -> Iterator[str]:
    """The tasks of a traced program: their number and length, how busy their workers were, and their timeline.

    For several runs, these are from the run with the median time. Notes on the trace come first.
    """
    traced = [outcome.tasks for outcome in outcomes if outcome.tasks is not None]
    yield from dict.fromkeys(f"trace       {note}" for tasks in traced for note in tasks.notes)
    case = next((case for case in run.cases if not case.tasks), None)
    if case is None:
        yield "tasks       none seen in a pool or an executor that --trace knows"
        return
    spans, took = case.median_repeat.spans, case.task_s
    workers = most_at_once(spans)
    busy = sum(took) / (workers * case.median_repeat.measured_s) if case.median_repeat.measured_s else 1.0
    length = f"median {seconds(median(took))}, longest {seconds(max(took))}"
    yield (
        f"tasks       {len(spans)} on {plural(workers, 'worker')}: {length}; "
        f"{'it was' if workers == 1 else 'they were'} busy in {percent(busy, 0)} of the time"
    )
    failed = sum(span.outcome != OK for span in spans)
    left = next((tasks.left for tasks in traced if tasks.spans == spans), 0)
    troubles = [f"{failed} raised" if failed else "", f"{left} more submitted, and not done" if left else ""]
    if any(troubles):
        yield f"            {'; '.join(filter(None, troubles))}"
    yield from (line.plain for line in timeline(replace(run, cases=(case,)), width, plain=plain))
