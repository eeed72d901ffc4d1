"""What ranks send, sorted by node and brought to one clock."""

from dataclasses import replace

import pytest

from parlab.backend.embedded import Embedded
from parlab.errors import RunError
from parlab.model.case import FUTURES, Case
from parlab.model.clocks import Clock
from parlab.model.messages import Checked, Hello, Sampled, Spans
from parlab.model.reading import RawReading
from parlab.model.span import Span
from parlab.run.collector import Collector
from parlab.terminal.live import Silence
from tests.unit.samples import SPEC, span

RAW = RawReading(1.5, {}, None, {}, 0.0)


@pytest.fixture
def collector() -> Collector:
    """Of a pool of two ranks on one simulated node, and rank 0 on the head; each has said hello."""
    made = Collector(Embedded(), SPEC, Case("pool", FUTURES), Silence())
    for rank in range(3):
        made.hear(Hello(rank, "laptop", "boot", []))
    return made


def stamped(rank: int, submitted_by: float = 0.0, done_by: float = 0.0) -> Span:
    """A task of a second, from 10 s on by the head's clock, by clocks that are so far ahead."""
    made = span(start=10.0)
    return replace(
        made,
        rank=rank,
        submitted=made.submitted + submitted_by,
        received=made.received + submitted_by,
        started=made.started + done_by,
        finished=made.finished + done_by,
    )


def test_a_pools_stamps_are_set_back_by_the_clock_of_the_rank_that_did_the_task(collector: Collector) -> None:
    collector.set_clocks({1: Clock(100.0, 0.001)})
    collector.hear(Spans(0, [stamped(2), stamped(1, done_by=100.0)]))
    assert [replace(one, rank=0) for one in collector.spans] == [replace(stamped(0), node="simulated-1")] * 2
    assert set(collector.clocks()) == {collector.node_of[1]}


def test_a_plain_ranks_stamps_are_all_by_its_own_clock(collector: Collector) -> None:
    collector.set_clocks({0: Clock(-7.0, 0.001), 1: Clock(100.0, 0.001)})
    collector.hear(Spans(1, [stamped(1, submitted_by=100.0, done_by=100.0)]))
    assert collector.spans == [replace(stamped(1), node="simulated-1")]
    assert (collector.by_the_head(1, 105.0), collector.by_the_head(0, 5.0), collector.by_the_head(2, 5.0)) == (5, 12, 5)


@pytest.mark.parametrize("kind", [Sampled, Checked])
def test_files_of_no_kernel_are_told_with_their_node(collector: Collector, kind: type[Sampled | Checked]) -> None:
    with pytest.raises(RunError, match=r"^simulated-1: unexpected format in its kernel's cgroup files: "):
        collector.hear(kind(1, RawReading(1.5, {"cpu.stat": "usage_usec lots\n"}, None, {}, 0.0)))


def test_an_observers_own_error_is_its_own() -> None:
    class Broken(Silence):
        def reading(self, *_: object) -> None:
            raise ValueError("a bug of the board")

    made = Collector(Embedded(), SPEC, Case("pool", FUTURES), Broken())
    made.hear(Hello(0, "laptop", "boot", []))
    with pytest.raises(ValueError, match="a bug of the board"):
        made.hear(Sampled(0, RAW))
