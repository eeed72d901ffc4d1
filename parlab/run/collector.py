"""Collects the messages of one launch's ranks: their identities, their spans, and their nodes' readings."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from parlab.backend.base import Backend
from parlab.errors import RunError
from parlab.formatting import plural
from parlab.model.case import Case
from parlab.model.clocks import Clock, by_the_heads_clock
from parlab.model.messages import AnyEvent, Checked, Hello, Sampled, Spans
from parlab.model.reading import NodeReading, RawReading
from parlab.model.span import Span
from parlab.model.spec import Spec
from parlab.model.starting import InQueue
from parlab.run.observer import Observer
from parlab.run.queue import told


class Collector:
    """Takes events as they come, passes them to the observer, and names nodes by the ranks placed on them."""

    def __init__(self, backend: Backend, spec: Spec, case: Case, observer: Observer) -> None:
        self._backend, self._spec, self._case, self._observer = backend, spec, case, observer
        self._clocks: dict[int, Clock] = {}  # by rank, for ranks under another kernel than the launcher's
        self._closed = False
        self.node_of: dict[int, str] = {}  # by rank
        self.hosts: dict[int, str] = {}  # the host name of each rank's machine
        self.spans: list[Span] = []
        self.readings: dict[str, list[NodeReading]] = defaultdict(list)
        self.queued = ""  # why the ranks' job waits, as long as it does

    def hear(self, event: AnyEvent) -> None:
        """Take one event, if it is about spans, nodes or the job.

        Raises RunError for readings in no kernel's format, and for a job that Slurm has refused or ended.
        """
        match event:
            case Hello():
                self._greet(event)
            case Spans(rank, spans):
                self._take_spans(rank, spans)
            case Sampled(rank, raw) if not self._closed:
                self._observer.reading(self.node_of[rank], self._read(rank, raw))
            case Checked(rank, raw) if not self._closed:
                self._read(rank, raw)
            case InQueue():
                text = told(event)
                self.queued = f"{text}." if event.state == "PENDING" else ""
                self._observer.say(text)

    def close(self) -> None:
        """Take no more readings from here on: the limits are off."""
        self._closed = True

    def set_clocks(self, clocks: dict[int, Clock]) -> None:
        """Convert the time stamps of these ranks from here on."""
        self._clocks = clocks

    def clocks(self) -> dict[str, Clock]:
        """The clocks of nodes that have their own kernel, by node."""
        return {self.node_of[rank]: clock for rank, clock in self._clocks.items()}

    def by_the_head(self, rank: int, at: float) -> float:
        """A time of a rank's clock, converted to the head's."""
        return at - self._clocks[rank].offset_s if rank in self._clocks else at

    def _greet(self, hello: Hello) -> None:
        node = self._name(hello.host, hello.rank)
        self.node_of[hello.rank], self.hosts[hello.rank] = node, hello.host
        if hello.ended:
            self._observer.say(
                f"{node}: ended {plural(len(hello.ended), 'process')} that an earlier run had left behind"
            )

    def _take_spans(self, sender: int, spans: Sequence[Span]) -> None:
        clocks, same = self._clocks, Clock()
        named = [replace(span, node=self._name(span.node, span.rank)) for span in spans]
        if clocks:  # the submitter of the tasks sends their spans, no matter who ran them
            submitter = clocks.get(sender, same)
            named = [by_the_heads_clock(span, clocks.get(span.rank, same), submitter) for span in named]
        self.spans += named
        self._observer.spans(named)

    def _read(self, rank: int, raw: RawReading) -> NodeReading:
        node = self.node_of[rank]
        try:
            reading = NodeReading.from_node(raw)
        except ValueError as error:
            raise RunError(f"{node}: unexpected format in its kernel's cgroup files: {error}") from error
        self.readings[node].append(reading)
        return reading

    def _name(self, host: str, rank: int) -> str:
        return self._backend.node_of(host, self._case.node_of(rank, self._spec))
