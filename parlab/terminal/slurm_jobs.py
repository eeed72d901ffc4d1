"""The table of a cluster's Slurm jobs, with the columns of `sacct`."""

from collections.abc import Iterator
from datetime import datetime

from parlab.backend.slurm_jobs import SlurmJob, SlurmJobs
from parlab.terminal.jobs import lasted

HEADINGS = (
    *("id", "name", "partition", "state", "reason", "nodes", "cores"),
    *("submitted", "waited", "ran", "limit", "exit"),
)
LONGEST = 24  # columns for a name


def list_of_slurm_jobs(found: SlurmJobs) -> Iterator[str]:
    """A line per job, the newest first, below the headings. No line is cut to the terminal: scripts read them."""
    rows = [HEADINGS, *(_cells(job, found.now) for job in reversed(found.jobs))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(job: SlurmJob, now: datetime) -> tuple[str, ...]:
    name = "".join(letter if letter.isprintable() else "?" for letter in job.name)
    return (
        job.number,
        name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}...",
        job.partition,
        job.state.lower(),
        job.reason or "-",
        job.nodes or "-",
        str(job.cores),
        "-" if job.submitted is None else f"{job.submitted:%H:%M:%S}",
        _between(job.submitted, job.started or job.ended or now),
        "-" if job.started is None else _between(job.started, job.ended or now),
        "none" if job.limit is None else lasted(job.limit.total_seconds()),
        job.exit or "-",
    )


def _between(first: datetime | None, last: datetime) -> str:
    return lasted(None if first is None else max(0.0, (last - first).total_seconds()))
