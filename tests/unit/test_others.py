"""Which process of this machine used most while a launch was measured, of those that are no part of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from parlab.model.reading import Busiest
from parlab.node.kernel import boot_id
from parlab.run.others import Others
from tests.conftest import within

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells it")
SPIN = "while True: pass"


@contextmanager
def spinning(**env: str) -> Iterator[int]:
    """A process that computes, and outlives whoever has started it: it is nobody's child here."""
    script = "import os, subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=2).pid)"
    words = [sys.executable, "-c", script, sys.executable, "-c", SPIN]
    pid = int(subprocess.run(words, env={**os.environ, **env}, stdout=subprocess.PIPE, check=True, timeout=60).stdout)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)


def test_a_process_that_computes_beside_a_launch_is_named() -> None:
    with spinning() as pid:
        others = Others(boot_id(), "launch", ())
        within(10, lambda: _cpu_s(pid) > 0.2)
        found = _only(others, {pid})
        assert found is not None
        assert found.name.startswith("python")
        assert 0 < found.cpu_s <= _cpu_s(pid)


def test_what_is_of_the_launch_or_in_a_node_or_a_child_of_ours_is_not() -> None:
    with spinning(PARLAB_RUN="launch") as pid, subprocess.Popen([sys.executable, "-c", SPIN]) as child:
        try:
            others = Others(boot_id(), "launch", ())
            within(10, lambda: _cpu_s(pid) > 0.1 and _cpu_s(child.pid) > 0.1)
            assert _only(others, {pid, child.pid}) is None
        finally:
            child.kill()
    with spinning() as pid:
        groups = Path(f"/proc/{pid}/cgroup").read_text()
        others = Others(boot_id(), "launch", (groups.splitlines()[0],))
        within(10, lambda: _cpu_s(pid) > 0.1)
        assert _only(others, {pid}) is None


def test_nothing_is_known_under_another_kernel() -> None:
    with spinning() as pid:
        others = Others("another", "launch", ())
        within(10, lambda: _cpu_s(pid) > 0.1)
        assert others.busiest() is None


def _only(others: Others, pids: set[int]) -> Busiest | None:
    """The busiest as if these were all the processes there are, and this one: the machine has others, too."""
    whole = others._all

    def few() -> object:
        return {pid: stat for pid, stat in whole().items() if int(pid) in pids | {os.getpid()}}

    others._all = few  # type: ignore[method-assign, assignment]
    return others.busiest()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
