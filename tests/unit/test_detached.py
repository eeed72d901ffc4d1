"""Jobs: a number and a folder each, and what is known of one that lives, has ended, or has died without a word."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parlab.commands import detached as commands
from parlab.errors import ParlabError, UsageError
from parlab.host import detached
from parlab.host.background import VARIABLE, Own, own_job, start
from parlab.host.detached import KEPT, About, Detached, State, all_jobs, find, forget_old, new
from parlab.terminal.jobs import list_of_jobs
from tests.unit.samples import recording

ABOUT = About("own.py 'a b'", "default", "cluster")
Start = Callable[..., Detached]


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of this user's state."""
    monkeypatch.setattr(detached, "STATE", tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def locks() -> Iterator[dict[int, int]]:
    """The locks that are held, by the number of the job."""
    held: dict[int, int] = {}
    yield held
    for lock in held.values():
        os.close(lock)


@pytest.fixture
def living(locks: dict[int, int]) -> Start:
    """Make a job whose process this is."""

    def make(about: About = ABOUT) -> Detached:
        job, locks[job.number] = new(about)
        return job

    return make


def over(code: int | None = None, *, begun: bool = True) -> Detached:
    """A job whose process has gone, with an exit code or without a word."""
    job, lock = new(ABOUT)
    if begun:
        job.begin()
    if code is not None:
        job.end(code)
    os.close(lock)
    return job


def test_a_job_waits_until_it_has_its_cluster(living: Start) -> None:
    job = living()
    assert job.report().state is State.WAITING
    job.begin()
    assert job.report().state is State.RUNNING
    assert (job.report().lasted_s or 0.0) >= 0.0


@pytest.mark.parametrize(
    ("code", "said"), [(0, "done"), (3, "failed (3)"), (124, "failed (124)"), (130, "failed (130)"), (None, "lost")]
)
def test_a_job_whose_process_has_gone_is_what_its_exit_code_says(code: int | None, said: str) -> None:
    job = over(code)
    assert str(job.report()) == said
    assert (job.report().lasted_s is None) == (code is None)


def test_an_exit_code_is_believed_once_the_process_has_gone(living: Start, locks: dict[int, int]) -> None:
    job = living()
    job.begin()
    job.end(0)
    assert job.report().state is State.RUNNING
    os.close(locks.pop(job.number))
    assert job.report().state is State.DONE


def test_one_that_was_killed_by_who_cancelled_it_is_not_lost(living: Start, locks: dict[int, int]) -> None:
    job = living()
    assert [job.is_first_to_cancel(), job.is_first_to_cancel()] == [True, False]
    os.close(locks.pop(job.number))
    assert job.report().state is State.CANCELLED


def test_half_an_exit_code_is_no_word() -> None:
    job = over(3)
    (job.folder / "end").write_text("")
    assert job.report().state is State.LOST


def test_jobs_that_are_made_at_once_have_numbers_of_their_own() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: over(0), range(32)))
    assert sorted(job.number for job in made) == list(range(1, 33))
    assert [job.number for job in all_jobs()] == list(range(32, 0, -1))


def test_a_job_is_found_by_its_number_and_the_newest_by_none() -> None:
    with pytest.raises(UsageError, match="No job yet"):
        find(None)
    first, second = over(0), over(0)
    assert (find("1"), find(None)) == (first, second)
    for wanted in ("3", "0", "01", "x", "", "-1", "../1", "1\n", "9" * 99):
        with pytest.raises(UsageError, match=r"No job .*\. Use a number from .* jobs\."):
            find(wanted)


def test_what_is_no_job_hides_none(state: Path) -> None:
    job = over(0)
    (state / "jobs/2").mkdir()
    (state / "jobs/3").write_text("a file")
    (state / "jobs/4").mkdir()
    (state / "jobs/4/job.json").write_text('{"program": 3')
    (state / "jobs/notes").mkdir()
    assert all_jobs() == [job]
    assert over(0).number == 5


def test_the_last_ones_are_kept_and_whatever_lives(living: Start) -> None:
    old = living()
    for _ in range(KEPT + 3):
        over(0)
    forget_old()
    kept = [job.number for job in all_jobs()]
    assert kept == [*range(KEPT + 4, 4, -1), old.number]


def test_a_state_folder_that_cannot_be_written_is_told_in_one_line(state: Path) -> None:
    state.write_text("a file")
    with pytest.raises(UsageError, match=r"^no place for a job: .*\. XDG_STATE_HOME names another folder$"):
        new(ABOUT)
    assert all_jobs() == []


