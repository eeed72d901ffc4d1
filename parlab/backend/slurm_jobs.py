"""The jobs that a cluster's Slurm knows: those in its queue, and those that have ended, from its file of ended jobs.

The file has a line for each job that has ended, in the words of Slurm's plugin jobcomp/filetxt, until the cluster is
taken down. All times are by the head's clock, without a time zone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from docker.client import DockerClient

from parlab.backend.exec import Exec
from parlab.errors import ParlabError

SECONDS = 5  # for Slurm's answer
FIELDS = "%i|%P|%T|%r|%N|%C|%V|%S|%l|%j"  # the name is last: only it may have any letter
# It waits until its input ends: what it wrote at once might come with the engine's answer to its start, and the SDK
# drops that. The queue comes first: a job that ends meanwhile is in both answers, not in neither.
ASK = f"""cat >/dev/null
date +%FT%T
SLURM_TIME_FORMAT=standard timeout {SECONDS} squeue --noheader --format='{FIELDS}' || exit 1
echo
cat "${{SLURM_CONF%/*}}/jobs.txt" 2>/dev/null || :"""
# In the file's order; a name and a folder may have blanks, and words such as `JobState=`.
ENDED = re.compile(
    r"JobId=(?P<job>\d+) UserId=.*? GroupId=.*? Name=(?P<name>.*) JobState=(?P<state>[A-Z_]+) "
    r"Partition=(?P<partition>\S*) "
    r"TimeLimit=(?P<limit>\S+) StartTime=(?P<start>\S+) EndTime=(?P<end>\S+) NodeList=(?P<nodes>\S*) NodeCnt=\d+ "
    r"ProcCnt=(?P<cores>\d+) WorkDir=.* ReservationName=.* SubmitTime=(?P<submit>\S+) EligibleTime=\S+"
    r"(?: ArrayJobId=(?P<array>\d+) ArrayTaskId=(?P<task>\d+))?(?: HetJobId=\d+ HetJobOffset=\d+)?"
    r" DerivedExitCode=\S+ ExitCode=(?P<exit>\d+:\d+) *"
)
LIMIT = re.compile(r"(?:(?P<days>\d+)-)?(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d\d)")


@dataclass(frozen=True)
class SlurmJob:
    """A job: `number` is Slurm's, `12_3` for a task of an array; `reason` tells why it waits; None: unknown, or none.

    `exit` is the exit code and the signal, e.g. `1:0`; '' before the end.
    """

    number: str
    name: str
    partition: str
    state: str
    reason: str
    nodes: str
    cores: int
    submitted: datetime | None
    started: datetime | None
    ended: datetime | None
    limit: timedelta | None
    exit: str = ""


@dataclass(frozen=True)
class SlurmJobs:
    """The jobs, in the order of their submission, and the head's time when they were asked for."""

    now: datetime
    jobs: tuple[SlurmJob, ...]
    unread: int = 0  # lines in no known format


def ask(client: DockerClient, head: str) -> SlurmJobs:
    """Ask Slurm on this head for its jobs. Raises ParlabError if it does not answer."""
    said, wrong = bytearray(), bytearray()
    command = Exec(client, head, ["sh", "-c", ASK])
    code = command.finish(lambda stream, piece: (said if stream == 1 else wrong).extend(piece))
    if code != 0:
        told = wrong.decode(errors="replace").strip() or f"it has not answered in {SECONDS} s"
        raise ParlabError(f"Slurm does not list its jobs: {told}")
    return read(said.decode(errors="replace"))


def read(text: str) -> SlurmJobs:
    """Read the answer to ASK: the time, the queue, an empty line, and the file of ended jobs.

    Raises ParlabError for an answer without its first line.
    """
    first, _, rest = text.partition("\n")
    if (now := _time(first)) is None:
        raise ParlabError("Slurm does not list its jobs: the engine has lost the answer. Retry")
    queue, _, file = rest.partition("\n\n") if not rest.startswith("\n") else ("", "", rest[1:])
    ended = [_ended(line) for line in file.splitlines()]
    known = [job for job in ended if job is not None]
    over = {(job.number, job.submitted) for job in known}
    waiting = [_queued(line) for line in queue.splitlines() if line]
    alive = [job for job in waiting if job is not None and (job.number, job.submitted) not in over]
    unread = ended.count(None) + waiting.count(None)
    by_time = sorted([*known, *alive], key=lambda job: (job.submitted or datetime.min, *_digits(job.number)))
    return SlurmJobs(now, tuple(by_time), unread)


def _digits(number: str) -> Iterator[int]:
    return map(int, re.findall(r"\d+", number))


def _queued(line: str) -> SlurmJob | None:
    """A line of the queue; None if it is in no known format."""
    number, *others = line.split("|", 9)
    if len(others) != 9 or not others[4].isdigit():
        return None
    partition, state, reason, nodes, cores, submitted, started, limit, name = others
    start = None if state == "PENDING" else _time(started)  # of one that waits, it is Slurm's guess
    why = "" if reason == "None" else reason
    times = (_time(submitted), start, None)
    return SlurmJob(number, name, partition, state, why, nodes, int(cores), *times, _limit(limit))


def _ended(line: str) -> SlurmJob | None:
    """A line of the file; None if it is in no known format."""
    if (found := ENDED.fullmatch(line)) is None:
        return None
    number = found["job"] if found["array"] is None else f"{found['array']}_{found['task']}"
    nodes = "" if found["nodes"] == "(null)" else found["nodes"]
    limit = timedelta(minutes=int(found["limit"])) if found["limit"].isdigit() else None
    times = (_time(found["submit"]), _time(found["start"]) if nodes else None, _time(found["end"]))
    what = (found["name"], found["partition"], found["state"], "", nodes, int(found["cores"]))
    return SlurmJob(number, *what, *times, limit, found["exit"])


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # Unknown, N/A
        return None


def _limit(text: str) -> timedelta | None:
    """A time limit of squeue, e.g. 5:00 or 1-00:00:00; None if there is none."""
    if (found := LIMIT.fullmatch(text)) is None:
        return None
    return timedelta(**{unit: int(count or 0) for unit, count in found.groupdict().items()})
