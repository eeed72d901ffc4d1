"""`run` on this machine: the program's words, streams and exit code are its own, and what hangs is explained."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ROOT, within
from tests.own_programs import start

Write = Callable[[str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Write:
    """Write a program into a folder of its own, and return the folder."""

    def write(code: str) -> Path:
        folder = tmp_path / "a folder, größer"
        folder.mkdir(exist_ok=True)
        (folder / "own.py").write_text(code, encoding="utf-8")
        return folder

    return write


def embedded(folder: Path, *words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return start(folder, "run", "--backend", "embedded", *words, stdin=stdin)


def started(folder: Path, *options: str, stdout: int = subprocess.PIPE, **env: str) -> subprocess.Popen[bytes]:
    """The program on its way; what it and we say can be read."""
    command = [sys.executable, "-m", "parlab", "run", "--backend", "embedded", *options, "own.py"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)} | env
    return subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
    )


def test_arguments_streams_and_exit_code_are_the_programs(program: Write) -> None:
    folder = program("import sys; print(sys.argv[1:], sys.stdin.read()); print('err', file=sys.stderr); sys.exit(7)")
    done = embedded(folder, "own.py", "--nodes", "9", "-m", "x", "run", stdin="täxt".encode())
    assert done.returncode == 7
    assert done.stdout.decode() == "['--nodes', '9', '-m', 'x', 'run'] täxt\n"
    said = done.stderr.decode().splitlines()
    assert "err" in said
    assert said[-1].endswith("exit code 7 is the program's: rank 0 on simulated-1 ended with exit code 7")


def test_a_module_gets_all_words_behind_it(program: Write) -> None:
    folder = program("import sys; print(__name__, sys.argv[1:])")
    done = embedded(folder, "-m", "own", "--cores", "x")
    assert done.stdout.decode() == "__main__ ['--cores', 'x']\n"
    assert done.returncode == 0


def test_bytes_pass_as_they_are_and_none_is_lost(program: Write) -> None:
    folder = program("import sys\nfor _ in range(1000): sys.stdout.buffer.write(bytes(range(256)) * 20)\n")
    assert embedded(folder, "own.py").stdout == bytes(range(256)) * 20_000


def test_a_variable_is_given_and_its_value_is_in_no_record(program: Write, tmp_path: Path) -> None:
    folder, record = program("import os; print(os.environ['TOKEN'])"), tmp_path / "record.json"
    done = embedded(folder, "--env", "TOKEN=s3cret=1", "--json", str(record), "own.py", "argument")
    assert done.stdout == b"s3cret=1\n"
    text = record.read_text()
    assert "s3cret" not in text
    facts = json.loads(text)
    assert facts["command"] == ["python", "own.py", "argument"]
    assert facts["exit_code"] == 0


def test_a_variable_that_is_named_alone_has_the_value_it_has_here(
    program: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret = 1")
    done = embedded(program("import os; print(os.environ['TOKEN'])"), "--env", "TOKEN", "own.py")
    assert (done.returncode, done.stdout) == (0, b"s3cret = 1\n")


def test_what_it_starts_sees_no_rank_and_what_outlives_it_is_ended(program: Write) -> None:
    code = (
        "import os, subprocess, sys\n"
        'ask = \'import os; print([n for n in os.environ if n.startswith(("PMIX_", "OMPI_COMM_"))], flush=True)\'\n'
        "subprocess.run([sys.executable, '-c', ask])\n"
        "print('OMPI_COMM_WORLD_RANK' in os.environ, flush=True)\n"
        "left = subprocess.Popen(['sleep', '97531'], env={}, start_new_session=True)\n"
        "print(left.pid, flush=True)\n"
    )
    done = embedded(program(code), "--mpi", "--ranks", "1", "own.py")
    children, own, pid = done.stdout.decode().split("\n")[:3]
    assert (children, own) == ("[]", "True")
    assert not Path(f"/proc/{pid}").exists()
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import threading\nthreading.Lock().acquire() and threading.Event().wait()\n", "own.py:2"),
        ("while True:\n    pass\n", "is busy"),
        ("import itertools\n\nsum(itertools.repeat(0))  # no line of Python is ever reached again\n", "own.py:3"),
    ],
    ids=["asleep", "busy", "in C"],
)
def test_what_does_not_end_is_ended_and_explained(code: str, said: str, program: Write) -> None:
    began = time.monotonic()
    done = embedded(program(code), "--timeout", "2", "own.py")
    assert time.monotonic() - began < PATIENCE * 10
    assert done.returncode == 124
    assert said in done.stderr.decode()
    assert done.stderr.decode().splitlines()[-1].endswith("is parlab's: it had not ended after 2 s, and was ended")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_nothing(number: int, program: Write) -> None:
    folder = program("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(1000)\n")
    with started(folder) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE * 20)
    assert process.returncode == 130
    assert f"interrupted by {signal.Signals(number).name}" in errors.decode()
    within(10, lambda: not Path(f"/proc/{pid}").exists())


def test_a_reader_that_goes_ends_it(program: Write) -> None:
    folder = program("while True: print('y' * 1000)\n")
    with started(folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"y" * 1000 + b"\n"
        process.stdout.close()
        assert process.wait(PATIENCE * 20) == 141


@pytest.mark.parametrize("name", ["-c.py", "deep/../own.py"])
def test_a_program_is_found_by_whatever_name_it_has(name: str, program: Write) -> None:
    folder = program("print('found')")
    (folder / "deep").mkdir()
    (folder / "-c.py").write_text("print('found')")
    assert embedded(folder, "--", name).stdout == b"found\n"


def test_a_slow_reader_gets_all_of_it(program: Write) -> None:
    folder = program("import sys; sys.stdout.write('x' * 3_000_000)")
    with started(folder) as process:
        assert process.stdout is not None
        time.sleep(1.0)
        got = 0
        while piece := process.stdout.read(500_000):
            got += len(piece)
            time.sleep(0.2)
    assert got == 3_000_000
    assert process.returncode == 0


@pytest.mark.parametrize("reads", [True, False])
def test_a_program_that_never_stops_writing_is_ended_by_its_deadline(reads: bool, program: Write) -> None:
    folder = program("while True: print('x' * 1000)")
    read_end, write_end = os.pipe()
    with started(folder, "--timeout", "2", stdout=write_end) as process:
        os.close(write_end)
        began = time.monotonic()
        while reads and os.read(read_end, 1 << 20):
            pass
        while process.poll() is None and time.monotonic() < began + 15 * PATIENCE:
            time.sleep(0.1)
            if time.monotonic() > began + 8:  # the deadline is over by then: let what waits to be written go
                os.set_blocking(read_end, False)
                with suppress(BlockingIOError):
                    while os.read(read_end, 1 << 20):
                        pass
        assert process.stderr is not None
        said = process.stderr.read().decode()
    os.close(read_end)
    assert process.returncode == 124, said
    assert "own.py:1" in said


def test_orphans_that_have_ended_do_not_stay(program: Write) -> None:
    code = """
