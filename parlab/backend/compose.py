"""The containers of a cluster: listed by their labels, brought up and taken down by Compose."""

import json
import re
import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from docker.client import DockerClient

from parlab.backend.engine import FAILURES, compose
from parlab.backend.image import SLURM_LABEL
from parlab.backend.machine import HOME, JOBS, Machine
from parlab.errors import ParlabError, RunError
from parlab.formatting import Show
from parlab.model.node import HEAD, node_name
from parlab.node.folder import INPUT

# Volumes that only some machines' nodes have; `down` removes them from every cluster. In memory, like `cluster`.
MORE_VOLUMES = {
    name: {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": f"size={size},uid=1000,gid=1000,mode=0700"}}
    for name, size in ((JOBS, "64m"), (HOME, "256m"))
}
IN_FILE = 4  # nodes that compose.yaml itself has
READS = "parlab.reads"  # label: the folder that a node can read, at INPUT
LABEL = "parlab.node"  # label: the number of a node; the engine's own numbers may have gaps
HEALTH = {"(unhealthy)": "unhealthy", "(health: starting)": "starting"}
CUT_OFF, FOREIGN = "cut off from its network", "of another version of parlab"  # states without a name in the engine
UP_SECONDS, UP_SECONDS_A_NODE = 60, 2
DOWN_SECONDS = 120
GONE_SECONDS = 5.0
STARTED = re.compile(r"[Cc]ontainer (\S+) +(?:Started|Running|Waiting|Healthy|is unhealthy)")  # in Compose's progress
# The engine's messages about a container that another command removes at the same time.
GONE = (
    "No such container",
    "is already in progress",
    "is marked for removal",
    "exited (0)",
    "exited (143)",
    "exited (137)",
    " not found",
)


@dataclass(frozen=True)
class Container:
    """A container of the cluster; `index` and `name` are its node's, `called` is the engine's name for it."""

    index: int
    name: str
    called: str
    id: str
    image: str
    reads: str  # the folder that it can read on the engine's machine, or ''
    has_slurm: bool
    state: str  # the engine's state (running, paused ...); for running ones also starting, unhealthy, CUT_OFF, FOREIGN

    @property
    def well(self) -> bool:
        """Whether it can be used without repair."""
        return self.state == "running"

    def made_of(self, machine: Machine) -> bool:
        """Whether it has the image, the folder and the service of this machine."""
        same = (machine.image_id, machine.mark, bool(machine.service))
        return (self.image, self.reads, self.has_slurm) == same

    @property
    def replaceable(self) -> bool:
        """Whether it must be replaced because a restart cannot repair it."""
        return self.state in (CUT_OFF, FOREIGN)

    @property
    def is_head(self) -> bool:
        """Whether rank 0 of a pool of ranks runs here."""
        return self.index == HEAD


def containers(client: DockerClient, project: str) -> list[Container]:
    """All existing nodes, in any state: the head first, then the others in the order of their numbers."""
    filters = {"label": f"com.docker.compose.project={project}"}
    found = [_container(facts, project) for facts in client.api.containers(all=True, filters=filters)]
    return sorted(found, key=lambda container: (container.index, container.name))


def _container(facts: dict[str, Any], project: str) -> Container:
    labels, called = facts["Labels"], facts["Names"][0].lstrip("/")
    if LABEL in labels:
        index = int(labels[LABEL])
        name, state = node_name(index), facts["State"]
        if state == "running":
            state = next((text for mark, text in HEALTH.items() if mark in facts["Status"]), state)
            if f"{project}_cluster" not in facts["NetworkSettings"]["Networks"]:
                state = CUT_OFF
    else:  # versions before numbered nodes: `head`, and `worker` with the engine's number
        service, number = labels["com.docker.compose.service"], labels["com.docker.compose.container-number"]
        is_head = service == node_name(HEAD)
        index, name, state = (HEAD, service, FOREIGN) if is_head else (int(number), f"{service}-{number}", FOREIGN)
    reads, has_slurm = labels.get(READS, ""), SLURM_LABEL in labels  # containers inherit the labels of their images
    return Container(index, name, called, facts["Id"], facts["ImageID"], reads, has_slurm, state)


def mend(client: DockerClient, nodes: list[Container], count: int, show: Show) -> None:
    """Restart unhealthy nodes; remove nodes that a restart cannot repair, and nodes beyond `count`."""
    for node in nodes:
        if node.replaceable:
            show(f"{node.name} is {node.state}: replaced")
        elif not node.well and node.state != "starting":
            show(f"{node.name} is {node.state}: restarted")
            if node.state == "paused":
                client.api.unpause(node.id)
            client.api.restart(node.id, timeout=1)
        if node.replaceable or node.index > count:
            client.api.remove_container(node.id, force=True)


def bring_up(client: DockerClient, project: str, nodes: int, machine: Machine) -> None:
    """Start a head and this many nodes, and wait until they are healthy; nodes that are up to date stay.

    Raises ParlabError when they do not come up in time, RunError when another command takes them down meanwhile.
    """
    deadline = UP_SECONDS + UP_SECONDS_A_NODE * nodes
    names = [node_name(index) for index in range(nodes + 1)]
    wait = ("--detach", "--wait", "--wait-timeout", str(deadline), "--remove-orphans")
    as_it_is = ("--no-build", "--pull", "never")  # a registry's image under that name would be a different one
    env = {"PARLAB_IMAGE": machine.image}
    try:
        more = more_nodes(nodes, machine)
        compose(project, "up", *wait, *as_it_is, *names, deadline=deadline + 10, env=env, more=more)
    except ParlabError as error:
        if _taken_down(client, project, str(error)):
            raise RunError("the cluster was taken down while it came up. Run it again.") from error
        raise


def _taken_down(client: DockerClient, project: str, said: str) -> bool:
    """Whether another command has removed started containers; watches for some seconds.

    A container that is being stopped may turn unhealthy before it disappears.
    """
    if any(words in said for words in GONE):
        return True
    started, until = set(STARTED.findall(said)), time.monotonic() + GONE_SECONDS
    with suppress(*FAILURES):  # Compose's own words are told then
        while started and time.monotonic() < until:
            if started - {container.called for container in containers(client, project)}:
                return True
            time.sleep(0.2)
    return False


def more_nodes(nodes: int, machine: Machine) -> str | None:
    """Additions to compose.yaml: nodes beyond its own, and what else a machine's nodes have. JSON is YAML."""
    base = {"file": "compose.yaml", "service": node_name(1)}
    services: dict[str, dict[str, Any]] = {
        node_name(index): {"extends": base, "hostname": node_name(index), "labels": {LABEL: str(index)}}
        for index in range(IN_FILE + 1, nodes + 1)
    }
    for index in range(nodes + 1 if machine.service else 0):
        services.setdefault(node_name(index), {}).update(deepcopy(machine.service))
    if machine.reads:
        source, mark = (text.replace("$", "$$") for text in (machine.reads, machine.mark))  # Compose's escape
        bind = {"type": "bind", "source": source, "target": INPUT, "read_only": True}
        for index in range(nodes + 1):
            service = services.setdefault(node_name(index), {})
            service.setdefault("volumes", []).append(bind | {"bind": {"create_host_path": False}})
            service["labels"] = service.get("labels", {}) | {READS: mark}
    volumes = {"volumes": MORE_VOLUMES} if machine.service else {}
    return json.dumps({"services": services} | volumes) if services else None


def take_down(project: str) -> None:
    """Remove containers, network and volumes. Raises ParlabError."""
    words = ("down", "--volumes", "--remove-orphans", "--timeout", "2")
    mounts = [f"{name}:/{name}" for name in MORE_VOLUMES]  # Compose forgets volumes that no service has
    more = {"services": {node_name(HEAD): {"volumes": mounts}}, "volumes": MORE_VOLUMES}
    compose(project, *words, deadline=DOWN_SECONDS, more=json.dumps(more))
