"""Large and odd streams, such as on a login node, and the right result for each: the same with and without a cluster.

Each check takes its own folder and the options for the place of the run; it fails if anything is wrong.
"""

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from parlab.node.family import descendants
from tests.conftest import PATIENCE, ROOT

Scenario = Callable[[Path, tuple[str, ...]], None]

MOST_RESIDENT = 192 << 20  # bytes of a process, with 32 MB that are to be written, and as many on their way
FOUR = ("--mpi", "--nodes", "2", "--ranks", "4")

WRITES = """
import sys
line = b"x" * 99 + b"\\n"
for _ in range(2500):
    sys.stdout.buffer.write(line * 1000)
"""
WRITES_LINES = """
import sys
from mpi4py import MPI
rank = MPI.COMM_WORLD.rank
for first in range(0, 250_000, 500):
    sys.stdout.write("".join(f"{rank} {number:>7} {'x' * 89}\\n" for number in range(first, first + 500)))
"""
ONE_LINE = """
import sys
from mpi4py import MPI
sys.stdout.write(str(MPI.COMM_WORLD.rank) * int(sys.argv[1]) + "\\n")
"""
BINARY = """
import sys, time
from mpi4py import MPI
if MPI.COMM_WORLD.rank == 1:
    for stream in (sys.stdout.buffer, sys.stderr.buffer):
        stream.write(bytes(range(256)) * 1000 + b"\\0" * 100_000 + b"\\n\\0")
        stream.flush()
    time.sleep(0.5)  # longer than what is a pause
    for stream in (sys.stdout.buffer, sys.stderr.buffer):
        stream.write(b"\\r\\n\\0" + bytes(reversed(range(256))) + b"no end\\0")
"""
SUMS = """
import hashlib, sys
data = sys.stdin.buffer.read()
print(len(data), hashlib.md5(data).hexdigest())
"""
READS_LITTLE = "print(len(input()))\n"
READS_NOTHING = "print('done')\n"
ALWAYS_WRITES = """
from mpi4py import MPI
while True:
    print("y" * 1000)
"""


