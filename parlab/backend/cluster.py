"""The cluster backend: Compose runs head and nodes; the Docker SDK sets and reads limits and runs commands."""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from docker.client import DockerClient
from docker.errors import APIError

from parlab.backend.base import Equipment, Kind, Placement
from parlab.backend.compose import FOREIGN, Container, bring_up, containers, mend, take_down
from parlab.backend.cpu_limits import check_limits, limits_of, set_limits
from parlab.backend.engine import FAILURES, connect, facts_of, on_each
from parlab.backend.exec import (
    FOLDER,
    LOCK,
    PYTHON,
    WORK,
    bundle,
    changed_in_folder,
    fill_folder,
    library,
    run_in,
    start_launcher,
    sweep,
)
from parlab.backend.folder import packed, unpack
from parlab.backend.machine import Machine, equipped, plain
from parlab.backend.memory import set_memory
from parlab.backend.session import Session
from parlab.course.beside import files_beside
from parlab.errors import Interrupted, ParlabError, UsageError
from parlab.formatting import Show, plural
from parlab.host.cluster_lock import WAIT_SECONDS, only_user
from parlab.host.places import COMMAND
from parlab.host.signals import leaves, undisturbed
from parlab.model.node import Node, node_name
from parlab.model.spec import HEAD_CPUS, Spec, check_fits
from parlab.node.folder import INPUT

GRACE_SECONDS = 10
PLAIN = "they no longer read a folder of this machine"
WITH_SLURM = "this run needs Slurm on them. --cluster NAME keeps both kinds"
WITHOUT_SLURM = "this run needs them without Slurm, whose jobs end. --cluster NAME keeps both kinds"


