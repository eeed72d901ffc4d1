"""No engine: the same ranks on this machine, from this Python's own environment. Nodes are simulated by pacing."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from parlab.backend.base import Equipment, Kind, Placement
from parlab.backend.packages import installed_for_embedded
from parlab.backend.session import Session
from parlab.course.beside import copy_beside
from parlab.errors import UsageError
from parlab.formatting import Show
from parlab.host.environment import ensure_installed
from parlab.host.places import INSTALLED, ROOT, STATE
from parlab.host.signals import leaves
from parlab.model.node import HEAD, Node
from parlab.model.reading import read_limit
from parlab.model.spec import Spec, check_fits
from parlab.node.cgroup import Cgroup
from parlab.node.launcher import LOOPBACK

CANNOT_SHOW = (
    "embedded: nodes are simulated on this machine. Pacing alone holds each process to its virtual core: there is no "
    "kernel limit to read back, no network between nodes, and an oversubscribed node runs too fast."
)


class Embedded:
    """`mpiexec` from this environment; also as root, in a container and in CI."""

    name = "embedded"

    def __init__(self) -> None:
        self._packages: Path | None = None  # a folder of those that a program asks for

    def hold(self, doing: str, show: Show, seconds: float = 0.0) -> AbstractContextManager[None]:
        """Every run has ranks of its own: nobody needs to be kept out."""
        return leaves("its ranks end by themselves")

    def ready(self, show: Show, wanted: Equipment | None = None) -> AbstractContextManager[None]:
        """Install what only runs in nodes, once: that stays. So do packages that a program asks for."""
        ensure_installed("node", show)
        if wanted is not None and wanted.packages is not None:
            self._packages = installed_for_embedded(wanted.packages, show)
        return nullcontext()

    def check_fits(self, spec: Spec) -> None:
        check_fits(spec, usable_cpus(), "this machine")

    def start(self, spec: Spec, show: Show) -> None:
        """Nothing has to be started."""
        self.check_fits(spec)

    def placement(self, nodes: int) -> Placement:
        """All hosts are this one. Open MPI refuses root unless told twice; a container or CI gives nothing else."""
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        hosts = ("localhost",) * (nodes + 1)
        # Installed, the ranks' Python has it anyway; in PYTHONPATH site-packages would go before Python's own modules.
        path = {} if INSTALLED else {"PYTHONPATH": str(ROOT)}
        asserts = {"PYTHONOPTIMIZE": ""}  # a lab's claims are made of them, whatever the user's environment says
        packages = {} if self._packages is None else {"PARLAB_PACKAGES": str(self._packages)}
        return Placement(hosts, sys.executable, root | path | asserts | packages)

    def session(self, lab: Path | None = None) -> Session:
        """A launcher as a child process in a session of its own: a Ctrl-C is ours to pass on."""
        folder = Path(tempfile.mkdtemp(prefix="parlab-lab-"))  # the launcher removes it
        try:
            if lab is not None:
                copy_beside(lab, folder)
            launcher = Pipe([sys.executable, "-m", "parlab.node.launcher", LOOPBACK, str(folder)], folder)
            return Session(launcher, str(folder), lab.parent if lab else None)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise UsageError(f"the lab's folder cannot be copied: {error}") from error
            raise

    def share(self, folder: Path, show: Show) -> str:
        """The user's folder itself."""
        return str(folder)

    def bring_back(self, folder: Path) -> list[str]:
        """It is all there."""
        return []

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        """There is nothing to set."""

    def nodes(self, spec: Spec) -> tuple[Node, ...]:
        """Simulated ones, which no kernel limits."""
        return tuple(Node(index, simulated(index)) for index in range(spec.nodes + 1))

    def set_memory(self, spec: Spec, wanted: int | None) -> None:
        """All ranks have the memory of this machine."""

    def engine_limits(self, spec: Spec) -> dict[str, float | None]:
        return {}

    def control_groups(self, spec: Spec) -> tuple[str, ...]:
        return ()

    def node_of(self, host: str, index: int) -> str:
        """All ranks are on this host: where they were placed tells the node."""
        return simulated(index)

    def remedy(self) -> str:
        return "Retry; if it fails again, look at what the lab waits for: it has no keyboard."

    def diagnosis(self, session: Session, spec: Spec) -> str:
        return ""

    def stop(self) -> None:
        """Closing the session ended everything."""

    def environment(self) -> dict[str, Any]:
        return {
            "platform": platform.platform(),
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "cpus": usable_cpus(),
        }


def simulated(index: int) -> str:
    """The name of a simulated node."""
    return "head" if index == HEAD else f"simulated-{index}"


def usable_cpus() -> float:
    """CPUs that this process may use: those it may run on, or its cgroup's limit where that is less."""
    try:
        runs_on = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        runs_on = os.cpu_count() or 1
    return min(runs_on, own_limit() or runs_on)


def own_limit() -> float | None:
    """The limit of the cgroup that this process runs in, in host CPUs; None where it has none."""
    cgroup = Cgroup()
    try:
        return read_limit(cgroup.texts())
    finally:
        cgroup.close()


class Pipe:
    """A launcher's standard input and output."""

    def __init__(self, argv: list[str], removed: Path) -> None:
        self._removed = removed  # once it has ended: the launcher does so, too, where it outlives this process
        # Python looks for modules in this folder first, and a lab may write into it: it is neither the user's, where a
        # random.py may lie, nor that of an installed package.
        folder = STATE if INSTALLED else ROOT
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                argv,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"cannot start {argv[0]}: {error}") from error

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def lines(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            yield from output

    def hang_up(self, deadline: float) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it is gone already
            self._process.stdin.close()
        try:
            self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._removed, ignore_errors=True)


def _open(cluster: str, show: Show) -> Embedded:
    show(CANNOT_SHOW)
    return Embedded()


KIND = Kind("embedded", rank=2, open=_open)
