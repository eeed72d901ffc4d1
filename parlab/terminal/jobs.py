"""The table of jobs: runs in the background."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from parlab.host.detached import Detached, Report, State
from parlab.terminal.tables import plain_table

STYLES = {
    State.WAITING: "yellow",
    State.RUNNING: "cyan",
    State.DONE: "green",
    State.FAILED: "bold red",
    State.CANCELLED: "yellow",
    State.LOST: "bold red",
}


HEADINGS = ("", "state", "started", "time", "cluster")
LEAST = 12  # columns for a program


def list_of_jobs(jobs: Sequence[tuple[Detached, Report]], width: int) -> Table:
    """A row per job, with its number; a program too long for a table of that width is cut off."""
    rows = [_cells(job, report) for job, report in jobs]
    room = width - sum(2 + max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True))
    table = plain_table(*HEADINGS, "program")
    for (job, report), (number, state, *others) in zip(jobs, rows, strict=True):
        program = Text("".join(letter if letter.isprintable() else "?" for letter in job.about.program))
        program.truncate(max(LEAST, room), overflow="ellipsis")
        table.add_row(number, Text(state, STYLES[report.state]), *others, program)
    return table


def _cells(job: Detached, report: Report) -> tuple[str, ...]:
    return (
        str(job.number),
        str(report),
        f"{datetime.fromtimestamp(job.started):%d %b %H:%M}",
        lasted(report.lasted_s),
        "embedded" if job.about.backend == "embedded" else job.about.cluster,
    )


def lasted(seconds: float | None) -> str:
    """A duration such as `0:00:07`, in whole seconds; `-` if it is not known."""
    return "-" if seconds is None else str(timedelta(seconds=int(seconds)))
