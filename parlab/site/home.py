"""A site's record comes home: read, checked, and made a Run like that of a program here.

    parlab_site  1, the format; export {name, command[], launch, ranks, nodes, site}; began, ended (seconds since 1970)
    exit_code    the launcher's; job {variables of the batch system}
    ranks[]      {rank, host, pid, began, ended, code (below 0: a signal), cpu_s, peak (bytes), cores, quota (CPUs of
                 its node, or null), on {platform, kernel, architecture, cpu, cpus, python}}

Times are those of each node's own clock: a site keeps its clocks together, within milliseconds.
"""

import hashlib
from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from parlab.errors import UsageError
from parlab.formatting import decimal
from parlab.model.case import MPI, PYTHON, RIGHT, Demand
from parlab.model.job_events import PEAK
from parlab.model.span import OK, Span
from parlab.model.spec import Spec
from parlab.model.workers import Workforce, in_order
from parlab.results.record import Answer, Finding, MeasuredCase, Repeat, Run, Verdict
from parlab.results.store import in_id

MOST_BYTES = 64_000_000
SITE = "site"  # the backend of such a run
FINEST = 64  # parts of a core
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
Host = Annotated[str, msgspec.Meta(pattern=r"\A[\w.-]{1,200}\Z")]


class Exported(msgspec.Struct, frozen=True):
    """What was exported."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    command: tuple[str, ...]
    launch: Literal["python", "mpi"]
    ranks: Count
    nodes: Count
    site: str


class Rank(msgspec.Struct, frozen=True):
    """A rank's life."""

    rank: Annotated[int, msgspec.Meta(ge=0)]
    host: Host
    pid: int
    began: Seconds
    ended: Seconds
    code: int
    cpu_s: Seconds
    peak: Annotated[int, msgspec.Meta(ge=0)]
    cores: Count
    quota: Annotated[float, msgspec.Meta(gt=0)] | None
    on: dict[str, str | int]


class SiteRecord(msgspec.Struct, frozen=True):
    """The whole record."""

    parlab_site: Literal[1]
    export: Exported
    began: Seconds
    ended: Seconds
    exit_code: int
    job: dict[str, str]
    ranks: Annotated[tuple[Rank, ...], msgspec.Meta(min_length=1)]


def read_home(path: Path) -> Run:
    """Read a site's record. Raises UsageError, in one line, for a file that is none, or that is damaged."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than any record of a site")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"No record {str(path)!r}: {error.strerror}") from error
    try:
        found = msgspec.json.decode(data, type=SiteRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        told = str(error).replace("`", "")
        raise UsageError(f"{path}: {told}. It is damaged, or not a record of an exported program.") from error
    numbers = [rank.rank for rank in found.ranks]
    if len(set(numbers)) < len(numbers) or max(numbers) >= found.export.ranks:
        raise UsageError(f"{path}: ranks {', '.join(map(str, numbers))} of {found.export.ranks}. It is damaged.")
    return run_of(found, hashlib.sha256(data).hexdigest()[:6])


def run_of(found: SiteRecord, digest: str) -> Run:
    """The Run of a site's record; the same record has the same id."""
    sent, began = found.export, datetime.fromtimestamp(found.began, UTC)
    hosts, spec = in_order({rank.host for rank in found.ranks}), _spec(found)
    repeat = _repeat(found)
    return Run(
        id=f"{began:%Y%m%dT%H%M%SZ}-{in_id(sent.name)}-{digest}",
        started=began.astimezone().isoformat(timespec="seconds"),
        lab=sent.name,
        backend=SITE,
        spec=spec,
        cases=(
            MeasuredCase(
                name=sent.name if sent.launch == PYTHON else f"{sent.name}(ranks={sent.ranks})",
                settings={"ranks": sent.ranks} if sent.launch == MPI else {},
                spec=spec,
                tasks=(Demand(0.0, 0.0),) * sent.ranks,
                workforce=Workforce(sent.ranks, min(len(hosts), sent.ranks), spec.cores),
                ideal_s=None,
                serial_s=None,
                repeats=(repeat,),
                launch=sent.launch,
                nodes=("head", *hosts),
            ),
        ),
        verdict=_verdict(repeat, found),
        environment=_environment(found),
        command=("python", *sent.command),
        exit_code=found.exit_code,
    )


