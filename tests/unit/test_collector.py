"""What ranks send, sorted by node and brought to one clock."""

from dataclasses import replace

import pytest

from parlab.backend.embedded import Embedded
from parlab.errors import RunError
from parlab.model.case import FUTURES, Case
from parlab.model.clocks import Clock
from parlab.model.messages import Checked, Hello, Sampled, Spans
from parlab.model.reading import RawReading
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


def test_stamps_are_set_back_by_the_clock_of_the_rank_that_did_the_task(collector: Collector) -> None:
    """Rank 0 sends what it knows of all of them: its own clock says nothing of theirs."""
    collector.set_clocks({1: Clock(100.0, 0.001)})
    own, other = replace(span(start=1.0), rank=2), replace(span(start=101.0), rank=1)
    collector.hear(Spans(0, [own, other]))
    assert [one.started for one in collector.spans] == [1.0, pytest.approx(1.0)]
    assert (collector.by_the_head(1, 105.0), collector.by_the_head(0, 5.0)) == (5.0, 5.0)
    assert set(collector.clocks()) == {collector.node_of[1]}


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
