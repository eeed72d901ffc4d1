"""The cluster backend: head and workers by Compose; limits, execs and their proof through the Docker SDK."""

import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from docker.client import DockerClient
from docker.errors import APIError

from parlab.backend.base import Placement
from parlab.backend.engine import FAILURES, compose
from parlab.backend.exec import FOLDER, LOCK, PYTHON, bundle, start_launcher
from parlab.backend.image import build_image, current_image, image_name
from parlab.backend.session import Session
from parlab.errors import Interrupted, LimitError, ParlabError, RunError
from parlab.formatting import Show, decimal, plural
from parlab.host.cluster_lock import only_user
from parlab.host.places import COMMAND
from parlab.host.signals import undisturbed
from parlab.model.spec import HEAD_CPUS, PERIOD_US, Spec, check_fits, quota_us
from parlab.thresholds import LIMIT_EXACT

Result = TypeVar("Result")
HEALTH = {"(unhealthy)": "unhealthy", "(health: starting)": "starting"}
UP_SECONDS, UP_SECONDS_A_NODE = 60, 2
GRACE_SECONDS = 10


@dataclass(frozen=True)
class Node:
    """A container of the cluster; `host` is its name on the cluster's network."""

    name: str
    host: str
    id: str
    image: str
    state: str  # as the engine says: running, paused, exited ...; of a running one, starting or unhealthy where it is

    @property
    def well(self) -> bool:
        """Whether it can be used as it is."""
        return self.state == "running"

    @property
    def is_head(self) -> bool:
        """Whether rank 0 runs here."""
        return self.name == "head"