def test_nobody_else_reads_what_a_job_prints(state: Path) -> None:
    over(0)
    assert (state / "jobs").stat().st_mode & 0o077 == 0


# The turn of a job.


def test_a_job_comes_after_those_on_its_cluster_that_were_started_before(living: Start, locks: dict[int, int]) -> None:
    over(0)
    first, job, said = living(), living(), list[str]()

    def say(text: str) -> None:
        said.append(text)
        os.close(locks.pop(first.number))

    Own(job).wait("cluster", say)
    assert said == ["cluster default is in use by job 2: waiting up to 24 h"]


def test_a_job_waits_for_none_that_is_later_or_elsewhere(living: Start) -> None:
    living(About("own.py", "other", "cluster"))
    living(About("own.py", "default", "embedded"))
    job = living()
    living()
    Own(job).wait("cluster", pytest.fail)
    Own(living(About("own.py", "default", "embedded"))).wait("embedded", pytest.fail)


def test_a_job_does_not_wait_for_ever(living: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Own, "seconds", 0.0)
    living()
    with pytest.raises(ParlabError, match=r"cluster default is still in use by job 1\. Cancel it, or use --cluster"):
        Own(living()).wait("cluster", lambda _: None)


# The process of a job.


@pytest.mark.parametrize(("end", "code"), [(SystemExit(3), 3), (SystemExit(), 0), (ValueError(), 70)])
def test_how_it_ends_is_noted(
    end: BaseException, code: int, living: Start, locks: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = living()
    monkeypatch.setenv(VARIABLE, f"{job.number}:{locks[job.number]}")
    in_block: list[bool] = []

    def run() -> None:
        with own_job() as own:
            in_block.extend((own is not None, VARIABLE in os.environ))  # what it starts is not this job
            raise end

    with pytest.raises(type(end)):
        run()
    assert in_block == [True, False]
    assert (job.folder / "end").read_text() == f"{code}\n"


@pytest.mark.parametrize("told", ["", "1", "1:0", "1:99999", "x:y", "2:3"])
def test_a_variable_that_somebody_else_has_set_makes_no_job_and_starts_none(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = over()
    monkeypatch.setenv(VARIABLE, told)
    with own_job() as own:
        assert own is None
    assert not (job.folder / "end").exists()
    with pytest.raises(UsageError, match=f"{VARIABLE} is a variable of parlab's own: unset it"):
        start(ABOUT)


def test_what_cannot_be_started_is_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UsageError, match="no place for a job"):
        start(ABOUT)
    assert all_jobs() == []


# Its end, by others.

DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("heard", flush=True))
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""


def test_who_does_not_end_is_ended_harder(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = (0.5, 0.5, 30.0)
    ending = [(number, wait) for (number, _), wait in zip(commands.ENDING, seconds, strict=True)]
    monkeypatch.setattr(commands, "ENDING", ending)
    job, lock = new(ABOUT)
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True, pass_fds=(lock,)) as deaf:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == "ready\n"
        os.write(lock, str(deaf.pid).encode())
        os.close(lock)
        commands.cancel("1")
        assert deaf.wait(30) == -signal.SIGKILL
        assert deaf.stdout.read() == "heard\n" * 2
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "job 1 is cancelled"
    assert "its clean-up was given up" in told.out
    assert told.err.splitlines() == ["parlab: job 1 has not ended in 0.5 s: ending it harder"] * 2
    assert job.report().state is State.CANCELLED
    with pytest.raises(UsageError, match=r"^job 1 has ended \(cancelled\): there is nothing to cancel$"):
        commands.cancel("1")


# What is shown of them.


def test_each_job_is_a_line_of_eighty_columns_whatever_its_program(living: Start) -> None:
    living(About("-m solver " + "ä" * 200, "default", "cluster"))
    living(About("'new\nline' '\x1b[31m'", "default", "embedded"))
    over(137)
    console = recording(width=80)
    console.print(list_of_jobs([(job, job.report()) for job in all_jobs()], 80))
    heading, *rows = console.export_text().splitlines()
    assert heading.split() == ["state", "started", "time", "cluster", "program"]
    assert [row.split()[:2] for row in rows] == [["3", "failed"], ["2", "waiting"], ["1", "waiting"]]
    assert rows[0].split()[-3:] == ["own.py", "'a", "b'"]
    assert "'new?line' '?[31m'" in rows[1]
    assert rows[2].rstrip().endswith("ä…")
    assert max(map(len, rows)) <= 80