@contextmanager
def running(
    folder: Path, program: str, *words: str, stdin: int | IO[bytes] = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `parlab run WORDS`, with that program as own.py in the folder; kill it if it outlives the block."""
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(program)
    command = [sys.executable, "-m", "parlab", "run", "--quiet", *words]
    pipes: dict[str, Any] = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, **pipes) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


class Resident(threading.Thread):
    """Tracks the peak memory, in bytes, of a process or any of its descendants, until the process ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.process, self.most = process, 0
        self.start()

    def run(self) -> None:
        """Read /proc until the process is gone; `ru_maxrss` would include the memory of the parent that forked it."""
        while True:
            found = [_most_resident(pid) for pid in (self.process.pid, *descendants(self.process.pid))]
            if found[0] == 0:
                return
            self.most = max(self.most, *found)
            time.sleep(0.1)

    def at_its_end(self) -> int:
        """Wait until the process has ended well; return its peak memory."""
        assert self.process.stderr is not None
        errors = self.process.stderr.read().decode()
        assert self.process.wait(30 * PATIENCE) == 0, errors
        self.join(10)
        return self.most


def _most_resident(pid: int) -> int:
    """The peak memory of a process; 0 if it is gone."""
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return int(found[1]) << 10
    return 0


def run(folder: Path, program: str, *words: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> tuple[bytes, bytes]:
    """Run the program; return its output on both streams. It must end well."""
    with running(folder, program, *words, stdin=stdin) as process:
        output, errors = process.communicate(timeout=60 * PATIENCE)
    assert process.returncode == 0, errors.decode(errors="replace")
    return output, errors


def in_shell(folder: Path, program: str, command: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command, in which `"$@"` stands for `parlab run WORDS`."""
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(program)
    argv = ["bash", "-o", "pipefail", "-c", command, "bash", sys.executable, "-m", "parlab", "run", "--quiet", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, timeout=30 * PATIENCE, check=False)


def much_more_than_is_kept_to_a_slow_reader(folder: Path, where: tuple[str, ...]) -> None:
    digest, count = hashlib.md5(), 0
    with running(folder, WRITES, *where, "own.py") as process:
        resident = Resident(process)
        assert process.stdout is not None
        time.sleep(5)
        while data := process.stdout.read(1 << 20):
            digest.update(data)
            count += len(data)
        most = resident.at_its_end()
    assert count == 250_000_000
    assert digest.digest() == hashlib.md5((b"x" * 99 + b"\n") * 2_500_000).digest()
    assert 0 < most < MOST_RESIDENT, f"{most:,} bytes"


def a_hundred_megabytes_of_four_ranks(folder: Path, where: tuple[str, ...]) -> None:
    """Each line is whole, and the lines of a rank are in order."""
    following: Counter[bytes] = Counter()
    with running(folder, WRITES_LINES, *where, *FOUR, "own.py") as process:
        resident = Resident(process)
        assert process.stdout is not None
        for line in process.stdout:
            rank, number, rest = line.split()
            assert (len(line), int(number), rest) == (100, following[rank], b"x" * 89)
            following[rank] += 1
        most = resident.at_its_end()
    assert following == dict.fromkeys((b"0", b"1", b"2", b"3"), 250_000)
    assert 0 < most < MOST_RESIDENT, f"{most:,} bytes"


def long_lines(folder: Path, where: tuple[str, ...], length: int) -> None:
    output, _ = run(folder, ONE_LINE, *where, *FOUR, "own.py", str(length))
    assert sorted(output.split(b"\n")) == [b"", *(rank * length for rank in (b"0", b"1", b"2", b"3"))]


def a_line_of_a_megabyte_of_each_rank(folder: Path, where: tuple[str, ...]) -> None:
    long_lines(folder, where, 1_000_000)


def a_line_of_twenty_megabytes_of_each_rank(folder: Path, where: tuple[str, ...]) -> None:
    long_lines(folder, where, 20_000_000)


def all_bytes_there_are(folder: Path, where: tuple[str, ...]) -> None:
    """Written by one of several ranks, in pieces, without a newline at the end."""
    wanted = (
        bytes(range(256)) * 1000 + b"\0" * 100_000 + b"\n\0" + b"\r\n\0" + bytes(reversed(range(256))) + b"no end\0"
    )
    assert run(folder, BINARY, *where, *FOUR, "own.py") == (wanted, wanted)


def a_reader_that_goes(folder: Path, where: tuple[str, ...]) -> None:
    began = time.monotonic()
    done = in_shell(folder, ALWAYS_WRITES, '"$@" | head -n 1', *where, *FOUR, "own.py")
    assert done.stdout == b"y" * 1000 + b"\n"
    assert done.returncode == 141, done.stderr.decode()
    assert time.monotonic() - began < 15 * PATIENCE


def ten_megabytes_of_standard_input(folder: Path, where: tuple[str, ...]) -> None:
    data, file = os.urandom(10_000_000), folder.with_name("input")
    file.write_bytes(data)
    wanted = f"10000000 {hashlib.md5(data).hexdigest()}\n".encode()
    done = in_shell(folder, SUMS, 'cat ../input | "$@"', *where, "own.py")
    assert done.stdout == wanted, done.stderr.decode()


def standard_input_that_nobody_reads(folder: Path, where: tuple[str, ...]) -> None:
    file = folder.with_name("input")
    file.write_bytes(b"x" * 999 + b"\n" + b"y" * 30_000_000)
    for program, said in ((READS_NOTHING, b"done\n"), (READS_LITTLE, b"999\n")):
        with file.open("rb") as stdin:
            assert run(folder, program, *where, "own.py", stdin=stdin)[0] == said
        done = in_shell(folder, program, 'cat ../input 2>/dev/null | "$@"; exit ${PIPESTATUS[1]}', *where, "own.py")
        assert (done.returncode, done.stdout) == (0, said), done.stderr.decode()


def streams_that_are_closed(folder: Path, where: tuple[str, ...]) -> None:
    done = in_shell(folder, SUMS, '"$@" <&-', *where, "own.py")
    assert done.stdout == f"0 {hashlib.md5(b'').hexdigest()}\n".encode(), done.stderr.decode()
    tells = "import sys; print('out'); print('err', file=sys.stderr)\n"
    for command, said in (
        ('"$@" >&-', (b"", b"err\n")),
        ('"$@" 2>&-', (b"out\n", b"")),
        ('"$@" <&- >&- 2>&-', (b"", b"")),
    ):
        done = in_shell(folder, tells, command, *where, "own.py")
        assert (done.returncode, done.stdout, done.stderr) == (0, *said)
    done = in_shell(folder, "raise SystemExit(3)", '"$@" <&- >&- 2>&-', *where, "own.py")
    assert done.returncode == 3


def a_folder_with_nothing_in_it(folder: Path, where: tuple[str, ...]) -> None:
    (folder.with_name("empty")).mkdir()
    output, _ = run(folder, "", *where, "--dir", "../empty", "-m", "calendar", "2024", "2")
    assert b"February 2024" in output


SCENARIOS: list[Any] = [
    all_bytes_there_are,
    a_line_of_a_megabyte_of_each_rank,
    a_reader_that_goes,
    ten_megabytes_of_standard_input,
    standard_input_that_nobody_reads,
    streams_that_are_closed,
    a_folder_with_nothing_in_it,
    pytest.param(a_line_of_twenty_megabytes_of_each_rank, marks=pytest.mark.slow),
    pytest.param(much_more_than_is_kept_to_a_slow_reader, marks=pytest.mark.slow),
    pytest.param(a_hundred_megabytes_of_four_ranks, marks=pytest.mark.slow),
]