class Cluster:
    """One head and its workers, on the engine of `client`, as the Compose project `parlab` or `parlab-NAME`."""

    name = "cluster"

    def __init__(self, client: DockerClient, cluster: str = "default") -> None:
        self.client = client
        self.called = cluster
        self.project = "parlab" if cluster == "default" else f"parlab-{cluster}"
        self._nodes: list[Node] = []

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the engine says of its machine; asked once."""
        found: dict[str, Any] = self.client.info()
        return found

    # Its life

    def nodes(self) -> list[Node]:
        """All nodes there are, in whatever state: the head first, then the workers in the order of their numbers."""
        filters = {"label": f"com.docker.compose.project={self.project}"}
        found = []
        for facts in self.client.api.containers(all=True, filters=filters):
            service, number = (facts["Labels"][f"com.docker.compose.{key}"] for key in ("service", "container-number"))
            name = "head" if service == "head" else f"worker-{number}"
            order = 0 if service == "head" else int(number)
            host, status = facts["Names"][0].lstrip("/"), facts["Status"]
            state = next((text for mark, text in HEALTH.items() if mark in status), facts["State"])
            found.append((order, Node(name, host, facts["Id"], facts["ImageID"], state)))
        return [node for _, node in sorted(found, key=lambda pair: pair[0])]

    def up(self, workers: int, show: Show, *, at_least: bool = False) -> None:
        """Bring the cluster to `workers` workers, or `at_least` as many; recreate only what is out of date.

        Raises ParlabError when it does not come up; then none of it is left. What was there stays if the image
        cannot be built, or if it is interrupted.
        """
        image = current_image(self.client) or build_image(self.client)
        before = self.nodes()
        count = max(workers, len(before) - 1) if at_least else workers
        if len(before) == count + 1 and before[0].is_head and all(node.well and node.image == image for node in before):
            self._nodes = before
            return
        self._not_in_use(before)
        with self._none_left_of_a_failure(before, show):
            for node in before:
                if not node.well and node.state != "starting":
                    show(f"{node.name} is {node.state}: restarted")
                    if node.state == "paused":
                        self.client.api.unpause(node.id)
                    self.client.api.restart(node.id, timeout=1)
            deadline = UP_SECONDS + UP_SECONDS_A_NODE * count
            show(f"bringing up the cluster: head and {plural(count, 'worker')}")
            wait = ("--detach", "--wait", "--wait-timeout", str(deadline))
            env = {"PARLAB_IMAGE": image_name()}
            compose(self.project, "up", *wait, "--scale", f"worker={count}", deadline=deadline + 10, env=env)
            self._nodes = self.nodes()

    def up_with_limits(self, spec: Spec, show: Show) -> None:
        """Bring the cluster to this spec, limits included and read back. Raises ParlabError, as `up` and the limits."""
        before = self.nodes()
        self._not_in_use(before)
        self.up(spec.nodes, show)
        with self._none_left_of_a_failure(before, show):
            self.set_limits(spec, spec.node_cpus)
            self.check_limits(spec)

    @contextmanager
    def _none_left_of_a_failure(self, before: list[Node], show: Show) -> Iterator[None]:
        """Take the cluster down when the block fails, or is interrupted and the cluster was not there `before`."""
        try:
            yield
        except BaseException as error:
            if not before or not isinstance(error, Interrupted):
                with undisturbed():
                    try:
                        self.down()
                    except FAILURES as second:  # the first error is the one to be told
                        show(f"and it could not be taken down: {second}")
            raise

    def _not_in_use(self, nodes: list[Node]) -> None:
        """Raise ParlabError when another user, or a client on another machine, is running on this cluster.

        A launcher whose client was killed takes some seconds to end, so it looks for GRACE_SECONDS.
        """
        until = time.monotonic() + GRACE_SECONDS
        while nodes and nodes[0].is_head and nodes[0].well:
            probe = self.client.api.exec_create(nodes[0].id, ["flock", "--nonblock", LOCK, "true"])["Id"]
            self.client.api.exec_start(probe)
            if self.client.api.exec_inspect(probe)["ExitCode"] != 1:
                return
            if time.monotonic() > until:
                raise ParlabError(
                    f"cluster {self.called} would have to be changed, and another user or machine is running on it. "
                    "Wait for that run, or use --cluster NAME"
                )
            time.sleep(0.5)

    def down(self) -> None:
        """Remove containers, network and volume, and with the volume the keys. Raises ParlabError if any is left."""
        for node in self.nodes():
            if not node.well:  # a paused node would take its whole grace period to stop
                with suppress(APIError):  # gone meanwhile
                    self.client.api.remove_container(node.id, force=True)
        compose(self.project, "down", "--volumes", "--remove-orphans", "--timeout", "2", deadline=120)
        if left := [node.name for node in self.nodes()]:
            raise ParlabError(
                f"{', '.join(left)} came back while the cluster was taken down. Run {COMMAND} down again."
            )

    # A backend for launches

    def hold(self, doing: str, show: Show) -> AbstractContextManager[None]:
        """Keep this user's other commands out."""
        return only_user(self.project, self.called, doing, show)

    def start(self, spec: Spec, show: Show) -> None:
        """Up with at least the spec's nodes. Raises UsageError when it does not fit where the engine runs."""
        self.check_fits(spec)
        self.up(spec.nodes, show, at_least=True)

    def check_fits(self, spec: Spec) -> None:
        """Raise UsageError, with the arithmetic, when the spec asks for more CPUs than the engine has."""
        check_fits(spec, self.info["NCPU"], f"the machine on which the engine runs ({self.info['Name']})")

    def session(self, labs: Path) -> Session:
        """A launcher on the head, with the labs and this package as they are now."""
        return Session(start_launcher(self.client, self._nodes[0].id, bundle(labs)), f"{FOLDER}/labs")

    def nodes_for(self, spec: Spec) -> list[Node]:
        """The head and the first of the workers, as many as the spec asks for."""
        return self._nodes[: spec.nodes + 1]

    def placement(self, spec: Spec) -> Placement:
        """Ranks go to containers, by the names that those have on the cluster's network."""
        hosts = ("head", *(node.host for node in self.nodes_for(spec)[1:]))
        return Placement(hosts, PYTHON, {"PYTHONPATH": FOLDER, "PARLAB_OWN_NODE": "1"})

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        """Limit the spec's workers to `cpus` host CPUs each and the head to its own, or lift all. Raises RunError."""

        def update(node: Node) -> None:
            limit = HEAD_CPUS if node.is_head else cpus
            quota = -1 if cpus is None or limit is None else quota_us(limit)
            try:
                self.client.api.update_container(node.id, cpu_period=PERIOD_US, cpu_quota=quota)
            except APIError as error:
                raise RunError(f"{node.name}: the engine did not set its limit: {error.explanation}") from error

        _on_each(self.nodes_for(spec), update)

    def wanted(self, node: str, spec: Spec) -> float | None:
        """The head has a limit of its own."""
        return float(HEAD_CPUS if node == "head" else spec.node_cpus)

    def engine_limits(self, spec: Spec) -> dict[str, float | None]:
        """As the engine has them for the nodes of the spec."""
        return self.limits_of(self.nodes_for(spec))

    def limits_of(self, nodes: list[Node]) -> dict[str, float | None]:
        """What the engine says of each node's limit, in host CPUs, by the node's name; None is no limit."""

        def read(node: Node) -> float | None:
            config = self.client.api.inspect_container(node.id)["HostConfig"]
            if config["NanoCpus"]:
                return float(config["NanoCpus"]) / 1e9
            return float(config["CpuQuota"]) / (config["CpuPeriod"] or PERIOD_US) if config["CpuQuota"] > 0 else None

        return dict(zip((node.name for node in nodes), _on_each(nodes, read), strict=True))

    def check_limits(self, spec: Spec) -> None:
        """Raise LimitError when the engine does not have the limits of the spec."""
        for node, found in self.engine_limits(spec).items():
            wanted = self.wanted(node, spec) or 0.0
            if found is None or abs(found - wanted) > LIMIT_EXACT:
                got = "no limit" if found is None else f"{decimal(found)} CPU"
                raise LimitError(
                    f"{node}: the engine says {got}, asked for was {decimal(wanted)} CPU: something else changes "
                    f"limits, or this engine ignores them. {COMMAND} status shows those that it has; {COMMAND} down, "
                    "then run again."
                )

    def node_name(self, host: str, number: int | None) -> str:
        """Whoever did the work says which host it is: a worker's is its container's id, cut short."""
        return next((node.name for node in self._nodes if node.id.startswith(host) or node.name == host), host)

    def diagnosis(self, session: Session, spec: Spec) -> str:
        """Which node is to blame, found by asking the engine and then, over ssh from the head, each node."""
        complaints = self._complaints(session, spec)  # first: a node that was just killed may still count as running
        states = {node.id: node.state for node in self.nodes()}
        found = []
        for node in self.nodes_for(spec):
            state = states.get(node.id, "gone")
            if state != "running":
                found.append(f"{node.name} is {state}.")
            elif complaints.get(node.name):
                found.append(f"{node.name}: {complaints[node.name]}")
        return "\n".join(found)

    def _complaints(self, session: Session, spec: Spec) -> dict[str, str]:
        names = {node.host: node.name for node in self.nodes_for(spec)[1:]}
        session.send("probe", nodes=list(names), argv=[PYTHON, "--version"])
        until = time.monotonic() + 15
        try:
            while True:
                event = session.next_event(until)
                if event["event"] == "probe":
                    return {names[host]: text for host, text in event["complaints"].items()}
        except (TimeoutError, EOFError):
            return {"head": "does not answer"}

    def stop(self) -> None:
        """End the ranks and Open MPI daemons that a launch has left in the nodes; limits stay as they are."""
        running = [node for node in self.nodes() if node.state in ("running", "starting", "unhealthy")]

        def sweep(node: Node) -> None:
            ours = f"PYTHONPATH={FOLDER} {PYTHON} -m parlab.node.processes"  # ranks, and what they have started
            left = "/dev/shm/* /tmp/parlab-spans-* /tmp/pymp-*"  # by MPI, by a case's process, by multiprocessing
            command = ["sh", "-c", f"{ours}; pkill -KILL -f 'parlab.node.ran[k]|prte[d]'; rm -rf {left}"]
            with suppress(*FAILURES):  # a node that has gone meanwhile has no ranks
                self.client.api.exec_start(self.client.api.exec_create(node.id, command)["Id"])

        _on_each(running, sweep)

    def environment(self) -> dict[str, Any]:
        info = self.info
        return {
            "platform": platform.platform(),
            "engine": info["ServerVersion"],
            "kernel": info["KernelVersion"],
            "architecture": info["Architecture"],
            "cpus": info["NCPU"],
            "cgroup": info.get("CgroupVersion", "1"),
            "cgroup_driver": info.get("CgroupDriver", ""),
            "image": self._nodes[0].image,
        }


def _on_each(nodes: list[Node], do: Callable[[Node], Result]) -> list[Result]:
    """Do a thing on all nodes, eight at a time: an engine on two cores gains nothing from more."""
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(do, node) for node in nodes]
    return [future.result() for future in futures]  # only now: a node that fails must not keep the others from it
