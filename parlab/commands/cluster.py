"""The cluster's own commands: up, down, status, shell, image."""

import subprocess
import sys

from parlab.backend.cluster import Cluster
from parlab.backend.engine import connect
from parlab.backend.image import build_image, current_image, image_name
from parlab.errors import ParlabError, UsageError
from parlab.formatting import decimal, plural
from parlab.host.places import COMMAND
from parlab.run.request import read_cluster, read_cluster_spec
from parlab.terminal.tables import make_console, plain_table


def up(nodes: str, cores: str, speed: str, cluster: str) -> None:
    """Start the cluster or change it; all input is read before anything starts. Raises ParlabError."""
    spec, name = read_cluster_spec(nodes, cores, speed), read_cluster(cluster)
    backend = Cluster(connect(), name)
    backend.check_fits(spec)
    with backend.hold("up", print):
        backend.up_with_limits(spec, print)
    print(f"cluster {cluster} is up: head and {plural(spec.nodes, 'worker')}, {decimal(spec.node_cpus)} CPU each")


def down(cluster: str) -> None:
    """Remove the cluster, in use or not."""
    name = read_cluster(cluster)
    backend = Cluster(connect(), name)
    there = len(backend.nodes())
    backend.down()
    print(f"cluster {cluster} is down: {plural(there, 'node')} removed" if there else f"cluster {cluster} was not up")


def status(cluster: str) -> None:
    """Print the nodes with their state and what the engine says of their limits."""
    name = read_cluster(cluster)
    backend = Cluster(connect(), name)
    nodes = backend.nodes()
    if not nodes:
        print(f"cluster {cluster} is not up; {_how_to_start(cluster)} starts it, and so does any lab")
        return
    limits = backend.limits_of(nodes)
    table = plain_table("node", "state", "limit", "container")
    for node in nodes:
        cpus = limits[node.name]
        table.add_row(node.name, node.state, "none" if cpus is None else f"{decimal(cpus)} CPU", node.host)
    make_console().print(table)


def _how_to_start(cluster: str) -> str:
    return f"{COMMAND} up" if cluster == "default" else f"{COMMAND} up --cluster {cluster}"


def shell(node: str, cluster: str) -> None:
    """Hand the terminal to a shell on a node, and exit with its code. Raises UsageError when there is no such node."""
    name = read_cluster(cluster)
    nodes = {found.name: found for found in Cluster(connect(), name).nodes() if found.well}
    if node not in nodes:
        there = f"running are {', '.join(nodes)}" if nodes else f"the cluster is not up: {_how_to_start(cluster)}"
        raise UsageError(f"--node takes a node that is running, not {node!r}; {there}")
    terminal = ["--tty"] if sys.stdin.isatty() else []
    try:
        sys.exit(subprocess.call(["docker", "exec", "--interactive", *terminal, nodes[node].id, "bash"]))
    except FileNotFoundError as error:
        raise ParlabError("there is no `docker` command, which opens the shell") from error


def image() -> None:
    """Build the image unless it is up to date."""
    client = connect()
    built = current_image(client) or build_image(client)
    size = client.images.get(built).attrs["Size"]
    print(f"image {image_name()}: {built.removeprefix('sha256:')[:12]}, {size / 1e6:.0f} MB")