class Cluster:
    """One head and its nodes, on the engine of `client`, as the Compose project `parlab` or `parlab-NAME`."""

    name = "cluster"
    beside = ""  # what runs on it beside the nodes, for the user
    service: Mapping[str, Any] = MappingProxyType({})  # additions to each node in compose.yaml

    def __init__(self, client: DockerClient, cluster: str = "default") -> None:
        self.client = client
        self.called = cluster
        self.project = "parlab" if cluster == "default" else f"parlab-{cluster}"
        self._containers: list[Container] = []
        self._is_new = False  # brought up by this command
        self._machine: Machine | None = None  # with a program's extras

    @cached_property
    def info(self) -> dict[str, Any]:
        """The engine's description of its machine; asked once."""
        found: dict[str, Any] = self.client.info()
        return found

    # Life cycle

    def containers(self) -> list[Container]:
        """All existing nodes, in any state: the head first, then the others in the order of their numbers."""
        return containers(self.client, self.project)

    def machine(self, show: Show) -> Machine:
        """The ingredients of the nodes, without a program's extras; its image is built if it does not exist."""
        return plain(self.client)

    def up(self, nodes: int, show: Show, *, at_least: bool = False, ours: bool = False) -> None:
        """Bring the cluster to `nodes` nodes, or to `at_least` that many; recreate only nodes that are out of date.

        Raises ParlabError if others run on a cluster that must change, unless the session on it is `ours`.

        Raises ParlabError, too, when the cluster does not come up; then nothing of it is left. An existing cluster
        stays if the image cannot be built, or if this command is interrupted.
        """
        machine = self._machine or self.machine(show)
        before = self.containers()
        known = [node.index for node in before if node.state != FOREIGN]
        count = max([nodes, *known]) if at_least else nodes
        there = [node.index for node in before] == list(range(count + 1))
        if there and all(node.well and node.made_of(machine) for node in before):
            self._containers = before
            return
        if not ours:
            self._not_in_use(before)
        with self._none_left_of_a_failure([] if self._is_new else before, show):
            mend(self.client, before, count, show)
            if any(node.has_slurm != bool(machine.service) for node in before):
                show(f"nodes are recreated: {WITH_SLURM if machine.service else WITHOUT_SLURM}")
            if any(node.well and node.reads != machine.mark for node in before):
                show("nodes are recreated: " + (f"they read {machine.reads} in place" if machine.reads else PLAIN))
            show(f"bringing up the cluster: head and {plural(count, 'node')}" if count else "bringing up the head")
            bring_up(self.client, self.project, count, machine)
            self._containers = self.containers()

    def up_with_limits(self, spec: Spec, show: Show) -> None:
        """Bring the cluster to this spec; set its limits and read them back. Raises ParlabError if any step fails."""
        before = self.containers()
        self._not_in_use(before)
        self.up(spec.nodes, show)
        with self._none_left_of_a_failure(before, show):
            self.set_limits(spec, spec.node_cpus)
            check_limits(self.engine_limits(spec), self.nodes(spec))

    @contextmanager
    def _none_left_of_a_failure(self, before: list[Container], show: Show) -> Iterator[None]:
        """Take the cluster down if the block fails; on an interrupt, only if the cluster was not there `before`."""
        try:
            yield
        except BaseException as error:
            if not before or not isinstance(error, Interrupted):
                with undisturbed():
                    try:
                        self.down()
                    except FAILURES as second:  # report the first error, not this one
                        show(f"and it could not be taken down: {second}")
            raise

    def _not_in_use(self, nodes: list[Container]) -> None:
        """Raise ParlabError when another user, or a client on another machine, is running on this cluster.

        A launcher whose client was killed takes some seconds to end, so this method tries for GRACE_SECONDS.
        """
        until = time.monotonic() + GRACE_SECONDS
        head = next((node for node in nodes if node.is_head and (node.well or node.replaceable)), None)
        while head is not None:
            try:
                if run_in(self.client, head.id, ["flock", "--nonblock", LOCK, "true"], GRACE_SECONDS) != 1:
                    return
            except APIError:  # a node of another version need not be running
                return
            if time.monotonic() > until:
                raise ParlabError(
                    f"cluster {self.called} must be changed, but another user or machine is running on it. "
                    "Wait for that run, or use --cluster NAME"
                )
            time.sleep(0.5)

    def down(self) -> None:
        """Remove containers, network and volume, which holds the keys. Raises ParlabError if any container is left."""
        for node in self.containers():
            if not node.well:  # a paused node would take its whole grace period to stop
                with suppress(APIError):  # gone meanwhile
                    self.client.api.remove_container(node.id, force=True)
        take_down(self.project)
        if left := [node.name for node in self.containers()]:
            raise ParlabError(
                f"{', '.join(left)} came back while the cluster was taken down. Run {COMMAND} down again."
            )

    # A backend for launches

    @contextmanager
    def hold(self, doing: str, show: Show, seconds: float = WAIT_SECONDS) -> Iterator[None]:
        """Keep this user's other commands out."""
        with only_user(self.project, self.called, doing, show, seconds), leaves(self.what_is_left()):
            yield

    def what_is_left(self) -> str:
        """Tell what remains when the user gives up a clean-up, and how to remove it."""
        return f"ranks may still run on cluster {self.called}, without its limits; {self._down()} removes it"

    def _down(self) -> str:
        """The command that removes this cluster."""
        return f"{COMMAND} down" + ("" if self.called == "default" else f" --cluster {self.called}")

    def remedy(self) -> str:
        return f"Retry. If it fails again, run {self._down()} first."

    @contextmanager
    def ready(self, show: Show, wanted: Equipment | None = None) -> Iterator[None]:
        """Bring up the head and any existing nodes. If the block fails early, a cluster started here is removed."""
        base = partial(self.machine, show)  # built only if the program brings no image
        self._machine = None if wanted is None else equipped(self.client, wanted, show, base, self.service)
        self._is_new = not self.containers()
        self.up(0, show, at_least=True)
        try:
            yield
        except BaseException as error:
            with undisturbed(), suppress(*FAILURES):  # report the first error, not this one
                if self._is_new and (isinstance(error, UsageError) or len(self.containers()) == 1):
                    self.down()
            raise
        finally:
            self._is_new = False

    def start(self, spec: Spec, show: Show) -> None:
        """Bring up at least the spec's nodes: our session keeps other clients out of the head."""
        self.check_fits(spec)
        self.up(spec.nodes, show, at_least=True, ours=True)
        self.set_memory(spec, None)  # a killed run may have left another amount

    def check_fits(self, spec: Spec) -> None:
        """Raise UsageError, with the arithmetic, when the spec asks for more CPUs than the engine has."""
        check_fits(spec, self.info["NCPU"], f"the engine's machine ({self.info['Name']})")

    def session(self, lab: Path | None = None) -> Session:
        """A launcher on the head, with current copies of this package and of the lab's folder, if there is one."""
        try:
            data = bundle(lab.parent, files_beside(lab)) if lab else bundle(Path(), ())
        except OSError as error:
            raise UsageError(f"cannot read the files beside {lab}: {error}") from error
        launcher = start_launcher(self.client, self._containers[0].id, data)
        return Session(launcher, f"{FOLDER}/labs", lab.parent if lab else None)

    def share(self, folder: Path, show: Show) -> str:
        with packed(folder, show, mounted=self._reads_in_place()) as archive:
            fill_folder(self.client, self._containers[0].id, archive)
        return WORK

    def _reads_in_place(self) -> bool:
        """Whether nodes can read the program's folder in place."""
        return self._machine is not None and self._machine.reads != ""

    def bring_back(self, folder: Path) -> list[str]:
        with changed_in_folder(self.client, self._containers[0].id) as archive:
            return unpack(archive, folder)

    def containers_for(self, spec: Spec) -> list[Container]:
        """The containers of the head and of the spec's nodes, which are the first ones."""
        return self._containers[: spec.nodes + 1]

    def nodes(self, spec: Spec) -> tuple[Node, ...]:
        """The head has a limit of its own."""
        limits = [HEAD_CPUS, *[spec.node_cpus] * spec.nodes]
        return tuple(Node(index, node_name(index), limit) for index, limit in enumerate(limits))

    def placement(self, nodes: int) -> Placement:
        """Ranks go to containers, by the containers' names on the cluster's network."""
        names = tuple(node_name(index) for index in range(nodes + 1))
        reads = {"PARLAB_INPUT": INPUT} if self._reads_in_place() else {}
        return Placement(names, PYTHON, {"PYTHONPATH": library(), "PARLAB_OWN_NODE": "1"} | reads)

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        set_limits(self.client, self.containers_for(spec), cpus)

    def set_memory(self, spec: Spec, wanted: int | None) -> None:
        set_memory(self.client, self.containers_for(spec)[1:], wanted)

    def engine_limits(self, spec: Spec) -> dict[str, float | None]:
        return limits_of(self.client, self.containers_for(spec))

    def control_groups(self, spec: Spec) -> tuple[str, ...]:
        return tuple(node.id for node in self.containers_for(spec))

    def node_of(self, host: str, index: int) -> str:
        """A container has its node's name: the worker itself reports its host."""
        return host

    def diagnosis(self, session: Session, spec: Spec) -> str:
        """Find the node to blame: ask the engine first, then each node, over ssh from the head."""
        names = [node.name for node in self.containers_for(spec)[1:]]
        complaints = session.probe(names, [PYTHON, "--version"])  # first: a node just killed may still count as running
        states = {node.id: node.state for node in self.containers()}
        found = []
        for node in self.containers_for(spec):
            state = states.get(node.id, "gone")
            if state != "running":
                found.append(f"{node.name} is {state}.")
            elif complaints.get(node.name):
                found.append(f"{node.name}: {complaints[node.name]}")
        return "\n".join(found)

    def stop(self) -> None:
        """End the ranks and Open MPI daemons that a launch has left in the nodes; limits stay."""
        running = [node for node in self.containers() if node.state in ("running", "starting", "unhealthy")]
        on_each(running, lambda node: sweep(self.client, node.id, GRACE_SECONDS))

    def environment(self) -> dict[str, Any]:
        return {"platform": platform.platform(), **facts_of(self.info), "image": self._containers[0].image}


KIND = Kind("cluster", rank=1, open=lambda cluster, _show: Cluster(connect(), cluster))