def _spec(found: SiteRecord) -> Spec:
    """The nodes that it ran on. A core is a whole one, unless the kernel told of a limit."""
    cores = max(rank.cores for rank in found.ranks)
    quotas = [rank.quota for rank in found.ranks if rank.quota is not None]
    speed = Fraction(min([*quotas, float(cores)]) / cores).limit_denominator(FINEST)
    return Spec(len({rank.host for rank in found.ranks}), cores, max(speed, Fraction(1, FINEST)), unit=1.0)


def _repeat(found: SiteRecord) -> Repeat:
    first = min(rank.began for rank in found.ranks)
    peaks: dict[str, float] = defaultdict(float)
    for rank in found.ranks:
        peaks[f"{PEAK}{rank.host}"] += rank.peak / 1e6
    complaint = _complaint(found)
    return Repeat(
        spans=tuple(_span(rank, first) for rank in found.ranks),
        outcome=RIGHT if complaint is None else f"exit code {found.exit_code}" if found.exit_code else "ranks missing",
        complaint=complaint,
        startup_s=max(0.0, first - found.began),
        shutdown_s=max(0.0, found.ended - max(rank.ended for rank in found.ranks)),
        metrics=dict(peaks),
    )


def _complaint(found: SiteRecord) -> str | None:
    silent = sorted(set(range(found.export.ranks)) - {rank.rank for rank in found.ranks})
    said = [f"exit code {found.exit_code} is the launcher's"] if found.exit_code else []
    said += [f"rank {rank.rank} on {rank.host} ended with {_how(rank.code)}" for rank in found.ranks if rank.code][:3]
    if silent:
        which = f"{'rank' if len(silent) == 1 else 'ranks'} {', '.join(map(str, silent[:8]))}"
        killed = "killed with the job, as it seems" if found.exit_code else "perhaps a node does not see the directory"
        said.append(f"nothing was noted of {which}, {killed}")
    return "; ".join(said) or None


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _span(rank: Rank, first: float) -> Span:
    began, ended = rank.began - first, max(rank.began, rank.ended) - first
    return Span(
        submitted=began,
        started=began,
        finished=ended,
        received=ended,
        cpu_s=rank.cpu_s,
        process_cpu_s=rank.cpu_s,
        waited_s=0.0,
        run_delay_s=None,
        node=rank.host,
        rank=rank.rank,
        pid=rank.pid,
        thread=0,
        outcome=OK if rank.code == 0 else _how(rank.code),
    )


def _verdict(repeat: Repeat, found: SiteRecord) -> Verdict:
    """At a site nothing is held, and nobody watched the other users of its nodes."""
    right = repeat.complaint is None
    quotas = sorted({rank.quota for rank in found.ranks if rank.quota is not None})
    limits = f"its nodes had {' to '.join(map(decimal, quotas))} CPUs" if quotas else "its nodes had no limit"
    return Verdict(
        correct=Finding(Answer.YES, "it ended with exit code 0")
        if right
        else Finding(Answer.NO, str(repeat.complaint), f"the output of the job at {found.export.site} may tell more"),
        held=Finding(Answer.CANNOT, f"it ran at a site, {limits}: parlab set none, and read none back"),
        quiet=Finding(Answer.CANNOT, "it ran at a site: what else its nodes did is unknown"),
        reproduced=Finding(Answer.NO_CLAIMS, "a program makes none"),
        claims=(),
    )


def _environment(found: SiteRecord) -> dict[str, Any]:
    """The site's host, by rank 0's node; what differs among nodes is told as `several`."""
    names = dict.fromkeys(name for rank in found.ranks for name in rank.on)
    values = {name: in_order({str(rank.on[name]) for rank in found.ranks if name in rank.on}) for name in names}
    first = found.ranks[0].on
    host = {name: first.get(name) if len(each) == 1 else f"several: {', '.join(each)}" for name, each in values.items()}
    return {**host, "site": found.export.site, **found.job}
