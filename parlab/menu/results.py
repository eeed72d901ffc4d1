"""Tasks that show earlier runs."""

from collections.abc import Callable
from typing import Any

from invoke.context import Context
from invoke.tasks import Task, task

from parlab.commands import report as reports
from parlab.commands import sites
from parlab.commands.jobs import WORDS
from parlab.commands.labs import compare as compare_runs
from parlab.commands.labs import exiting, list_results, show_result
from parlab.commands.options import A_RUN, PREDICTION, RUN, SITE
from parlab.commands.predict import predict_and_show
from parlab.errors import UsageError
from parlab.menu.words import taking_a_word, taking_words


def results_task(*, named: bool) -> Task[Callable[..., Any]]:
    """Make the task `results`, for a run that is named or for the list: invoke has no word that may be left out."""
    told = {"run": f"{A_RUN}; default: list all", "verbose": RUN["verbose"]}

    def results(_: Context, run: str | None = None, verbose: bool = False) -> None:
        """List the runs in results/, or show one, e.g. results 3."""
        with exiting():
            if run is None:
                list_results()
            else:
                show_result(run, verbose=verbose)

    return taking_a_word(results, "run", told, given=named)


@task(auto_shortflags=False, help={"a": A_RUN, "b": "Another run", "html": "Also draw both, into results/compare.html"})
def compare(_: Context, a: str, b: str, html: bool = False) -> None:
    """Show two runs side by side."""
    with exiting():
        (reports.compare_and_write if html else compare_runs)(a, b)


def report_task(count: int) -> Task[Callable[..., Any]]:
    """Make the task `report` for so many runs: invoke has no lists of words."""
    names = [f"run{number}" for number in range(1, count + 1)]

    def report(_: Context, out: str | None = None, index: bool = False, open: bool = False, **runs: str) -> None:
        """Write a page with charts of one or more runs, e.g. report 1 2."""
        with exiting():
            if index:
                reports.write_index(list(runs.values()), out, opened=open)
            else:
                reports.write_report(list(runs.values()), out, opened=open)

    told = {
        "out": "File to write; default: in results/",
        "index": "List all runs in results/ on one page, with links to a page of each",
        "open": "Open the page in the browser",
    }
    return taking_words(report, names, told | dict.fromkeys(names, A_RUN))


def export_task(*, sends: bool) -> Task[Callable[..., Any]]:
    """Make the task `export`, of a chart, or of a program if the command line `sends` one."""
    told = SITE | {
        "chart": "Chart id shown on the page: case-1, overview, account, scaling-1",
        "out": "File to write: FILE.svg or FILE.png; for a program a new directory, default: NAME-site",
        "run": A_RUN,
        "against": "Another run, for a chart of `compare RUN AGAINST --html`: both, A-1, B-1",
    }

    def export(
        context: Context,
        chart: str | None = None,
        out: str | None = None,
        run: str = "1",
        against: str | None = None,
        site: str | None = None,
        mpi: bool = False,
        nodes: str = "1",
        cores: str | None = None,
        ranks: str | None = None,
        dir: str = ".",
        requirements: str | None = None,
    ) -> None:
        """Export a chart for slides, or a program for a real site."""
        with exiting():
            if not sends:
                if site is not None:
                    raise UsageError("--site is for a program: export --site FILE PROGRAM.py")
                reports.export_chart(str(chart), str(out), run, against)
                return
            sites.export_program(
                context.config[WORDS],
                site=site,
                mpi=mpi,
                nodes=nodes,
                cores=cores,
                ranks=ranks,
                folder=dir,
                requirements=requirements,
                out=out,
            )

    made: Task[Callable[..., Any]] = task(
        auto_shortflags=False, positional=[] if sends else ["chart", "out"], help=told
    )(export)
    return made


@task(name="import", auto_shortflags=False, help={"record": "File that a job at a site has written: record-JOB.json"})
def import_record(_: Context, record: str) -> None:
    """Take the record of an exported program home."""
    with exiting():
        sites.import_record(record)


@task(auto_shortflags=False, help=PREDICTION)
def predict(
    _: Context,
    run: str,
    nodes: str = "1,4,16,64,256,1024,4096",
    case: str | None = None,
    tasks: str | None = None,
    chunk: str | None = None,
    json: str | None = None,
) -> None:
    """Predict a case on more nodes than there are, e.g. predict mpi."""
    with exiting():
        predict_and_show(run, nodes, case=case, tasks=tasks, chunk=chunk, file=json)
