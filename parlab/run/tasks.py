"""The tasks of a traced program: its ranks' logs (parlab/node/hook/parlab_log.py), joined into spans."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from parlab.model.span import OK, Span
from parlab.node.hook.parlab_log import (
    DONE,
    LIBRARIES,
    MOST_BYTES,
    NO_LIBRARY,
    NOTE,
    PAGE,
    PIECE,
    RECEIVED,
    SUBMITTED,
    TASK,
    TEXT,
)

MOST_TASKS = 100_000  # of a run; the first are kept
FORMS = {SUBMITTED: PIECE, RECEIVED: PIECE, DONE: TASK, NOTE: TEXT}
RANKS = LIBRARIES.index("mpi4py.futures._core")

Key = tuple[int, int, int, int, int]  # rank, or -1 if another rank ran it; library, owner, job, piece


@dataclass(frozen=True)
class Tasks:
    """The tasks of one run in the order of their submission, and notes about the trace.

    `left` is the number of submitted pieces whose end was not logged: they were cancelled, or their worker was ended,
    or is not observed.
    """

    spans: tuple[Span, ...]
    left: int = 0
    notes: tuple[str, ...] = ()


class _Done(NamedTuple):
    """A task as its worker has logged it; the fields of TASK from the sixth on."""

    number: int
    pid: int
    thread: int
    started: float
    finished: float
    cpu_s: float
    raised: bytes


def join(logs: Mapping[int, bytes], nodes: Mapping[int, str]) -> Tasks:
    """The tasks from the ranks' logs; `nodes` are the names of the ranks' nodes."""
    stamps: dict[bytes, dict[Key, float]] = {SUBMITTED: {}, RECEIVED: {}}
    done: list[tuple[float, Key, int, _Done]] = []
    notes: list[str] = []
    for rank, log in sorted(logs.items()):
        for what, (library, *fields) in _records(log):
            if what == NOTE:
                text = _text(fields[0])
                notes.append(text if library == NO_LIBRARY else f"{LIBRARIES[library]}: {text}")
                continue
            owner, job, piece, *rest = fields
            key = (-1 if library == RANKS and owner >= 0 else rank, library, owner, job, piece)
            if what == DONE:
                told = _Done(*rest)
                done.append((told.started, key, rank, told))
            else:
                stamps[what][key] = rest[0]
        if len(log) > MOST_BYTES:
            notes.append(f"rank {rank} has done more tasks than the trace holds: the first are shown")
    done.sort(key=itemgetter(0))
    if len(done) > MOST_TASKS:
        notes.append(f"of {len(done)} tasks the first {MOST_TASKS} are shown")
    whole = all(len(log) <= MOST_BYTES for log in logs.values())
    left = stamps[SUBMITTED].keys() - {key for _, key, _, _ in done} if whole else ()
    spans = []
    for started, key, rank, told in done[:MOST_TASKS]:
        submitted, received = stamps[SUBMITTED].get(key, started), stamps[RECEIVED].get(key, told.finished)
        spans.append(_span(told, submitted, received, nodes.get(rank, ""), rank))
    return Tasks(tuple(sorted(spans, key=attrgetter("submitted", "started"))), len(left), tuple(dict.fromkeys(notes)))


def _records(log: bytes) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
    """The records of a log, page by page. An unfilled one is zero, or was being filled when its process was killed."""
    for at in range(0, len(log) - PAGE + 1, PAGE):
        form = FORMS.get(log[at : at + 1])
        for what, *fields in form.iter_unpack(log[at : at + PAGE]) if form is not None else ():
            if FORMS.get(what) is form and (what != DONE or fields[8] >= fields[7] > 0):
                yield what, tuple(fields)


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode(errors="replace")


def _span(done: _Done, submitted: float, received: float, node: str, rank: int) -> Span:
    return Span(
        submitted=min(done.started, submitted),
        started=done.started,
        finished=done.finished,
        received=max(done.finished, received),
        cpu_s=done.cpu_s,
        process_cpu_s=done.cpu_s,
        waited_s=0.0,
        run_delay_s=None,
        node=node,
        rank=rank,
        pid=done.pid,
        thread=done.thread,
        outcome=_text(done.raised) or OK,
    )
