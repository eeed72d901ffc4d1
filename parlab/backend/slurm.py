"""The Slurm backend: the cluster's nodes under a real Slurm, which starts the ranks of each launch as a job."""

from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

from parlab.backend.base import Kind, Placement
from parlab.backend.cluster import GRACE_SECONDS, Cluster
from parlab.backend.compose import Container
from parlab.backend.engine import FAILURES, connect
from parlab.backend.exec import Exec, run_in
from parlab.backend.machine import OF_SLURM, Machine, slurm
from parlab.backend.memory import default_memory
from parlab.errors import ParlabError
from parlab.formatting import Show, plural
from parlab.model.spec import Spec
from parlab.node.batch import NAME, PREFIX, SHARED

UP_SECONDS, UP_SECONDS_A_NODE = 20, 1
# It is ended in time: a late one would hit the next run's job. Files are those of jobs, and of Slurm's MPI.
CANCEL = f"timeout 5 scancel --name={NAME}; rm -rf {SHARED}/{PREFIX}* /tmp/spmix_*"


class Slurm(Cluster):
    """A cluster whose head runs slurmctld, and whose nodes, the head among them, run slurmd."""

    name = "slurm"
    beside = ", under Slurm"
    service = OF_SLURM
    _version = ""

    def machine(self, show: Show) -> Machine:
        return slurm(self.client, show)

    def up_with_limits(self, spec: Spec, show: Show) -> None:
        """Bring the cluster to this spec, with Slurm. Raises ParlabError if any step fails."""
        before = self.containers()
        super().up_with_limits(spec, show)
        self._size(spec, before, show)

    def start(self, spec: Spec, show: Show) -> None:
        """Bring up at least the spec's nodes, with its number of cores. Raises ParlabError if Slurm does not get up."""
        before = [] if self._is_new else self.containers()
        super().start(spec, show)
        self._size(spec, before, show)

    def _size(self, spec: Spec, before: list[Container], show: Show) -> None:
        """Tell Slurm its nodes and their cores, and wait until all are up; a cluster that was there `before` stays."""
        with nullcontext() if before else self._none_left_of_a_failure([], show):
            self._tell_slurm(spec)

    def _tell_slurm(self, spec: Spec) -> None:
        """Run docker/slurm-sized.sh on the head. Raises ParlabError if a node is not up in time."""
        nodes = len(self.containers()) - 1
        seconds = UP_SECONDS + UP_SECONDS_A_NODE * nodes
        words = [str(number) for number in (nodes, spec.cores, default_memory() >> 20, seconds)]
        said = bytearray()
        command = Exec(self.client, self._containers[0].id, ["slurm-sized", *words])
        if (code := command.finish(lambda _, piece: said.extend(piece))) != 0:
            told = said.decode(errors="replace").strip() or f"no output, exit code {code}"
            raise ParlabError(f"Slurm is not up on {plural(nodes, 'node')} after {seconds} s:\n{told}\n{self.remedy()}")

        self._version = said.decode(errors="replace").strip()

    def placement(self, nodes: int) -> Placement:
        return replace(super().placement(nodes), batch=True)

    def remedy(self) -> str:
        return f"Retry. `squeue` and `sinfo`, in a shell on the head, show jobs and nodes; {self._down()} removes all."

    def stop(self) -> None:
        """Cancel the job of a launch, and end what it has left in the nodes."""
        with suppress(*FAILURES):  # a head that is gone has no jobs
            run_in(self.client, self._containers[0].id, ["sh", "-c", CANCEL], GRACE_SECONDS)
        super().stop()

    def environment(self) -> dict[str, Any]:
        return super().environment() | {"batch_system": self._version}


# After embedded, which is always available: so it is taken only by its name.
KIND = Kind("slurm", rank=3, open=lambda cluster, _show: Slurm(connect(), cluster))
