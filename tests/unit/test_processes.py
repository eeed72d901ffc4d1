"""The processes of a node: whose they are, and how those of one launch are ended."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parlab.node.processes import end_processes, processes
from tests.conftest import within

SECONDS = 30  # until a process is gone that was killed
WAITS = "import sys; print(flush=True); sys.stdin.read()"
STARTS = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAITS!r}])"
Start = Callable[..., "subprocess.Popen[bytes]"]

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this kernel has no /proc")


@pytest.fixture
def mark() -> bytes:
    """The id of a launch that nobody else has: whatever else runs on this machine is not ours to end."""
    return f"tests-{secrets.token_hex(8)}".encode()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program as part of a launch, and wait until it runs."""
    started = []

    def run(launch: bytes | None, code: str = WAITS) -> "subprocess.Popen[bytes]":
        env = {name: value for name, value in os.environb.items() if name != b"PARLAB_RUN"}
        env |= {} if launch is None else {b"PARLAB_RUN": launch}
        child = subprocess.Popen([sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        return child

    yield run
    for child in started:
        with child:  # its standard input ends, and so does it
            pass


def of_launch(mark: bytes) -> list[int]:
    """The pids of the processes of a launch."""
    return [int(folder.name) for folder, launch in processes() if launch == mark]


def test_a_process_is_known_by_the_launch_in_its_environment(mark: bytes, start: Start) -> None:
    child, stranger = start(mark), start(None)
    launches = {int(folder.name): launch for folder, launch in processes()}
    assert launches[child.pid] == mark
    assert launches[stranger.pid] is None


def test_a_process_of_a_launch_is_ended(mark: bytes, start: Start) -> None:
    child = start(mark)
    assert end_processes(lambda launch: launch == mark) == [child.pid]
    assert child.wait(SECONDS) == -signal.SIGKILL
    assert of_launch(mark) == []


def test_what_a_process_has_started_is_ended_with_it(mark: bytes, start: Start) -> None:
    child = start(mark, STARTS)
    both = of_launch(mark)
    assert len(both) == 2
    assert child.pid in both
    assert sorted(end_processes(lambda launch: launch == mark)) == sorted(both)
    assert child.wait(SECONDS) == -signal.SIGKILL


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="shared memory lies elsewhere")
def test_a_resource_tracker_cleans_up_what_killed_processes_have_left(mark: bytes, start: Start) -> None:
    name = f"parlab-{mark.decode()}"
    code = (
        f"from multiprocessing.shared_memory import SharedMemory; SharedMemory({name!r}, create=True, size=16); {WAITS}"
    )
    child = start(mark, code)

    def trackers() -> list[int]:
        """Forked, one may still be what its parent is; in its exec its environment reads empty."""
        others = set(of_launch(mark)) - {child.pid}
        return [pid for pid in others if b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    within(SECONDS, lambda: trackers() != [])
    (tracker,) = trackers()
    assert Path("/dev/shm", name).exists()
    assert end_processes(lambda launch: launch == mark) == [child.pid]
    assert not Path("/dev/shm", name).exists()
    assert tracker not in of_launch(mark)


def test_a_resource_tracker_that_does_not_end_is_killed(mark: bytes, start: Start) -> None:
    child = start(mark, f"'resource_tracker'; {WAITS}")
    assert end_processes(lambda launch: launch == mark) == [child.pid]
    assert child.wait(SECONDS) == -signal.SIGKILL


def test_processes_of_another_launch_and_of_none_are_left_alone(mark: bytes, start: Start) -> None:
    ours, next_one, stranger = start(mark + b".0"), start(mark + b".1"), start(None)
    assert end_processes(lambda launch: launch == mark + b".0") == [ours.pid]
    assert ours.wait(SECONDS) == -signal.SIGKILL
    assert (next_one.poll(), stranger.poll()) == (None, None)
    assert of_launch(mark + b".1") == [next_one.pid]


def test_where_no_process_is_of_the_launch_none_is_ended(mark: bytes) -> None:
    assert end_processes(lambda launch: launch == mark) == []


def test_what_is_no_process_or_gone_meanwhile_is_passed_over(tmp_path: Path) -> None:
    environments = {"7": b"A=1\0PARLAB_RUN=run.0\0B=2\0", "12": b"MY_PARLAB_RUN=run.0\0", "13": b"", "self": b"A=1\0"}
    for name, environment in environments.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "environ").write_bytes(environment)
    (tmp_path / "99").mkdir()  # its files are gone already
    (tmp_path / "meminfo").touch()
    found = {folder.name: launch for folder, launch in processes(tmp_path)}
    assert found == {"7": b"run.0", "12": None, "13": None}
