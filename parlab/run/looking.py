"""A look at a lab's launch: each host reports the current activities of its ranks, and this module describes them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from parlab.backend.base import Backend
from parlab.backend.engine import FAILURES
from parlab.errors import RunError
from parlab.model.case import Case
from parlab.model.job_events import Looked
from parlab.model.messages import AllLooked, Look
from parlab.model.spec import Spec
from parlab.run.collector import Collector
from parlab.run.why import in_short, own_line, stacks


@dataclass(frozen=True)
class Found:
    """The findings of a look: the learner's line that is to blame, or ''; the ranks' activities; every stack."""

    line: str = ""
    said: str = ""
    stacks: str = ""

    @property
    def in_full(self) -> str:
        """The full answer to a question."""
        return "\n".join(filter(None, (self.said, self.stacks)))


class Looking:
    """Looks at one launch: which hosts to ask, and what their answers mean."""

    def __init__(self, backend: Backend, spec: Spec, case: Case, labs: str, collected: Collector) -> None:
        self._backend, self._spec, self._case, self._labs, self._collected = backend, spec, case, labs, collected
        self._placement = backend.placement(spec.nodes)

    @property
    def ranks(self) -> list[int]:
        """The ranks that have said hello."""
        return sorted(self._collected.node_of)

    def release(self) -> None:
        """Lift the limits: the launch is over, and processes that wait for CPU cannot answer."""
        with suppress(RunError, *FAILURES):
            self._backend.set_limits(self._spec, None)

    def command(self) -> Look:
        """The launcher's command for a look."""
        hosts = dict.fromkeys(self._host(rank) for rank in self.ranks)
        argv = [self._placement.python, "-m", "parlab.node.look", self._labs]
        return Look(list(hosts), argv, dict(self._placement.env))

    def found(self, looked: Sequence[Looked], all_looked: Sequence[AllLooked]) -> "Found":
        """The findings in the answers, and the ranks without an answer."""
        answered = {one.rank for one in looked}
        complaints = all_looked[0].complaints if all_looked else None  # None: not every host has answered
        missing = [rank for rank in self.ranks if rank not in answered]
        gone = [rank for rank in missing if complaints is not None and not complaints.get(self._host(rank))]
        silent = [rank for rank in missing if rank not in gone]
        said = in_short(looked, [], silent, self._where, gone)
        wrong = [f"{host}: {text}" for host, text in (complaints or {}).items() if text]
        return Found(own_line(looked), "\n".join([*said, *wrong]), "\n".join(stacks(looked, self._where)))

    def _where(self, rank: int) -> str:
        return self._collected.node_of.get(rank, "")

    def _host(self, rank: int) -> str:
        """The host on which the launcher finds a rank."""
        return self._placement.hosts[self._case.node_of(rank, self._spec)]
