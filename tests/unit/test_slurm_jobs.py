"""The reader of Slurm's queue and of its file of ended jobs, with odd lines; the table of both."""

from datetime import datetime, timedelta

import pytest

from parlab.backend.slurm_jobs import SlurmJob, read
from parlab.errors import ParlabError
from parlab.terminal.slurm_jobs import HEADINGS, list_of_slurm_jobs

NOW = "2026-11-29T12:10:00"
PENDING = "12_[2-3]|long|PENDING|Resources||2|2026-11-29T12:09:00|2026-11-29T13:00:00|12:00:00|a|b JobState=X"
RUNNING = "11|short|RUNNING|None|node-[1-2]|4|2026-11-29T12:08:00|2026-11-29T12:09:30|5:00|job.sh"


def ended(**other: str) -> str:
    """A line of the file, as Slurm 24.11 writes it."""
    values = {
        "JobId": "3",
        "UserId": "lab(1000)",
        "GroupId": "lab(1000)",
        "Name": "eat",
        "JobState": "FAILED",
        "Partition": "short",
        "TimeLimit": "5",
        "StartTime": "2026-11-29T12:00:10",
        "EndTime": "2026-11-29T12:00:12",
        "NodeList": "node-1",
        "NodeCnt": "1",
        "ProcCnt": "2",
        "WorkDir": "/home/lab",
        "ReservationName": "",
        "Tres": "cpu=1,mem=100M,node=1,billing=1",
        "Account": "",
        "QOS": "",
        "WcKey": "",
        "Cluster": "unknown",
        "SubmitTime": "2026-11-29T12:00:00",
        "EligibleTime": "2026-11-29T12:00:00",
    }
    known = {name: other.get(name, value) for name, value in values.items()}
    more = {name: value for name, value in other.items() if name not in values | {"ExitCode": ""}}
    last = {"DerivedExitCode": "0:0", "ExitCode": other.get("ExitCode", "0:9")}
    return "".join(f"{name}={value} " for name, value in (known | more | last).items())


def answer(queue: tuple[str, ...] = (), file: tuple[str, ...] = ()) -> str:
    """The answer of the head: the time, the queue, an empty line, the file."""
    return "".join(f"{line}\n" for line in (NOW, *queue, "", *file))


def only(line: str) -> SlurmJob:
    """The one job in a file of this line."""
    (job,) = read(answer(file=(line,))).jobs
    return job


def test_a_line_of_the_file_is_a_job_with_its_times_and_its_end() -> None:
    submitted, started, over = (datetime(2026, 11, 29, 12, 0, second) for second in (0, 10, 12))
    limit = timedelta(minutes=5)
    made = SlurmJob("3", "eat", "short", "FAILED", "", "node-1", 2, submitted, started, over, limit, "0:9")
    assert only(ended()) == made


def test_a_job_that_waits_has_no_start_and_a_name_may_have_any_letter() -> None:
    (job,) = read(answer((PENDING,))).jobs
    assert (job.number, job.name, job.reason, job.nodes) == ("12_[2-3]", "a|b JobState=X", "Resources", "")
    assert job.started is None
    assert job.limit == timedelta(hours=12)


def test_jobs_are_in_the_order_of_their_submission() -> None:
    found = read(answer((PENDING, RUNNING), (ended(),)))
    assert [job.number for job in found.jobs] == ["3", "11", "12_[2-3]"]
    assert found.now == datetime.fromisoformat(NOW)


def test_a_job_that_ends_between_the_two_questions_is_told_once_as_ended() -> None:
    done = ended(JobId="11", SubmitTime="2026-11-29T12:08:00", JobState="COMPLETED")
    (job,) = read(answer((RUNNING,), (done,))).jobs
    assert job.state == "COMPLETED"


def test_a_number_that_a_new_controller_gives_again_is_another_job() -> None:
    found = read(answer((RUNNING,), (ended(JobId="11"),)))
    assert [job.state for job in found.jobs] == ["FAILED", "RUNNING"]


@pytest.mark.parametrize("name", ["two words", "JobState=X Partition=y", "a=b|c", "", "x" * 500, "ü"])
def test_odd_names_are_names(name: str) -> None:
    assert only(ended(Name=name)).name == name


def test_odd_folders_do_no_harm() -> None:
    assert only(ended(WorkDir="/w o/ReservationName= SubmitTime=x EligibleTime=y")).exit == "0:9"


def test_a_task_of_an_array_has_the_arrays_number() -> None:
    assert only(ended(JobId="7", ArrayJobId="4", ArrayTaskId="1")).number == "4_1"


def test_a_job_that_never_started_has_no_nodes_and_no_start() -> None:
    job = only(ended(JobState="CANCELLED", StartTime="Unknown", NodeList="(null)", ProcCnt="0"))
    assert (job.nodes, job.started, job.state) == ("", None, "CANCELLED")


def test_a_partition_without_a_limit_has_none() -> None:
    assert only(ended(TimeLimit="UNLIMITED")).limit is None
    (job,) = read(answer((RUNNING.replace("|5:00|", "|UNLIMITED|"),))).jobs
    assert job.limit is None


@pytest.mark.parametrize("line", ["JobId=3 UserId=lab(10", "nonsense", ended(JobId="x"), ended()[:-20]])
def test_a_line_in_no_known_format_is_counted_and_the_others_are_read(line: str) -> None:
    found = read(answer((RUNNING, "slurm_load_jobs error"), (line, ended())))
    assert ([job.number for job in found.jobs], found.unread) == (["3", "11"], 2)


def test_no_jobs_at_all_are_no_error() -> None:
    assert read(answer()).jobs == ()


def test_the_table_has_a_line_per_job_with_what_it_waited_and_ran() -> None:
    heading, pending, running, failed = list_of_slurm_jobs(read(answer((PENDING, RUNNING), (ended(),))))
    assert heading.split() == list(HEADINGS)
    first = ["long", "pending", "Resources", "-", "2", "12:09:00", "0:01:00", "-", "12:00:00", "-"]
    assert pending.split()[-len(first) :] == first
    second = ["11", "job.sh", "short", "running", "-", "node-[1-2]", "4", "12:08:00", "0:01:30", "0:00:30"]
    assert running.split() == [*second, "0:05:00", "-"]
    third = ["3", "eat", "short", "failed", "-", "node-1", "2", "12:00:00", "0:00:10", "0:00:02", "0:05:00", "0:9"]
    assert failed.split() == third


@pytest.mark.parametrize("text", ["", "\n", "\n\n"])
def test_an_answer_that_was_lost_is_told(text: str) -> None:
    with pytest.raises(ParlabError, match="has lost the answer"):
        read(text)
