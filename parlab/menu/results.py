"""Tasks that read kept runs."""

import os
import sys
from collections.abc import Callable
from inspect import Parameter, Signature, signature
from itertools import pairwise
from typing import Any

from invoke.context import Context
from invoke.tasks import Task, task

from parlab.commands import report as reports
from parlab.commands.labs import compare as compare_runs
from parlab.commands.labs import exiting, list_results, show_result
from parlab.commands.options import A_RUN, RUN


def results_task(*, named: bool) -> Task[Callable[..., Any]]:
    """Make the task `results`, for a run that is named or for the list: invoke has no word that may be left out."""
    told = {"run": f"{A_RUN}; default: list all", "verbose": RUN["verbose"]}

    def results(_: Context, run: str | None = None, verbose: bool = False) -> None:
        """List the runs in results/, or show one again, as results 3."""
        with exiting():
            if run is None:
                list_results()
            else:
                show_result(run, verbose=verbose)

    positional = ["run"] if named else []
    made: Task[Callable[..., Any]] = task(auto_shortflags=False, positional=positional, help=told)(results)
    return made


@task(auto_shortflags=False, help={"a": A_RUN, "b": "another", "html": "draw them, too, into results/compare.html"})
def compare(_: Context, a: str, b: str, html: bool = False) -> None:
    """Show two runs side by side."""
    with exiting():
        (reports.compare_and_write if html else compare_runs)(a, b)


def report_task(count: int) -> Task[Callable[..., Any]]:
    """Make the task `report` for so many runs: invoke has no parameters of which there may be any number."""
    names = [f"run{number}" for number in range(1, count + 1)]

    def report(_: Context, out: str | None = None, index: bool = False, **runs: str) -> None:
        """Write a page with pictures of one run or more, as report 1 2."""
        with exiting():
            if index:
                reports.write_index(list(runs.values()), out)
            else:
                reports.write_report(list(runs.values()), out)

    first, *options = [p for p in signature(report).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    positional = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    report.__signature__ = Signature([first, *positional, *options])  # type: ignore[attr-defined]
    told = {"out": "file to write; default: in results/", "index": "list all runs of results/ on one page instead"}
    made: Task[Callable[..., Any]] = task(auto_shortflags=False, help=told | dict.fromkeys(names, A_RUN))(report)
    return made


def words_after(name: str) -> int:
    """How many words follow a task's name on the command line that are no options, nor the file of `--out`."""
    words = sys.argv[sys.argv.index(name) :] if name in sys.argv else []
    return sum(not word.startswith("-") and before != "--out" for before, word in pairwise(words))


def names_a_run(name: str) -> bool:
    """Whether the word after a task's name on the command line is a run's number, id or file, and no other task."""
    words = sys.argv[sys.argv.index(name) + 1 :] if name in sys.argv else []
    first = next((word for word in words if not word.startswith("-")), "")
    return first[:1].isdigit() or first.endswith(".json") or os.sep in first


@task(
    auto_shortflags=False,
    help={
        "chart": "Chart id shown on the page: case-1, overview, account, scaling-1",
        "out": "FILE.svg or FILE.png",
        "run": A_RUN,
        "against": "another, for a chart of `compare RUN AGAINST --html`: both, A-1, B-1",
    },
)
def export(_: Context, chart: str, out: str, run: str = "1", against: str | None = None) -> None:
    """Export one chart of a report as SVG or PNG, for slides."""
    with exiting():
        reports.export_chart(chart, out, run, against)
