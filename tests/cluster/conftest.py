"""A cluster for the tests, besides the user's own; it is removed at the end."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from parlab.backend.cluster import Cluster
from parlab.backend.compose import Container
from parlab.backend.engine import connect
from parlab.backend.slurm import Slurm

# Another one where two suites run at once, and for each of the processes over which pytest-xdist spreads the tests.
NAME = "-".join(filter(None, (os.environ.get("PARLAB_TEST_CLUSTER", "tests"), os.environ.get("PYTEST_XDIST_WORKER"))))
# Of the user's own: neither what a node itself runs, nor what looks, or is about to: that is `[sh]` for an instant.
PROCESSES = "ps -u lab -o args= | grep -v -e init -e sshd -e '^ps ' -e '^sh ' -e '^[[]sh[]]$'"
DAEMONS_SECONDS = 3.0
LEFT = f"ls -A /dev/shm; ls -A /tmp | grep -v -x parlab.lock; {PROCESSES}"
OURS = re.compile(r"parlab\.node|prte|mpiexec|mpirun|tarfile")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster object; tests that need its nodes use `four`."""
    client = connect()
    backend = Cluster(client, NAME)
    backend.down()
    yield backend
    backend.down()
    client.close()


@pytest.fixture
def four(cluster: Cluster) -> Cluster:
    """The cluster, up and healthy, with four worker nodes."""
    cluster.up(4, print)
    return cluster


@contextmanager
def slurm_cluster(name: str) -> Iterator[Slurm]:
    """A Slurm cluster beside the other tests' own, not up yet; nothing of it is left at the end."""
    client = connect()
    backend = Slurm(client, name)
    backend.down()
    yield backend
    backend.down()
    assert left_of(backend.project) == ""
    client.close()


def inside(node: Container, *command: str) -> str:
    """Run a command in a node; return its output."""
    argv = ["docker", "exec", node.id, *command]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def see_that_it_is_hardened(cluster: Cluster, node: Container) -> None:
    """Assert that the engine gives the node no privilege, and no way out of the cluster's network."""
    facts: dict[str, Any] = cluster.client.api.inspect_container(node.id)
    host = facts["HostConfig"]
    assert facts["Config"]["User"] == "lab"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert not host["Privileged"]
    assert not host["PortBindings"]
    assert facts["NetworkSettings"]["Ports"] in ({}, None)
    (network,) = facts["NetworkSettings"]["Networks"]
    assert cluster.client.networks.get(network).attrs["Internal"]


def strays(cluster: Cluster) -> dict[str, list[str]]:
    """Processes of a launch that still run in the nodes, by node."""
    found = {}
    for node in cluster.containers():
        if node.state != "running":
            continue
        top = cluster.client.api.top(node.id, "-eo pid,args")
        lines = [row[-1] for row in top["Processes"] if OURS.search(row[-1])]
        if lines:
            found[node.name] = lines
    return found


def left_in(cluster: Cluster) -> dict[str, str]:
    """Files and processes left by a program, by node; waits for Open MPI's daemons, which may take a moment to end."""
    until = time.monotonic() + DAEMONS_SECONDS
    while True:
        looked = {node.name: inside(node, "sh", "-c", f"{LEFT}; true") for node in cluster.containers()}
        left = {node: said for node, said in looked.items() if said}
        if not left or time.monotonic() > until:
            return left


def left_of(project: str) -> str:
    """Everything of a Compose project that the engine still has."""
    label = f"label=com.docker.compose.project={project}"
    kinds = (["ps", "--all"], ["network", "ls"], ["volume", "ls"])
    found = [
        subprocess.run(["docker", *kind, "--quiet", "--filter", label], capture_output=True, text=True, check=True)
        for kind in kinds
    ]
    return "".join(done.stdout for done in found)
