"""The menu: a task parses its arguments, calls one function and sets the exit code.

Imports that a task alone needs stand in the task: `./invoke --list` and every launch start faster for it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task, task

from parlab.catalog import lab_files, title
from parlab.console import exit_code, run_and_show
from parlab.run import Options

CLUSTER = {"cluster": "name of the cluster, for a second one beside the first"}
SIZE = {
    "nodes": "number of workers",
    "cores": "virtual cores a node",
    "speed": "of a host core that a virtual core gets, as 1/8 or 0.125",
}


def lab_task(path: Path) -> Task[Callable[..., Any]]:
    """Make the task `lab.NAME` of a lab file."""

    def run(
        _: Context,
        nodes: str | None = None,
        cores: str | None = None,
        speed: str | None = None,
        unit: str | None = None,
        cluster: str = "default",
        backend: str | None = None,
        json: str | None = None,
    ) -> None:
        with exit_code():
            run_and_show(path, Options(nodes, cores, speed, unit, cluster, backend, json))

    run.__doc__ = title(path)
    texts = {
        "nodes": "sizes to run on, as 1,2,4",
        "unit": "seconds that a unit of work takes",
        "backend": "cluster or embedded; default: the cluster, where an engine answers",
        "json": "file to write the record to",
    }
    made: Task[Callable[..., Any]] = task(name=path.stem, auto_shortflags=False, help=SIZE | CLUSTER | texts)(run)
    return made


@task(auto_shortflags=False, help=SIZE | CLUSTER)
def up(_: Context, nodes: str = "4", cores: str = "2", speed: str = "1/8", cluster: str = "default") -> None:
    """Start the cluster, or bring it to another size."""
    from parlab.manage import up

    with exit_code():
        up(nodes, cores, speed, cluster)


@task(auto_shortflags=False, help=CLUSTER)
def down(_: Context, cluster: str = "default") -> None:
    """Remove the cluster and its keys."""
    from parlab.manage import down

    with exit_code():
        down(cluster)


@task(auto_shortflags=False, help=CLUSTER)
def status(_: Context, cluster: str = "default") -> None:
    """Show the nodes, their state and their limits."""
    from parlab.manage import status

    with exit_code():
        status(cluster)


@task(auto_shortflags=False, help=CLUSTER | {"node": "head, worker-1 ..."})
def shell(_: Context, node: str = "head", cluster: str = "default") -> None:
    """Open a shell on a node."""
    from parlab.manage import shell

    with exit_code():
        shell(node, cluster)


@task
def image(_: Context) -> None:
    """Build the nodes' image if it is out of date."""
    from parlab.manage import image

    with exit_code():
        image()


@task(name="test", auto_shortflags=False, help={"require-engine": "a missing engine is a failure, not a skip"})
def check(_: Context, require_engine: bool = False) -> None:
    """Run linter, type checker and tests."""
    from parlab.develop import test

    with exit_code():
        test(require_engine)


@task
def lock(_: Context) -> None:
    """Write the hashed locks in requirements/ anew."""
    from parlab.develop import lock

    with exit_code():
        lock()


namespace = Collection(up, down, status, shell, image, check, lock)
labs = Collection("lab")
for file in lab_files().values():
    labs.add_task(lab_task(file))
namespace.add_collection(labs)
