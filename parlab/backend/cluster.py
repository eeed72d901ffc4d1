"""The cluster backend: head and workers by Compose; limits, execs and their proof through the Docker SDK."""

import contextlib
import io
import platform
import socket
import tarfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from docker.client import DockerClient
from docker.errors import APIError
from docker.utils.socket import frames_iter

from parlab.backend.base import Place, Show
from parlab.backend.engine import ROOT, compose
from parlab.backend.image import IMAGE, build_image, current_image
from parlab.backend.session import Session
from parlab.catalog import LABS
from parlab.errors import Interrupted, LimitError, ParlabError, RunError
from parlab.signals import undisturbed
from parlab.spec import HEAD_CPUS, PERIOD_US, Spec, check_fits, decimal, plural, quota_us

PYTHON = "/opt/parlab/bin/python"
FOLDER = "/cluster/run"
STDOUT = 1
UP_SECONDS, UP_SECONDS_A_NODE = 60, 2
EXACT = 1e-4  # CPUs; a quota is a whole number of microseconds in a period of 100 000

# Runs on the head: unpacks what the host sends and becomes the launcher. The lock keeps a second client, perhaps on
# another machine, out of the limits and the folder; it waits here until the first is done.
BOOTSTRAP = f"""
import fcntl, io, os, shutil, sys, tarfile
size, data = int(sys.argv[1]), b""
while len(data) < size:
    data += os.read(0, size - len(data)) or sys.exit("the host hung up")
lock = open("/tmp/parlab.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
shutil.rmtree("{FOLDER}", ignore_errors=True)
try:
    tarfile.open(fileobj=io.BytesIO(data)).extractall("{FOLDER}", filter="data")
    sys.path.insert(0, "{FOLDER}")
    sys.argv = ["launcher", "head"]
    from parlab.node.launcher import main
    main()
finally:
    shutil.rmtree("{FOLDER}", ignore_errors=True)
"""


