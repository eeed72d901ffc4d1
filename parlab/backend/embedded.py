"""No engine: the same ranks on this machine, from this Python's own environment. Pacing simulates the nodes."""

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
        self._packages: Path | None = None  # a folder with the program's packages

    def hold(self, doing: str, show: Show, seconds: float = 0.0) -> AbstractContextManager[None]:
        """Every run has its own ranks: there is nobody to keep out."""
        return leaves("its ranks end by themselves")

    def ready(self, show: Show, wanted: Equipment | None = None) -> AbstractContextManager[None]:
        """Install the packages for nodes, once: they stay. So do a program's extra packages."""
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
        """All hosts are this machine. Open MPI refuses root unless told twice; containers and CI may have only root."""
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        hosts = ("localhost",) * (nodes + 1)
        # An installed package is found anyway; in PYTHONPATH, site-packages would precede Python's own modules.
        path = {} if INSTALLED else {"PYTHONPATH": str(ROOT)}
        asserts = {"PYTHONOPTIMIZE": ""}  # a lab's claims are asserts, so the user's environment must not disable them
        packages = {} if self._packages is None else {"PARLAB_PACKAGES": str(self._packages)}
        return Placement(hosts, sys.executable, root | path | asserts | packages)

    def session(self, lab: Path | None = None) -> Session:
        """A launcher as a child process in its own session: we pass a Ctrl-C on to it."""
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
        """Return the user's folder itself."""
        return str(folder)

    def bring_back(self, folder: Path) -> list[str]:
        """Nothing to do: the program wrote into the user's folder."""
        return []

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        """There is nothing to set."""

    def nodes(self, spec: Spec) -> tuple[Node, ...]:
        """Simulated nodes; the kernel does not limit them."""
        return tuple(Node(index, simulated(index)) for index in range(spec.nodes + 1))

    def set_memory(self, spec: Spec, wanted: int | None) -> None:
        """All ranks have the memory of this machine."""

    def engine_limits(self, spec: Spec) -> dict[str, float | None]:
        return {}

    def control_groups(self, spec: Spec) -> tuple[str, ...]:
        return ()

    def node_of(self, host: str, index: int) -> str:
        """All ranks are on this host, so their placement tells the node."""
        return simulated(index)

    def remedy(self) -> str:
        return "Retry; if it fails again, check whether the lab waits for input: it has no keyboard."

    def diagnosis(self, session: Session, spec: Spec) -> str:
        return ""

    def stop(self) -> None:
        """Nothing to do: closing the session ended everything."""

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
    """CPUs that this process may use: those in its affinity mask, or its cgroup's limit if that is lower."""
    try:
        runs_on = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        runs_on = os.cpu_count() or 1
    return min(runs_on, own_limit() or runs_on)


def own_limit() -> float | None:
    """The limit of this process's cgroup, in host CPUs; None if it has no limit."""
    cgroup = Cgroup()
    try:
        return read_limit(cgroup.texts())
    finally:
        cgroup.close()


class Pipe:
    """A launcher's standard input and output."""

    def __init__(self, argv: list[str], removed: Path) -> None:
        self._removed = removed  # once the launcher ends; the launcher also removes it, if it outlives this process
        # Python searches this folder first for modules, and a lab may write into it. It must not be the user's folder,
        # which may contain a random.py, nor the folder of an installed package.
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
        with suppress(OSError):  # it has already ended
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
