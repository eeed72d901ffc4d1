"""The cluster's own commands: up, down, status, shell, exec, image."""

import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from parlab.backend.cluster import Cluster
from parlab.backend.compose import Container
from parlab.backend.cpu_limits import limits_of
from parlab.backend.engine import NoEngine, connect
from parlab.backend.packages import forget_embedded
from parlab.backend.prune import prune as remove_unused
from parlab.backend.slurm import Slurm
from parlab.errors import ParlabError, UsageError
from parlab.formatting import Show, decimal, plural
from parlab.host.places import COMMAND
from parlab.host.signals import leaves
from parlab.model.spec import Spec
from parlab.run.request import read_cluster_spec
from parlab.terminal.tables import make_console, plain_table

START = ("4", "2", "1/8")  # the size of a cluster that a shell starts: that of `up`
OF_CONTAINERS = {kind.name: kind for kind in (Cluster, Slurm)}


def read_kind(text: str) -> str:
    """Read the name of a backend with nodes to bring up. Raises UsageError."""
    if text not in OF_CONTAINERS:
        raise UsageError(f"--backend takes {' or '.join(OF_CONTAINERS)} here, not {text!r}")
    return text


def up(spec: Spec, cluster: str, kind: str, show: Show = print) -> None:
    """Start the cluster, or change its size. Raises ParlabError."""
    backend = OF_CONTAINERS[kind](connect(), cluster)
    backend.check_fits(spec)
    with backend.hold("up", show):
        backend.up_with_limits(spec, show)
    size = f"head and {plural(spec.nodes, 'node')}, {decimal(spec.node_cpus)} CPU each"
    show(f"cluster {cluster} is up: {size}{backend.beside}")


def down(cluster: str) -> None:
    """Remove the cluster, even if it is in use."""
    backend = Cluster(connect(), cluster)
    with leaves(backend.what_is_left()):
        there = len(backend.containers())
        backend.down()
    print(f"cluster {cluster} is down: {plural(there, 'node')} removed" if there else f"cluster {cluster} was not up")


def status(cluster: str) -> None:
    """Print the nodes with their states and their limits as the engine reports them."""
    backend = Cluster(connect(), cluster)
    nodes = backend.containers()
    if not nodes:
        print(f"cluster {cluster} is not up; {_how_to_start(cluster)} starts it, and so does any lab")
        return
    limits = limits_of(backend.client, nodes)
    table = plain_table("node", "state", "limit", "container")
    for node in nodes:
        cpus = limits[node.name]
        table.add_row(node.name, node.state, "none" if cpus is None else f"{decimal(cpus)} CPU", node.called)
    make_console().print(table)


def _how_to_start(cluster: str) -> str:
    return f"{COMMAND} up" if cluster == "default" else f"{COMMAND} up --cluster {cluster}"


def execute(words: Sequence[str], node: str, cluster: str, kind: str | None = None) -> NoReturn:
    """Run a command on a node, with our standard streams, and exit with its code.

    With a `kind`, a cluster of that kind is started first if there is none. Raises UsageError if there is no such node,
    or no command.
    """
    if not words:
        raise UsageError(f"exec needs a command, such as {COMMAND} exec -- squeue")
    if kind is not None:
        _have(cluster, kind)
    nodes = {found.name: found for found in Cluster(connect(), cluster).containers() if found.well}
    if node not in nodes:
        there = f"running are {', '.join(nodes)}" if nodes else f"the cluster is not up: {_how_to_start(cluster)}"
        raise UsageError(f"--node takes a node that is running, not {node!r}; {there}")
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    sys.stdout.flush()
    try:
        sys.exit(subprocess.call(["docker", "exec", "--interactive", *terminal, nodes[node].id, *words]))
    except FileNotFoundError as error:
        raise ParlabError("there is no `docker` command, which runs commands on nodes") from error


def _have(cluster: str, kind: str) -> None:
    """Start a cluster of this kind, of the default size, unless it is up. Raises UsageError if it has another kind."""
    nodes: list[Container] = Cluster(connect(), cluster).containers()
    if not nodes:
        up(read_cluster_spec(*START), cluster, kind, _tell)
    elif any(node.has_slurm != (kind == Slurm.name) for node in nodes):
        other = "has no Slurm" if kind == Slurm.name else "has Slurm"
        raise UsageError(f"cluster {cluster} {other}: {_how_to_start(cluster)} --backend {kind} changes that")


def _tell(text: str) -> None:
    """Print a line on standard error: standard output is the command's."""
    print(text, file=sys.stderr, flush=True)


def image(kind: str) -> None:
    """Build the image unless it is up to date."""
    client = connect()
    made = OF_CONTAINERS[kind](client).machine(print)
    size = client.images.get(made.image_id).attrs["Size"]
    print(f"image {made.image}: {made.image_id.removeprefix('sha256:')[:12]}, {size / 1e6:.0f} MB")


def prune() -> None:
    """Remove unused objects and list them. Without an engine, these are only leftovers of embedded programs."""
    removed = forget_embedded()
    try:
        removed += remove_unused(connect())
    except NoEngine as error:
        print(f"no cluster: {error.reason}")
    for line in removed:
        print(f"removed {line}")
    if not removed:
        print("nothing to remove")
