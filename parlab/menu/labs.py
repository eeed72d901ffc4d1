"""Tasks that run, list and explain labs."""

import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.tasks import Task, task

from parlab.commands.course import explain as explain_lab
from parlab.commands.course import explain_terms, list_labs, run_all
from parlab.commands.course import new as new_lab
from parlab.commands.labs import exiting, run_and_show
from parlab.commands.options import LAB, RUN, SIZE
from parlab.course.catalog import not_taken
from parlab.course.handout import read_handout
from parlab.menu.words import taking_words
from parlab.run.request import read_outputs, read_request


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
        timeout: str | None = None,
        json: str | None = None,
        junit: str | None = None,
        trace: str | None = None,
        check: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        explain: bool = False,
    ) -> None:
        with exiting():
            if explain:
                explain_lab(path)
                return
            files = {"json": json, "junit": junit, "trace": trace}
            output = read_outputs(**files, check=check, quiet=quiet, verbose=verbose)
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
                timeout=timeout,
            )
            run_and_show(path, request, output)

    run.__doc__ = read_handout(path).title
    told = SIZE | LAB | RUN
    if {"--help", "-h"} & set(sys.argv):  # else every command would wait for every lab's file to be searched
        told |= dict.fromkeys(not_taken(path), "(this lab does not take it)")
    made: Task[Callable[..., Any]] = task(name=path.stem, auto_shortflags=False, help=told)(run)
    return made


@task(name="all", auto_shortflags=False, help=RUN)
def all_labs(
    _: Context,
    cluster: str = "default",
    backend: str | None = None,
    repeat: str = "1",
    timeout: str | None = None,
    junit: str | None = None,
    check: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Run all labs in teaching order and print a summary."""
    with exiting():
        request = read_request(cluster=cluster, backend=backend, repeat=repeat, timeout=timeout)
        run_all(request, read_outputs(junit=junit, check=check, quiet=quiet, verbose=verbose))


def new_task(tasks: Collection[str]) -> Task[Callable[..., Any]]:
    """Make the task `new`; a lab cannot have the name of another of `tasks`."""

    def new(_: Context, name: str) -> None:
        """Write a lab of your own that runs, to be changed."""
        with exiting():
            new_lab(name, tasks)

    made: Task[Callable[..., Any]] = task(help={"name": "the lab's name, and its file's: letters, digits and _"})(new)
    return made


@task
def labs(_: Context) -> None:
    """List the labs in teaching order, with their questions."""
    with exiting():
        list_labs()


def glossary_task(count: int) -> Task[Callable[..., Any]]:
    """Make the task `glossary` for a term of so many words: invoke has no optional words."""
    names = [f"word{number}" for number in range(1, count + 1)]

    def glossary(_: Context, **words: str) -> None:
        """Explain the labs' terms, or one, e.g. glossary rank."""
        with exiting():
            explain_terms(" ".join(words.values()))

    return taking_words(glossary, names, dict.fromkeys(names, "A term, e.g. rank or off by"))
