"""The menu: a task parses its arguments, calls one function and sets the exit code."""

import sys
from collections.abc import Callable
from inspect import Parameter, Signature, signature
from itertools import pairwise
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task, task

from parlab.commands import cluster as clusters
from parlab.commands import develop, jobs
from parlab.commands import report as reports
from parlab.commands.course import explain as explain_lab
from parlab.commands.course import list_labs, run_all
from parlab.commands.jobs import WORDS
from parlab.commands.labs import compare as compare_runs
from parlab.commands.labs import exiting, list_results, run_and_show
from parlab.commands.options import A_RUN, CLUSTER, LAB, PROGRAM, RUN, SIZE, TESTS
from parlab.course.catalog import lab_files, not_taken
from parlab.course.handout import read_handout
from parlab.host.places import INSTALLED
from parlab.run.job_request import read_job
from parlab.run.request import read_cluster, read_cluster_spec, read_outputs, read_request


def lab_task(path: Path) -> Task[Callable[..., Any]]:
    """Make the task `lab.NAME` of a lab file."""

    def run(
        _: Context,
        nodes: str | None = None,
        cores: str | None = None,
        speed: str | None = None,
        unit: str | None = None,
        workers: str | None = None,
        chunk: str | None = None,
        size: str | None = None,
        cluster: str = "default",
        backend: str | None = None,
        repeat: str = "1",
        json: str | None = None,
        junit: str | None = None,
        trace: str | None = None,
        check: bool = False,
        quiet: bool = False,
        explain: bool = False,
    ) -> None:
        with exiting():
            if explain:
                explain_lab(path)
                return
            output = read_outputs(json=json, junit=junit, trace=trace, check=check, quiet=quiet)
            request = read_request(
                nodes=nodes,
                cores=cores,
                speed=speed,
                unit=unit,
                workers=workers,
                chunk=chunk,
                size=size,
                cluster=cluster,
                backend=backend,
                repeat=repeat,
            )
            run_and_show(path, request, output)

    run.__doc__ = read_handout(path).title
    told = SIZE | LAB | RUN
    if {"--help", "-h"} & set(sys.argv):  # nobody else is to wait for every lab's file to be searched
        told |= dict.fromkeys(not_taken(path), "(this lab does not take it)")
    made: Task[Callable[..., Any]] = task(name=path.stem, auto_shortflags=False, help=told)(run)
    return made


@task(name="all", auto_shortflags=False, help=RUN)
def all_labs(
    _: Context,
    cluster: str = "default",
    backend: str | None = None,
    repeat: str = "1",
    junit: str | None = None,
    check: bool = False,
    quiet: bool = False,
) -> None:
    """Run all labs in teaching order, and sum up."""
    with exiting():
        request = read_request(cluster=cluster, backend=backend, repeat=repeat)
        run_all(request, read_outputs(junit=junit, check=check, quiet=quiet))


@task(auto_shortflags=False, iterable=["env"], help=CLUSTER | SIZE | PROGRAM)
def run(
    context: Context,
    module: str | None = None,
    mpi: bool = False,
    futures: bool = False,
    nodes: str = "1",
    cores: str = "2",
    speed: str = "1/8",
    memory: str | None = None,
    ranks: str | None = None,
    sweep: str | None = None,
    weak: str | None = None,
    repeat: str = "1",
    env: list[str] | None = None,
    dir: str = ".",
    out: str | None = None,
    timeout: str = "3600",
    no_limits: bool = False,
    spin: bool = False,
    tag: bool = False,
    cluster: str = "default",
    backend: str | None = None,
    json: str | None = None,
    junit: str | None = None,
    quiet: bool = False,
) -> None:
    """Run a program of your own, with its arguments behind it."""
    with exiting():
        request = read_job(
            context.config[WORDS],
            module=module,
            mpi=mpi,
            futures=futures,
            nodes=nodes,
            cores=cores,
            speed=speed,
            memory=memory,
            ranks=ranks,
            sweep=sweep,
            weak=weak,
            repeat=repeat,
            env=env or (),
            folder=dir,
            out=out,
            timeout=timeout,
            no_limits=no_limits,
            spin=spin,
            tag=tag,
            cluster=cluster,
            backend=backend,
            json=json,
            junit=junit,
            quiet=quiet,
        )
        jobs.run_program(request)


@task(auto_shortflags=False, help=CLUSTER)
def why(_: Context, cluster: str = "default") -> None:
    """Tell what each rank of a running program is at."""
    with exiting():
        jobs.why(read_cluster(cluster))


@task
def labs(_: Context) -> None:
    """List the labs in teaching order, with their questions."""
    with exiting():
        list_labs()


@task(auto_shortflags=False, help=SIZE | CLUSTER)
def up(_: Context, nodes: str = "4", cores: str = "2", speed: str = "1/8", cluster: str = "default") -> None:
    """Start the cluster, or bring it to another size."""
    with exiting():
        clusters.up(read_cluster_spec(nodes, cores, speed), read_cluster(cluster))


@task(auto_shortflags=False, help=CLUSTER)
def down(_: Context, cluster: str = "default") -> None:
    """Remove the cluster and its keys."""
    with exiting():
        clusters.down(read_cluster(cluster))


@task(auto_shortflags=False, help=CLUSTER)
def status(_: Context, cluster: str = "default") -> None:
    """Show the nodes, their state and their limits."""
    with exiting():
        clusters.status(read_cluster(cluster))


@task(auto_shortflags=False, help=CLUSTER | {"node": "head, node-1 ..."})
def shell(_: Context, node: str = "head", cluster: str = "default") -> None:
    """Open a shell on a node."""
    with exiting():
        clusters.shell(node, read_cluster(cluster))


@task
def results(_: Context) -> None:
    """List the runs in results/, the newest first."""
    with exiting():
        list_results()


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


@task
def image(_: Context) -> None:
    """Build the nodes' image if it is out of date."""
    with exiting():
        clusters.image()


@task(name="test", auto_shortflags=False, help=TESTS)
def check(
    _: Context,
    all: bool = False,
    require_engine: bool = False,
    require_browser: bool = False,
    require_measurements: bool = False,
) -> None:
    """Run linter, type checker and tests."""
    with exiting():
        given = (all, require_engine, require_browser, require_measurements)
        develop.test([f"--{name}" for name, wanted in zip(TESTS, given, strict=True) if wanted])


@task
def pin(_: Context) -> None:
    """Write the hashed locks in requirements/ anew."""
    with exiting():
        develop.write_locks()


namespace = Collection(labs, run, why, up, down, status, shell, results, compare, export, image, auto_dash_names=False)
namespace.add_task(report_task(words_after("report")))
lab = Collection("lab", all_labs, auto_dash_names=False)  # a lab has one name everywhere: that of its file
for file in lab_files().values():
    lab.add_task(lab_task(file))
namespace.add_collection(lab)
if not INSTALLED:
    namespace.add_task(check)
    namespace.add_collection(Collection("dev", pin))  # what rewrites files is no slip of the keyboard away from a lab
