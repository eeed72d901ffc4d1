"""The end of limits: read once more, then off, once; whoever answers too late is not heard."""

from fractions import Fraction

import pytest

from parlab.backend.embedded import Embedded
from parlab.errors import RunError
from parlab.model.case import FUTURES, Case
from parlab.model.event import Event
from parlab.model.messages import CHECK, Checked, Hello
from parlab.model.reading import RawReading
from parlab.model.spec import Spec
from parlab.run.collector import Collector
from parlab.run.limits import Limits
from parlab.terminal.live import Silence
from tests.unit.samples import SPEC

RAW = RawReading(1.5, {}, None, {}, 0.0)


class Nodes(Embedded):
    """Writes down which limits are set."""

    def __init__(self) -> None:
        self.limits: list[Fraction | None] = []

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        self.limits.append(cpus)


class Talk:
    """A conversation in which a rank answers, or does not in time."""

    def __init__(self, collected: Collector, *, answers: bool) -> None:
        self.collected, self.answers = collected, answers
        self.said: list[str] = []

    def say(self, word: str) -> None:
        self.said.append(word)

    def gather(self, kind: type[Event], count: int, seconds: float, doing: str) -> list[Event]:
        if not self.answers:
            raise self.failed(doing)
        self.collected.hear(Checked(0, RAW))
        return [Checked(0, RAW)]

    def failed(self, reason: str) -> RunError:
        return RunError(reason)


def limits(*, answers: bool) -> tuple[Limits, Nodes, Talk, Collector]:
    nodes = Nodes()
    collected = Collector(nodes, SPEC, Case("pool", FUTURES), Silence())
    collected.hear(Hello(0, "laptop", "boot", []))
    talk = Talk(collected, answers=answers)
    return Limits(nodes, SPEC, talk, collected, on=True), nodes, talk, collected  # type: ignore[arg-type]


def test_limits_are_read_and_then_lifted_once() -> None:
    ending, nodes, talk, collected = limits(answers=True)
    ending.end()
    ending.end()
    assert (talk.said, nodes.limits) == ([CHECK], [None])
    assert [len(readings) for readings in collected.readings.values()] == [1]


def test_limits_are_lifted_where_nobody_answers_and_a_late_answer_is_not_heard() -> None:
    ending, nodes, _, collected = limits(answers=False)
    with pytest.raises(RunError, match="reading the limits"):
        ending.end(0.1)
    assert nodes.limits == [None]
    collected.hear(Checked(0, RAW))
    assert not collected.readings
