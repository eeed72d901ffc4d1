"""The cluster's own commands: up, down, status, shell, image."""

import subprocess
import sys

from rich.console import Console
from rich.table import Table

from parlab.backend.cluster import Cluster
from parlab.backend.engine import connect
from parlab.backend.image import build_image, current_image
from parlab.errors import UsageError
from parlab.lock import only_user
from parlab.spec import MOST_CORES, MOST_NODES, Spec, check_fits, decimal, plural, read_cluster, read_speed, read_whole


def up(nodes: str, cores: str, speed: str, cluster: str) -> None:
    """Start the cluster or change it; all input is read before anything starts. Raises ParlabError."""
    number, size = read_whole("--nodes", nodes, MOST_NODES), read_whole("--cores", cores, MOST_CORES)
    spec = Spec(number, size, read_speed(speed), unit=1.0)
    name = read_cluster(cluster)
    client = connect()
    info = client.info()
    check_fits(spec, info["NCPU"], f"the machine on which the engine runs ({info['Name']})")
    with only_user(name, "up", print):
        backend = Cluster(client, name)
        backend.up(spec.nodes, print)
        backend.limits(spec, spec.node_cpus)
        backend.limits_held(spec, {})
    print(f"cluster {name} is up: head and {plural(spec.nodes, 'worker')}, {decimal(spec.node_cpus)} CPU each")


def down(cluster: str) -> None:
    """Remove the cluster, in use or not."""
    backend = Cluster(connect(), read_cluster(cluster))
    there = len(backend.nodes())
    backend.down()
    print(f"cluster {cluster} is down: {plural(there, 'node')} removed" if there else f"cluster {cluster} was not up")


def status(cluster: str) -> None:
    """Print the nodes with their state and what the engine says of their limits."""
    backend = Cluster(connect(), read_cluster(cluster))
    nodes = backend.nodes()
    if not nodes:
        print(f"cluster {cluster} is not up; ./invoke up starts it, and so does any lab")
        return
    limits = backend.engine_limits(nodes)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("node", "state", "limit", "container"):
        table.add_column(heading)
    for node in nodes:
        cpus = limits[node.name]
        table.add_row(node.name, node.state, "none" if cpus is None else f"{decimal(cpus)} CPU", node.host)
    Console(highlight=False).print(table)


def shell(node: str, cluster: str) -> None:
    """Hand the terminal to a shell on a node. Raises UsageError when there is no such node."""
    nodes = {found.name: found for found in Cluster(connect(), read_cluster(cluster)).nodes() if found.well}
    if node not in nodes:
        there = f"running are {', '.join(nodes)}" if nodes else "the cluster is not up: ./invoke up"
        raise UsageError(f"--node takes a node that is running, not {node!r}; {there}")
    terminal = ["--tty"] if sys.stdin.isatty() else []
    sys.exit(subprocess.call(["docker", "exec", "--interactive", *terminal, nodes[node].id, "bash"]))


def image() -> None:
    """Build the image unless it is up to date."""
    client = connect()
    built = current_image(client) or build_image(client)
    size = client.images.get(built).attrs["Size"]
    print(f"image parlab: {built.removeprefix('sha256:')[:12]}, {size / 1e6:.0f} MB")
