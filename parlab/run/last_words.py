"""The last output of a failed launch: the program's own before Open MPI's, and the rank that ended first.

Open MPI reports the end of a process at length, between two lines of dashes, and below that possible remedies. That is
shown only if the program itself has written nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST = 12  # lines in an error
RULE = re.compile(r"\s*-{20,}\s*")
BY_CODE = re.compile(r"Process name: \[\S*,(?P<rank>\d+)\]\s+Exit code:\s+(?P<code>\d+)")
BY_SIGNAL = re.compile(
    r"process rank (?P<rank>\d+) with PID \d+ on node \S+ exited on\s+signal (?P<signal>\d+) \((?P<name>[^)]+)\)"
)
BY_ABORT = re.compile(r"MPI_ABORT was invoked on rank (?P<rank>\d+)")
# On a fatal signal Python prints the stack: the frames that lead to the lab's file explain nothing.
OURS = re.compile(
    r'\s*File "(<frozen \S+>|\S*/parlab/(node/\w+|task/\w+|lab)\.py|\S*/mpi4py/\S+\.py)", line \d+ in '
    r"|Extension modules: "
)
NOTICES = re.compile(
    r"plm:ssh: Warning: setpgid|This error may be ignored|\[\S+:\d+\] \d+ more process|^(srun|slurmstepd\S*|sbatch): "
)
BY_SRUN = re.compile(r"srun: error: \S+: tasks? (?P<rank>\d+)[\d,-]*: (?P<how>.*\S)\s*")


@dataclass(frozen=True)
class End:
    """The rank that ended first, and how it ended."""

    rank: int
    how: str


def last_words(lines: Sequence[str]) -> list[str]:
    """The program's own last lines; Open MPI's if there are none, and if it says more than which rank ended."""
    own = of_the_program(lines)
    if not own and first_end(lines) is None:
        own = [line for line in lines if line.strip() and not RULE.fullmatch(line)]
    return own[-MOST:]


def of_the_program(lines: Sequence[str]) -> list[str]:
    """The lines that the program itself has written, without those of Open MPI."""
    return [line for line in _outside(lines) if line.strip() and not OURS.match(line) and not NOTICES.search(line)]


def first_end(lines: Sequence[str]) -> End | None:
    """The rank that ended first, according to Open MPI or Slurm; None if they do not say."""
    text = " ".join(" ".join(lines).split())
    if found := BY_SIGNAL.search(text):
        return End(int(found["rank"]), f"by signal {found['signal']}, {found['name'].lower()}")
    if found := BY_CODE.search(text):
        return End(int(found["rank"]), f"with exit code {found['code']}")
    if found := BY_ABORT.search(text):
        return End(int(found["rank"]), "by MPI_Abort")
    if found := next(filter(None, map(BY_SRUN.fullmatch, lines)), None):
        return End(int(found["rank"]), _in_words(found["how"]))
    return None


def _in_words(how: str) -> str:
    """How a task ended, from srun's words: `Exited with exit code 3`, or a signal's name such as `Killed`."""
    code = how.removeprefix("Exited ")
    return code if code != how else f"by a signal, {how.lower()}"


def _outside(lines: Sequence[str]) -> Iterator[str]:
    """The lines outside all pairs of rules; a rule without a second one hides nothing."""
    rules = [number for number, line in enumerate(lines) if RULE.fullmatch(line)]
    pairs = list(zip(rules[::2], rules[1::2], strict=False))
    for number, line in enumerate(lines):
        if not RULE.fullmatch(line) and not any(first < number < last for first, last in pairs):
            yield line