@dataclass(frozen=True)
class Node:
    """A container of the cluster; `host` is its name on the cluster's network."""

    name: str
    host: str
    id: str
    image: str
    state: str  # as the engine says: running, paused, exited ...; a running node that fails its check is unhealthy

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

    def __init__(self, client: DockerClient, cluster: str = "default", labs: Path = LABS) -> None:
        self.client, self.labs = client, labs
        self.project = "parlab" if cluster == "default" else f"parlab-{cluster}"
        self._nodes: list[Node] = []

    # Its life

    def nodes(self) -> list[Node]:
        """All nodes there are, in whatever state: the head first, then the workers in the order of their numbers."""
        filters = {"label": f"com.docker.compose.project={self.project}"}
        found = []
        for facts in self.client.api.containers(all=True, filters=filters):
            service, number = (facts["Labels"][f"com.docker.compose.{key}"] for key in ("service", "container-number"))
            name = "head" if service == "head" else f"worker-{number}"
            order = 0 if service == "head" else int(number)
            host, unhealthy = facts["Names"][0].lstrip("/"), "(unhealthy)" in facts["Status"]
            state = "unhealthy" if unhealthy else facts["State"]
            found.append((order, Node(name, host, facts["Id"], facts["ImageID"], state)))
        return [node for _, node in sorted(found, key=lambda pair: pair[0])]

    def up(self, workers: int, show: Show, *, at_least: bool = False) -> None:
        """Bring the cluster to `workers` workers, or `at_least` as many; recreate only what is out of date.

        Raises ParlabError when it does not come up; then none of it is left. What was there stays if the image
        cannot be built.
        """
        image = current_image(self.client) or build_image(self.client)
        before = self.nodes()
        for node in before:
            if not node.well:
                show(f"{node.name} is {node.state}: restarted")
                if node.state == "paused":
                    self.client.api.unpause(node.id)
                self.client.api.restart(node.id, timeout=1)
        count = max(workers, len(before) - 1) if at_least else workers
        if len(before) == count + 1 and all(node.well and node.image == image for node in before):
            self._nodes = before
            return
        deadline = UP_SECONDS + UP_SECONDS_A_NODE * count
        show(f"starting the cluster: head and {plural(count, 'worker')}")
        try:
            wait = ("--detach", "--wait", "--wait-timeout", str(deadline))
            compose(self.project, "up", *wait, "--scale", f"worker={count}", deadline=deadline + 10)
        except ParlabError as error:
            if not before or not isinstance(error, Interrupted):  # an interrupted change leaves what was there
                with undisturbed():
                    self.down()
            raise
        self._nodes = self.nodes()

    def down(self) -> None:
        """Remove containers, network and volume, and with the volume the keys."""
        for node in self.nodes():
            if not node.well:  # a paused node would take its whole grace period to stop
                self.client.api.remove_container(node.id, force=True)
        compose(self.project, "down", "--volumes", "--remove-orphans", "--timeout", "2", deadline=120)

    # Its limits

    def set_limits(self, nodes: list[Node], cpus: Fraction | None) -> None:
        """Limit the workers among `nodes` to `cpus` host CPUs each and the head to its own, or lift all (None)."""

        def update(node: Node) -> None:
            limit = HEAD_CPUS if node.is_head else cpus
            quota = -1 if cpus is None or limit is None else quota_us(limit)
            try:
                self.client.api.update_container(node.id, cpu_period=PERIOD_US, cpu_quota=quota)
            except APIError as error:
                raise RunError(f"{node.name}: the engine did not set its limit: {error.explanation}") from error

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(update, nodes))

    def engine_limits(self, nodes: list[Node]) -> dict[str, float | None]:
        """What the engine says of each node's limit, in host CPUs, by the node's name; None is no limit."""

        def read(node: Node) -> float | None:
            config = self.client.api.inspect_container(node.id)["HostConfig"]
            if config["NanoCpus"]:
                return float(config["NanoCpus"]) / 1e9
            return float(config["CpuQuota"]) / (config["CpuPeriod"] or PERIOD_US) if config["CpuQuota"] > 0 else None

        with ThreadPoolExecutor(8) as pool:
            return dict(zip((node.name for node in nodes), pool.map(read, nodes), strict=True))

    # A backend for launches

    def start(self, spec: Spec, show: Show) -> None:
        """Up with at least the spec's nodes. Raises UsageError when it does not fit where the engine runs."""
        info = self.client.info()
        check_fits(spec, info["NCPU"], f"the machine on which the engine runs ({info['Name']})")
        self.up(spec.nodes, show, at_least=True)

    def used(self, spec: Spec) -> list[Node]:
        """The head and the first of the workers, as many as the spec asks for."""
        return self._nodes[: spec.nodes + 1]

    def place(self, spec: Spec) -> Place:
        hosts = ("head", *(node.host for node in self.used(spec)[1:]))
        return Place(hosts, PYTHON, f"{FOLDER}/labs", {"PYTHONPATH": FOLDER, "PARLAB_OWN_NODE": "1"})

    def session(self, run: str) -> Session:
        """A launcher on the head, with the labs and this package as they are now."""
        return Session(Exec(self.client, self._nodes[0].id, bundle(self.labs)))

    def limits(self, spec: Spec, cpus: Fraction | None) -> None:
        self.set_limits(self.used(spec), cpus)

    def limits_held(self, spec: Spec, inside: Mapping[int, float | None]) -> None:
        """Compare what the engine says and what the ranks read inside with the spec. Raises LimitError."""
        nodes = self.used(spec)
        for name, found in self.engine_limits(nodes).items():
            _compare(name, "the engine", found, HEAD_CPUS if name == "head" else spec.node_cpus)
        for rank, found in inside.items():
            node = nodes[0] if rank == 0 else nodes[(rank - 1) // spec.cores + 1]
            _compare(node.name, "its cgroup", found, HEAD_CPUS if rank == 0 else spec.node_cpus)

    def node_name(self, host: str, rank: int, spec: Spec) -> str:
        """Whoever did the work says which host it is: a worker's is its container's id, cut short."""
        return next((node.name for node in self._nodes if node.id.startswith(host) or node.name == host), host)

    def diagnosis(self, session: Session, spec: Spec) -> str:
        """Which node is to blame, found by asking the engine and then, over ssh from the head, each node."""
        complaints = self._complaints(session, spec)  # first: a node that was just killed may still count as running
        states = {node.id: node.state for node in self.nodes()}
        found = []
        for node in self.used(spec):
            state = states.get(node.id, "gone")
            if state != "running":
                found.append(f"{node.name} is {state}.")
            elif complaints.get(node.name):
                found.append(f"{node.name}: {complaints[node.name]}")
        return "\n".join(found)

    def _complaints(self, session: Session, spec: Spec) -> dict[str, str]:
        names = {node.host: node.name for node in self.used(spec)[1:]}
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
        """After a launch that did not end by itself: end its ranks in the nodes, and put the limits back on."""
        running = [node for node in self.nodes() if node.well]

        def sweep(node: Node) -> None:
            command = ["pkill", "-KILL", "-f", "parlab.node.rank|prted"]
            with contextlib.suppress(APIError):  # a node that has gone meanwhile has no ranks
                self.client.api.exec_start(self.client.api.exec_create(node.id, command)["Id"])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(sweep, running))

    def environment(self) -> dict[str, Any]:
        version, info = self.client.version(), self.client.info()
        return {
            "platform": platform.platform(),
            "engine": version["Version"],
            "kernel": info["KernelVersion"],
            "architecture": info["Architecture"],
            "cpus": info["NCPU"],
            "cgroup": info.get("CgroupVersion", "1"),
            "image": self.client.images.get(IMAGE).id,
        }


def _compare(node: str, where: str, found: float | None, wanted: Fraction) -> None:
    if found is not None and abs(found - float(wanted)) <= EXACT:
        return
    got = "no limit" if found is None else f"{decimal(found)} CPU"
    raise LimitError(
        f"{node}: {where} says {got}, asked for was {decimal(wanted)} CPU. Not a measurement: something else changed "
        "the limit, or this engine ignores it. ./invoke status shows them; ./invoke down makes a fresh start."
    )


def bundle(labs: Path) -> bytes:
    """Pack the labs of a folder and this package into a tar archive."""
    data = io.BytesIO()

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if "__pycache__" in member.name:
            return None
        member.uid = member.gid = 1000
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.add(ROOT / "parlab", "parlab", filter=plain)
        for file in sorted(labs.glob("*.py")):
            archive.add(file, f"labs/{file.name}", filter=plain)
    return data.getvalue()


class Exec:
    """A launcher's standard input and output, over the engine's exec."""

    def __init__(self, client: DockerClient, container: str, data: bytes) -> None:
        self._api = client.api
        argv = [PYTHON, "-c", BOOTSTRAP, str(len(data))]
        self._exec: str = self._api.exec_create(container, argv, stdin=True)["Id"]
        self._stream = self._api.exec_start(self._exec, socket=True)
        self._socket = getattr(self._stream, "_sock", self._stream)
        self.write(data)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def lines(self) -> Iterator[bytes]:
        rest = b""
        for _, data in frames_iter(self._stream, tty=False):
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def hang_up(self, deadline: float) -> None:

        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        until = time.monotonic() + deadline
        while self._api.exec_inspect(self._exec)["Running"] and time.monotonic() < until:
            time.sleep(0.02)
        self._stream._response.close()  # the stream alone would leave the SDK's response, and its socket, open