import os, subprocess, sys, time
for _ in range(3):
    subprocess.run([sys.executable, "-c", "import subprocess, sys; subprocess.Popen(['true'])"])
time.sleep(1.0)
pids = filter(str.isdigit, os.listdir("/proc"))
states = [open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[:2] for pid in pids]
print(sum(state == "Z" and int(parent) == os.getppid() for state, parent in states))
"""
    assert embedded(program(code), "own.py").stdout == b"0\n"


def test_a_variable_is_the_programs_alone_and_what_it_leaves_running_is_named(program: Write) -> None:
    code = """
import os, subprocess
print(os.environ["PATH"], os.environ["TMPDIR"])
subprocess.Popen(["/bin/sleep", "1000"])
"""
    done = embedded(program(code), "--env", "PATH=/nowhere", "--env", "TMPDIR=/nowhere/else", "own.py")
    assert done.stdout == b"/nowhere /nowhere/else\n", done.stderr
    assert "rank 0 on simulated-1 left /bin/sleep 1000 running; it was ended" in done.stderr.decode()
    assert done.returncode == 0


def test_a_running_program_is_asked_from_its_terminal_and_from_another_one(program: Write, tmp_path: Path) -> None:
    folder = program("import time\nprint('there', flush=True)\ntime.sleep(1000)")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")}
    why = [sys.executable, "-m", "parlab", "why"]
    at = "rank 0 on simulated-1 is asleep in own.py:3 (time.sleep(1000))"
    with started(folder, "--quiet", XDG_STATE_HOME=env["XDG_STATE_HOME"]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"there\n"
        asked = subprocess.run(why, env=env, capture_output=True, text=True, timeout=60, check=False)
        process.send_signal(signal.SIGQUIT)
        said = process.stderr.readline().decode()
        still_there = process.poll() is None
        process.terminate()
        process.wait(30 * PATIENCE)
    assert asked.stdout.splitlines()[0] == at
    assert asked.returncode == 0
    assert said == f"parlab: {at}\n"
    assert still_there, "who asks only looks"
    assert process.returncode == 130
    asked = subprocess.run(why, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert asked.returncode == 2
    assert asked.stderr.startswith("usage: no program or lab runs on cluster default")


def test_a_sweep_runs_at_each_size_and_is_one_record(program: Write, tmp_path: Path) -> None:
    folder = program("import sys; from mpi4py import MPI; print(MPI.COMM_WORLD.size, sys.argv[1])\n")
    record = tmp_path / "r.json"
    done = embedded(
        folder, "--mpi", "--sweep", "ranks=1,2", "--weak", "N=10*ranks", "--json", str(record), "own.py", "{N}"
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert sorted(done.stdout.decode().splitlines()) == ["1 10", "2 20", "2 20"]
    run = json.loads(record.read_text())
    assert [case["settings"] for case in run["cases"]] == [{"ranks": 1}, {"ranks": 2}]
    assert "   ranks      time  efficiency" in said
    assert re.search(r"parlab: {8}1 +[0-9.]+ m?s +100 %  █{20}", said)


def test_it_is_run_as_often_as_is_asked_for_until_it_fails(program: Write, tmp_path: Path) -> None:
    folder = program("import pathlib\nwith open('log', 'a') as log: log.write('x')\n")
    record = tmp_path / "r.json"
    done = embedded(folder, "--repeat", "3", "--json", str(record), "own.py")
    assert done.returncode == 0, done.stderr.decode()
    assert (folder / "log").read_text() == "xxx"
    assert " in 3 runs, and " in done.stderr.decode()
    (case,) = json.loads(record.read_text())["cases"]
    assert len(case["repeats"]) == 3
    (folder / "own.py").write_text("with open('log', 'a') as log: log.write('y')\nraise SystemExit(4)\n")
    assert embedded(folder, "--repeat", "3", "own.py").returncode == 4
    assert (folder / "log").read_text() == "xxxy"


def test_a_sweep_whose_largest_size_does_not_fit_starts_nothing(program: Write) -> None:
    folder = program("print('ran')\n")
    done = embedded(folder, "--mpi", "--sweep", "nodes=1,64", "--cores", "64", "own.py")
    assert done.returncode == 2
    assert done.stdout == b""
    assert "more than the" in done.stderr.decode()


def test_a_sweep_ends_where_the_program_fails(program: Write) -> None:
    folder = program("import sys; from mpi4py import MPI; sys.exit(3 if MPI.COMM_WORLD.size == 2 else 0)\n")
    done = embedded(folder, "--mpi", "--sweep", "ranks=1,2,4", "own.py")
    said = done.stderr.decode()
    assert done.returncode == 3, said
    assert "parlab: ranks=2" in said
    assert "parlab: ranks=4" not in said
    assert said.splitlines()[-1].startswith("parlab: exit code 3 is the program's")


@pytest.mark.parametrize(
    ("options", "why"), [((), "embedded, nodes have no limits"), (("--no-limits",), "--no-limits")]
)
def test_without_limits_it_is_said_that_there_were_none(program: Write, options: tuple[str, ...], why: str) -> None:
    done = embedded(program("print(1)"), *options, "own.py")
    said = done.stderr.decode()
    assert re.search(rf"^parlab: limits      there were none \({why}\): it ran as quick", said, re.MULTILINE), said


def test_names_that_are_no_utf_8_are_told_as_well_as_they_can_be(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"folder \xff\n")
    folder.mkdir()
    (folder / os.fsdecode(b"waits \xff.py")).write_text("import time\ntime.sleep(1000)\n")
    code = "import os, runpy\nprint(os.getcwdb()[-10:], flush=True)\nrunpy.run_path(os.fsdecode(b'waits \\xff.py'))\n"
    (folder / "own.py").write_text(code)
    done = embedded(folder, "--timeout", "2", "own.py")
    assert done.returncode == 124, done.stderr.decode()
    assert done.stdout == b"b'/folder \\xff\\n'\n"
    assert r"rank 0 on simulated-1 is asleep in waits \udcff.py:2 (time.sleep(1000))" in done.stderr.decode()


def test_the_wall_time_is_that_of_the_pythons_whenever_they_import_mpi(program: Write) -> None:
    folder = program("import sys, time\ntime.sleep(3)\nif 'mpi' in sys.argv: from mpi4py import MPI\n")
    for words in (("own.py",), ("own.py", "mpi")):
        said = embedded(folder, "--mpi", "--ranks", "2", *words).stderr.decode()
        wall = re.search(r"^parlab: wall +([0-9.]+) s, and ", said, re.MULTILINE)
        assert wall, said
        assert float(wall[1]) >= 3, said
        assert re.search(
            r"^parlab: there were no limits in its first [0-9.]+ s: some rank imported", said, re.MULTILINE
        )


def test_a_program_that_is_not_there_is_told_with_what_is(program: Write) -> None:
    done = embedded(program("print(1)"), "owm.py")
    assert done.returncode == 2
    assert done.stderr.decode() == "usage: No program 'owm.py'. Did you mean own.py?\n"
