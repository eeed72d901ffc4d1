"""Tasks for the cluster and its image."""

from invoke.context import Context
from invoke.tasks import task

from parlab.commands import cluster as clusters
from parlab.commands.jobs import WORDS
from parlab.commands.labs import exiting
from parlab.commands.options import CLUSTER, KIND, ON_A_NODE, SIZE
from parlab.run.request import read_cluster, read_cluster_spec


@task(auto_shortflags=False, help=SIZE | CLUSTER | KIND)
def up(
    _: Context,
    nodes: str = "4",
    cores: str = "2",
    speed: str = "1/8",
    cluster: str = "default",
    backend: str = "cluster",
) -> None:
    """Start the cluster, or change its size."""
    with exiting():
        clusters.up(read_cluster_spec(nodes, cores, speed), read_cluster(cluster), clusters.read_kind(backend))


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


@task(auto_shortflags=False, help=ON_A_NODE)
def shell(_: Context, node: str = "head", cluster: str = "default", backend: str | None = None) -> None:
    """Open a shell on a node."""
    with exiting():
        kind = None if backend is None else clusters.read_kind(backend)
        clusters.execute(["bash"], node, read_cluster(cluster), kind)


@task(name="exec", auto_shortflags=False, help=ON_A_NODE)
def execute(context: Context, node: str = "head", cluster: str = "default", backend: str | None = None) -> None:
    """Run a command on a node, e.g. exec -- squeue."""
    with exiting():
        kind = None if backend is None else clusters.read_kind(backend)
        clusters.execute(context.config[WORDS], node, read_cluster(cluster), kind)


@task(auto_shortflags=False, help=KIND)
def image(_: Context, backend: str = "cluster") -> None:
    """Build the nodes' image if it is out of date."""
    with exiting():
        clusters.image(clusters.read_kind(backend))


@task
def prune(_: Context) -> None:
    """Remove unused images, volumes and packages."""
    with exiting():
        clusters.prune()
