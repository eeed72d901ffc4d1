"""A node's meter: the machine's counters, who else uses the node, and what an unpaced burn gets."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from parlab.model.reading import Host, NodeReading, Process, RawReading
from parlab.model.spec import PERIOD
from parlab.node import meter
from parlab.node.control import sample_pause
from parlab.node.meter import Meter, foreign_processes, read_host, used_by

TICKS = os.sysconf("SC_CLK_TCK")  # a second
OURS = "2b7c"
with_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system has no /proc")

STAT = """\
cpu  1000 200 300 40000 500 60 70 800 900 10
cpu0 600 100 200 20000 250 30 35 400 500 5
cpu1 400 100 100 20000 250 30 35 400 400 5
intr 114930548 113199788 3 0 5
ctxt 1990473
btime 1062191376
processes 2915
procs_running 1
"""


# The machine under the node.


def test_the_machine_is_the_sum_of_its_cpus(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(STAT)
    found = read_host(tmp_path / "stat")
    assert found is not None
    assert found.cpus == 2
    assert found.busy_s == pytest.approx((1000 + 200 + 300 + 60 + 70) / TICKS)
    assert found.idle_s == pytest.approx((40000 + 500) / TICKS)
    assert found.stolen_s == pytest.approx(800 / TICKS)
    assert found.ours_s is None


def test_where_proc_does_not_tell_nothing_is_known_of_the_machine(tmp_path: Path) -> None:
    assert read_host(tmp_path / "missing") is None


@with_proc
def test_this_machine_has_cpus_and_uses_them() -> None:
    earlier, later = read_host(), read_host()
    assert earlier is not None
    assert later is not None
    assert earlier.cpus == os.cpu_count()
    assert 0 < earlier.busy_s <= later.busy_s


# Who else uses the node.


@dataclass
class Proc:
    """A made-up /proc."""

    root: Path

    def process(
        self,
        pid: int,
        parent: int,
        name: str = "python3",
        environ: str | None = "",
        user: int = 0,
        system: int = 0,
        state: str = "S",
    ) -> None:
        """One process; `user` and `system` are CPU seconds."""
        folder = self.root / str(pid)
        folder.mkdir()
        ticks = f"{user * TICKS} {system * TICKS} 11 12"
        (folder / "stat").write_text(
            f"{pid} ({name}) {state} {parent} 1 1 0 -1 4194560 5 6 7 8 {ticks} 20 0 1 0 42 9 10\n"
        )
        if environ is not None:
            (folder / "environ").write_bytes(environ.encode())


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """A node with only ourselves and what started us: init, then a launcher of no run at all."""
    made = Proc(tmp_path)
    first = max(os.getpid(), 10)
    made.process(1, 0, "init")
    made.process(first + 1, 1, "orted", "PATH=/bin\0")
    made.process(os.getpid(), first + 1, environ=f"PATH=/bin\0PARLAB_RUN={OURS}\0")
    (tmp_path / "self").mkdir()
    (tmp_path / "stat").write_text(STAT)
    return made


STRANGER = 5_000_000  # the kernel gives no pid as high as this


def test_neither_the_runs_processes_nor_what_started_it_are_strangers(proc: Proc) -> None:
    proc.process(STRANGER, os.getpid(), environ=f"PARLAB_RUN={OURS}\0PATH=/bin\0", user=5)
    assert foreign_processes(OURS, proc.root) == {}


@pytest.mark.parametrize("environ", ["", "PATH=/bin\0", "PARLAB_RUN=other\0", f"PARLAB_RUN={OURS}2\0", f"X={OURS}\0"])
def test_every_other_process_is_a_stranger(proc: Proc, environ: str) -> None:
    proc.process(STRANGER, 1, "yes", environ, user=3, system=1)
    assert foreign_processes(OURS, proc.root) == {str(STRANGER): Process("yes", 4)}


@pytest.mark.parametrize("name", ["(sd-pam)", "Web Content", "a) S 1 (b", "tmux: server", ""])
def test_a_name_may_have_parentheses_and_spaces(proc: Proc, name: str) -> None:
    proc.process(STRANGER, 1, name, user=2)
    assert foreign_processes(OURS, proc.root) == {str(STRANGER): Process(name, 2)}


def test_a_process_that_is_gone_or_another_users_is_passed_over(proc: Proc) -> None:
    proc.process(STRANGER, 1, "yes", user=2)
    proc.process(STRANGER + 1, 1, "hidden", environ=None, user=2)
    (proc.root / str(STRANGER + 2)).mkdir()
    assert foreign_processes(OURS, proc.root).keys() == {str(STRANGER)}


def test_a_run_used_what_its_processes_did_and_their_children_that_have_ended(proc: Proc) -> None:
    ended_s = (11 + 12) / TICKS  # of the children of each
    assert used_by(OURS, proc.root) == pytest.approx(ended_s)
    proc.process(STRANGER, os.getpid(), environ=f"PARLAB_RUN={OURS}\0PATH=/bin\0", user=5, system=1)
    proc.process(STRANGER + 1, 1, "yes", user=2)
    assert used_by(OURS, proc.root) == pytest.approx(6 + 2 * ended_s)


def test_what_a_child_used_that_nobody_has_waited_for_is_its_parents(proc: Proc) -> None:
    ended_s = (11 + 12) / TICKS
    proc.process(STRANGER, os.getpid(), environ="", user=5, state="Z")
    proc.process(STRANGER + 1, 1, environ="", user=3, state="Z")
    assert used_by(OURS, proc.root) == pytest.approx(5 + 2 * ended_s)


BURN = "import sys, time\nwhile time.process_time() < 0.1: pass\nprint(flush=True)\nsys.stdin.read()"


@contextmanager
def burning(**env: str) -> Iterator[str]:
    """A child that has burned some CPU; its pid."""
    command, pipe = [sys.executable, "-c", BURN], subprocess.PIPE
    with subprocess.Popen(command, env={"PATH": "", **env}, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield str(child.pid)


@with_proc
def test_a_real_child_is_a_stranger_unless_it_is_the_runs() -> None:
    with burning() as stranger, burning(PARLAB_RUN=OURS) as own:
        found = foreign_processes(OURS)
    assert found[stranger].cpu_s > 0
    assert "python" in found[stranger].name
    assert own not in found
    assert str(os.getppid()) not in found


# Readings.


@contextmanager
def metering(*, own_node: bool, host: bool = False) -> Iterator[Meter]:
    made = Meter(OURS, own_node=own_node, host=host)
    try:
        yield made
    finally:
        made._cgroup.close()


@with_proc
@pytest.mark.parametrize("in_full", [False, True])
@pytest.mark.parametrize("host", [False, True])
@pytest.mark.parametrize("own_node", [False, True])
def test_a_reading_has_what_its_node_can_tell(own_node: bool, host: bool, in_full: bool) -> None:
    with metering(own_node=own_node, host=host) as made:
        raw = made.read(in_full=in_full)
    assert raw.files.keys() <= {"cpu.max", "cpu.stat", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpuacct.usage"}
    assert raw.files == {} or own_node
    assert (raw.host is not None) == host
    assert raw.foreign == {} or (own_node and in_full)
    usage = NodeReading.from_node(msgspec.json.decode(msgspec.json.encode(raw), type=RawReading))
    assert usage.at == raw.at
    assert isinstance(usage.host, Host) == host
    assert all(isinstance(process, Process) for process in usage.foreign.values())


def test_readings_tell_what_they_cost() -> None:
    with metering(own_node=True, host=True) as made:
        readings = [made.read(in_full=True) for _ in range(3)]
    costs = [reading.reading_s for reading in readings]
    assert 0 == costs[0] < costs[1] < costs[2]
    assert [reading.at for reading in readings] == sorted(reading.at for reading in readings)


# The burn.


def test_a_simulated_node_has_no_limit_to_burn_against() -> None:
    with metering(own_node=False) as made:
        assert made.burn() is None


@dataclass
class Kernel:
    """Stops the node's only process for the rest of a period once its quota is used up."""

    limit: float
    now: float
    used: float = 3.0
    left: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.limit * PERIOD
        self.first = self.now // PERIOD

    def compute(self, block: bytes, cpu_s: float = 0.00025) -> None:
        assert block
        if self.left < cpu_s:
            self.now = (self.now // PERIOD + 1) * PERIOD
            self.left += self.limit * PERIOD
        elif (self.now + cpu_s) // PERIOD > self.now // PERIOD:
            self.left = self.limit * PERIOD
        self.left -= cpu_s
        self.now += cpu_s
        self.used += cpu_s

    def texts(self) -> dict[str, str]:
        periods = f"nr_periods {self.now // PERIOD - self.first:.0f}\n"
        return {
            "cpu.max": f"{self.limit * 1e5:.0f} 100000\n",
            "cpu.stat": f"usage_usec {self.used * 1e6:.0f}\n{periods}",
        }

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("limit", [1 / 64, 1 / 8, 0.25, 0.5, 0.9, 1.0])
def test_a_burn_gets_the_limit_from_whatever_moment_of_a_period(
    monkeypatch: pytest.MonkeyPatch, limit: float, phase: float
) -> None:
    kernel = Kernel(limit, now=100 + phase * PERIOD)
    monkeypatch.setattr(meter, "Cgroup", lambda: kernel)
    monkeypatch.setattr(meter, "time", SimpleNamespace(monotonic=lambda: kernel.now, thread_time=lambda: kernel.used))
    monkeypatch.setattr("hashlib.sha256", kernel.compute)
    with metering(own_node=True) as made:
        assert made.burn() == pytest.approx(limit, rel=0.1)


def test_without_a_limit_there_is_no_burn(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(1.0, now=100.0)
    monkeypatch.setattr(meter, "Cgroup", lambda: kernel)
    monkeypatch.setattr(kernel, "texts", lambda: {"cpu.max": "max 100000\n", "cpu.stat": "usage_usec 7\n"})
    with metering(own_node=True) as made:
        assert made.burn() is None
    assert kernel.used == 3.0


@pytest.mark.parametrize(
    ("cost_s", "limit", "pause"), [(0.00025, 0.25, 0.4), (0.00025, 1 / 64, 1.6), (0.002, 0.25, 0.8), (1.0, None, 0.4)]
)
def test_a_small_node_is_read_less_often(cost_s: float, limit: float | None, pause: float) -> None:
    assert sample_pause(cost_s, limit) == pytest.approx(pause)
