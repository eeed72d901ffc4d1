"""The virtual core: exact on a simulated host, and in shape on the real one."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from parlab.model.spec import PERIOD
from parlab.node.apart import apart
from parlab.task import pace
from parlab.task.pace import Clocks, Scale, VirtualCore
from parlab.task.paced import paced

UNIT, SPEED = 0.5, 1 / 8
LOOK = 10e-6  # CPU seconds between two looks at the clock


@dataclass
class Host:
    """One process on a host that gives it `share` of a core; computing is what happens between looks at the clock."""

    share: float = 1.0
    now: float = 100.0
    cpu: float = 7.0
    still_at: float = float("inf")  # CPU seconds: then the machine stands still for `still_s`, and charges that
    still_s: float = 0.0
    still_before: str = "thread_time"  # the look at which it does

    def compute(self, cpu: float) -> None:
        self.cpu += cpu
        self.now += cpu / self.share

    def thread_time(self) -> float:
        self.compute(LOOK)
        self.stand_still("thread_time")
        return self.cpu

    def process_time(self) -> float:
        self.stand_still("process_time")
        return self.cpu

    def stand_still(self, look: str) -> None:
        if look == self.still_before and self.cpu >= self.still_at:
            self.cpu, self.now, self.still_at = self.cpu + self.still_s, self.now + self.still_s, float("inf")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def core(self, speed: float = SPEED, *, gil: bool = True) -> VirtualCore:
        clocks = Clocks(lambda: self.now, self.process_time, self.thread_time, self.sleep)
        return VirtualCore(Scale(speed, cores=2, unit=UNIT), gil=gil, clocks=clocks)

    def timed(self, action: Callable[[], None]) -> float:
        before = self.now
        action()
        return self.now - before


@pytest.mark.parametrize("speed", [1 / 64, 1 / 8, 0.4, 1.0])
def test_a_unit_takes_a_unit_at_any_speed(speed: float) -> None:
    host = Host()
    core = host.core(speed)
    used = host.cpu
    assert host.timed(lambda: core.burn(3)) == pytest.approx(3 * UNIT, rel=0.005)
    assert host.cpu - used == pytest.approx(3 * UNIT * speed, rel=0.005)


def test_a_contended_core_is_as_slow_as_its_share() -> None:
    host = Host(share=SPEED / 2)
    core = host.core()
    assert host.timed(lambda: core.burn(4)) == pytest.approx(8 * UNIT, rel=0.005)


def test_lag_is_made_good_up_to_one_period() -> None:
    host = Host(share=SPEED / 2)
    core = host.core()
    core.burn(4)  # lags by 4 units in the end
    host.share = 1.0
    assert host.timed(lambda: core.burn(1)) == pytest.approx(UNIT - PERIOD, rel=0.01)
    assert host.timed(lambda: core.burn(1)) == pytest.approx(UNIT, rel=0.01)


def test_a_sleep_that_runs_over_costs_nothing_in_the_end() -> None:
    host = Host()
    core = host.core()
    core._clocks = Clocks(lambda: host.now, lambda: host.cpu, host.thread_time, lambda s: host.sleep(s + 0.002))

    def four() -> None:
        for _ in range(4):
            core.burn(1)

    assert host.timed(four) == pytest.approx(4 * UNIT, rel=0.005)


@pytest.mark.parametrize("gil", [True, False])
@pytest.mark.parametrize("look", ["thread_time", "process_time"])
@pytest.mark.parametrize("after", [0.01, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("still_s", [0.02, 0.04, 0.1])
def test_a_machine_that_stands_still_costs_no_more_than_that(
    still_s: float, after: float, look: str, gil: bool
) -> None:
    asked = UNIT * SPEED
    host = Host(still_at=7.0 + after * asked, still_s=still_s, still_before=look)
    core = host.core(gil=gil)
    used = host.cpu
    times = [host.timed(lambda: core.burn(1)) for _ in range(5)]
    assert times[0] == pytest.approx(max(UNIT, after * UNIT + still_s), rel=0.01)
    assert times[2:] == [pytest.approx(UNIT, rel=0.01)] * 3
    assert sum(times) == pytest.approx(5 * UNIT, rel=0.005)
    assert host.cpu - used == pytest.approx(5 * asked, rel=0.005)


def test_what_was_done_ahead_counts_for_the_next_burns() -> None:
    asked = UNIT * SPEED
    host = Host(still_at=7.0 + 0.9 * asked, still_s=1.5 * asked)
    core = host.core()
    used, counted = [host.cpu], [core.cpu_s()]
    for _ in range(3):
        core.burn(1)
        used.append(host.cpu)
        counted.append(core.cpu_s())
    # The first takes 0.9 of what it asks for, and 1.5; the second finds all that it asks for done, the third 0.4.
    assert [after - before for before, after in pairwise(used)] == [
        pytest.approx(share * asked, rel=0.01, abs=10 * LOOK) for share in (2.4, 0, 0.6)
    ]
    for before, after in pairwise(counted):
        assert [late - early for early, late in zip(before, after, strict=True)] == [pytest.approx(asked, rel=0.01)] * 2


@pytest.mark.parametrize("units", [-1, float("nan")])
@pytest.mark.parametrize("spend", [pace.burn, pace.wait])
def test_less_than_no_units_are_refused(spend: Callable[[float], None], units: float) -> None:
    with pytest.raises(ValueError, match="units are 0 or more"):
        spend(units)
    with pytest.raises(ValueError, match="units are 0 or more"), pace.counted():
        spend(units)


def test_idle_time_cannot_be_saved_up() -> None:
    host = Host()
    core = host.core()
    core.burn(1)
    host.now += 5
    assert host.timed(lambda: core.burn(1)) == pytest.approx(UNIT, rel=0.005)


def test_cpu_used_between_tasks_is_charged() -> None:
    host = Host()
    core = host.core()
    core.burn(1)

    def unpickle_and_burn() -> None:
        host.compute(0.2 * UNIT * SPEED)  # a fifth of a unit on a core of this speed
        core.burn(1)

    assert host.timed(unpickle_and_burn) == pytest.approx(1.2 * UNIT, rel=0.01)


def test_idle_time_pays_for_cpu_used_before_it() -> None:
    host = Host()
    core = host.core()
    core.burn(1)
    host.compute(0.2 * UNIT * SPEED)
    host.now += UNIT
    assert host.timed(lambda: core.burn(1)) == pytest.approx(UNIT, rel=0.01)


def test_any_loop_can_be_paced() -> None:
    host = Host()
    core = host.core()

    def loop() -> None:
        for _ in range(1000):
            host.compute(1e-4)
            core.pace()
        core.pace(grain=0)

    assert host.timed(loop) == pytest.approx(0.1 / SPEED, rel=0.005)


def test_waiting_needs_no_core() -> None:
    host = Host()
    core = host.core()
    used = host.cpu
    assert host.timed(lambda: core.wait(2)) == pytest.approx(2 * UNIT)
    assert host.cpu == used


def test_waiting_earns_no_time_to_compute() -> None:
    host = Host()
    core = host.core()

    def waits_and_loops() -> None:
        for _ in range(10):
            core.wait(0.2)
            for _ in range(125):  # worth 0.1 s on a core of this speed
                host.compute(1e-4)
                core.pace()
            core.pace(grain=0)

    assert host.timed(waits_and_loops) == pytest.approx(10 * (0.2 * UNIT + 0.0125 / SPEED), rel=0.01)


def test_counted_units_take_no_time() -> None:
    with pace.counted() as meter:
        pace.burn(1000)
        pace.wait(500)
        pace.pace()
    assert (meter.burned, meter.waited) == (1000, 500)


# On the real host: ratios within one run, with room for its noise.


def seconds(action: Callable[[], object]) -> float:
    """The fastest of three: noise of the host only ever adds."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def in_threads(core: VirtualCore, count: int, units: float) -> float:
    def run() -> None:
        threads = [threading.Thread(target=core.burn, args=(units,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return seconds(run)


@pytest.mark.measures
def test_threads_share_one_virtual_core_under_the_gil() -> None:
    core = VirtualCore(Scale(SPEED, cores=4, unit=0.2))
    together = in_threads(core, 4, 0.5)
    assert together / seconds(lambda: core.burn(2)) == pytest.approx(1, rel=0.15)


@pytest.mark.measures
def test_threads_have_a_virtual_core_each_without_the_gil() -> None:
    core = VirtualCore(Scale(SPEED, cores=4, unit=0.2), gil=False)
    together = in_threads(core, 4, 2)
    assert together / seconds(lambda: core.burn(2)) == pytest.approx(1, rel=0.15)


@pytest.mark.measures
def test_threads_beyond_the_cores_wait_without_the_gil() -> None:
    core = VirtualCore(Scale(SPEED, cores=2, unit=0.2), gil=False)
    together = in_threads(core, 4, 1)
    assert together / seconds(lambda: core.burn(1)) == pytest.approx(2, rel=0.15)


@pytest.mark.measures
def test_cpu_used_is_the_speed_times_the_time() -> None:
    core = VirtualCore(Scale(SPEED, unit=0.4))
    used, start = time.process_time(), time.perf_counter()
    core.burn(2)
    share = (time.process_time() - used) / (time.perf_counter() - start)
    assert 0.8 * SPEED <= share <= 1.02 * SPEED


def test_a_forked_child_has_a_core_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLAB_SPEED", "0.5")
    monkeypatch.setenv("PARLAB_UNIT", "0.05")
    monkeypatch.setattr(pace, "_core", None)
    parent = pace.core()
    parent.burn(1)
    pid = os.fork()
    if pid == 0:
        os._exit(pace.core() is parent)
    assert os.waitpid(pid, 0)[1] == 0


def test_cpu_that_measuring_takes_is_no_work_of_the_virtual_core() -> None:
    process_time = Clocks().process_time
    before = process_time()
    pace.count_measuring(1000.0)
    try:
        assert process_time() == pytest.approx(before - 1000.0, abs=10.0)
        assert apart(process_time) >= 0, "nobody measures in a forked child"
    finally:
        pace.count_measuring(0.0)


@pytest.mark.parametrize("still_s", [0.0, 0.004])
def test_what_a_machine_that_stands_still_charges_is_counted(still_s: float) -> None:
    host = Host(still_at=7.01, still_s=still_s)
    core = host.core()
    core.burn(1)
    assert core.held_up_s() == pytest.approx(still_s, rel=0.01)


def test_a_paced_loop_holds_what_is_done_with_its_items_to_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    monkeypatch.setattr(pace, "_core", host.core(speed=1 / 8))

    def loop() -> None:
        for _ in paced(range(10)):
            host.compute(0.01)

    assert host.timed(loop) == pytest.approx(10 * 0.01 * 8, rel=0.05)
    assert list(paced("abc")) == ["a", "b", "c"]
    assert list(paced([])) == []
