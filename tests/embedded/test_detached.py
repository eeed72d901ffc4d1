"""`run --detach` on this machine: the run goes on without its terminal, is followed, and is ended."""

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, within
from tests.detaching import User, user_in

SLEEPS = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(1000)\n"
WAITS = """
import pathlib, time
print("there", flush=True)
while not pathlib.Path("go").exists():
    time.sleep(0.05)
print("gone on", flush=True)
"""


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with user_in(tmp_path, "--backend", "embedded") as user:
        yield user


def write(user: User, code: str) -> None:
    (user.folder / "own.py").write_text(code, encoding="utf-8")


def program_of(user: User, number: str) -> int:
    """The process of the program itself, which prints that first."""
    printed = user.state / "parlab/jobs" / number / "stdout"
    within(20, lambda: printed.read_text().endswith("\n"))
    return int(printed.read_text().split()[0])


def test_its_streams_and_exit_code_are_those_of_a_run_and_its_record_is_kept(user: User) -> None:
    write(
        user,
        "import os, sys\nprint(sys.argv[1:], sys.stdin.read(), len(os.environ['TOKEN']))\n"
        "print('err', file=sys.stderr)\nsys.exit(7)\n",
    )
    options = ("--env", "TOKEN=s3cret=1", "--json", "r ü.json", "--detach")
    done = user.types("run", *user.where, *options, "own.py", "--detach", "a b", stdin="täxt")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert re.fullmatch("parlab: job 1 runs in the background: .+ logs 1, .+ why, .+ cancel 1\n", done.stderr)
    followed = user.types("logs", "1", "--follow")
    assert followed.returncode == 7
    assert followed.stdout == "['--detach', 'a b'] täxt 8\n"
    assert "err" in followed.stderr.splitlines()
    assert followed.stderr.splitlines()[-1].startswith("parlab: exit code 7 is the program's: rank 0 on simulated-1")
    printed = user.types("logs")
    assert (printed.returncode, printed.stdout, printed.stderr) == (0, followed.stdout, followed.stderr)
    assert user.sees() == {"1": "failed (7)"}
    record = json.loads((user.folder / "r ü.json").read_text())
    assert (record["exit_code"], record["command"]) == (7, ["python", "own.py", "--detach", "a b"])
    assert (Path(os.environ["PARLAB_RESULTS"]) / f"{record['id']}.json").is_file()
    assert not any("s3cret" in path.read_text() for path in user.state.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.py"], "No program 'gone.py'"),
        (["--env", "X-Y", "own.py"], "--env takes NAME=VALUE"),
        (["--memory", "1g", "own.py"], "--memory is for a cluster"),
        (["--mpi", "--nodes", "64", "--cores", "64", "own.py"], "more than the"),
        ([], "run needs a PROGRAM"),
    ],
)
def test_bad_input_is_refused_before_there_is_a_job(words: list[str], said: str, user: User) -> None:
    write(user, "print('ran')")
    done = user.types("run", *user.where, "--detach", *words)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert not (user.state / "parlab").exists()


def test_a_state_folder_that_is_none_is_one_line(user: User) -> None:
    write(user, "print('ran')")
    user.state.write_text("a file")
    done = user.types("run", *user.where, "--detach", "own.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: no place for a job: ")
    assert len(done.stderr.splitlines()) == 1


def test_quiet_says_nothing_but_the_number(user: User) -> None:
    write(user, "print('ran')")
    done = user.types("run", *user.where, "--detach", "--quiet", "own.py")
    assert (done.stdout, done.stderr) == ("1\n", "")
    followed = user.types("logs", "--follow")
    assert (followed.returncode, followed.stdout, followed.stderr) == (0, "ran\n", "")


def test_a_sweep_is_one_job(user: User) -> None:
    write(user, "import sys; from mpi4py import MPI; print(MPI.COMM_WORLD.size, sys.argv[1])\n")
    sweep = ("--mpi", "--sweep", "ranks=1,2", "--weak", "N=10*ranks")
    assert user.detaches(*sweep, "own.py", "{N}") == "1"
    followed = user.types("logs", "--follow")
    assert sorted(followed.stdout.splitlines()) == ["1 10", "2 20", "2 20"]
    assert user.sees() == {"1": "done"}


def test_it_outlives_its_terminal(user: User) -> None:
    write(user, WAITS)
    ours, terminal = pty.openpty()
    with user.begins(
        *("run", *user.where, "--detach", "own.py"),
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(terminal)
        assert process.wait(20 * PATIENCE) == 0
    assert os.read(ours, 100).strip() == b"1"
    os.close(ours)
    user.waits_for("1", "running")
    (user.folder / "go").touch()
    followed = user.types("logs", "1", "--follow")
    assert (followed.returncode, followed.stdout) == (0, "there\ngone on\n")


def test_who_stops_following_leaves_it_running(user: User) -> None:
    write(user, WAITS)
    number = user.detaches("own.py")
    with user.begins("logs", number, "--follow", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        assert following.stdout.readline() == "there\n"
        before = following.stderr.readline()  # it follows both streams in turn
        following.send_signal(signal.SIGINT)
        assert following.wait(20 * PATIENCE) == 130
        assert re.search("\nparlab: job 1 goes on; .+ cancel 1 ends it\n$", before + following.stderr.read())
    assert user.sees() == {"1": "running"}
    (user.folder / "go").touch()
    assert user.types("logs", "--follow").returncode == 0


def test_one_that_is_cancelled_ends_and_leaves_nothing(user: User) -> None:
    write(user, SLEEPS)
    number = user.detaches("own.py")
    program = program_of(user, number)
    done = user.types("cancel", number)
    assert (done.returncode, done.stdout) == (0, "job 1 is cancelled\n"), done.stderr
    within(10, lambda: not Path(f"/proc/{program}").exists())
    assert user.sees() == {"1": "cancelled"}
    assert user.types("logs", number, "--follow").returncode == 130
    again = user.types("cancel", number)
    assert again.returncode == 2
    assert again.stderr == "usage: job 1 has ended (cancelled): there is nothing to cancel\n"


def test_two_who_cancel_it_give_no_clean_up_up(user: User) -> None:
    write(user, SLEEPS)
    program_of(user, user.detaches("own.py"))
    both = [user.begins("cancel", "1", stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    told = [process.communicate(timeout=30 * PATIENCE) for process in both]
    assert "job 1 is cancelled\n" in [out for out, _ in told]
    assert {process.returncode for process in both} <= {0, 2}  # the later one may have come too late
    printed = user.types("logs").stderr
    assert "interrupted by SIGTERM" in printed
    assert "interrupted again" not in printed


def test_one_that_is_killed_is_lost_and_leaves_nothing(user: User) -> None:
    write(user, SLEEPS)
    number = user.detaches("own.py")
    program = program_of(user, number)
    user.kills(number)
    user.waits_for(number, "lost")
    within(20, lambda: not Path(f"/proc/{program}").exists())
    followed = user.types("logs", "--follow")
    assert followed.returncode == 125
    assert followed.stdout == f"{program}\n"
    assert followed.stderr.splitlines()[-1].startswith("parlab: job 1 is lost: its process died without a word")
    assert user.types("cancel", number).returncode == 2


def test_on_this_machine_no_job_waits_for_another(user: User) -> None:
    write(user, WAITS)
    first, second = user.detaches("own.py"), user.detaches("own.py")
    for number in (first, second):
        user.waits_for(number, "running")
    (user.folder / "go").touch()
    for number in (first, second):
        followed = user.types("logs", number, "--follow")
        assert (followed.returncode, followed.stdout) == (0, "there\ngone on\n")
    assert user.sees() == {"2": "done", "1": "done"}
