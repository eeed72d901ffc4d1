"""The logs of a traced program's ranks are joined into spans, and told in lines."""

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from parlab.node.hook import parlab_log
from parlab.node.hook.parlab_log import DONE, LIBRARIES, MOST_BYTES, NOTE, PAGE, PIECE, RECEIVED, SUBMITTED, TASK, TEXT
from parlab.results.record import Run
from parlab.run import tasks
from parlab.run.tasks import Tasks, join
from parlab.terminal.job import of_tasks
from tests.unit.samples import case, repeat, run, span

POOL, RANKS = LIBRARIES.index("multiprocessing.pool"), LIBRARIES.index("mpi4py.futures._core")
NODES = {0: "head", 1: "node-1", 2: "node-2"}


def piece(what: bytes, at: float, *, library: int = POOL, owner: int = 10, job: int = 0, number: int = 0) -> bytes:
    return PIECE.pack(what, library, owner, job, number, at).ljust(PAGE, b"\0")  # a page for each


def done(
    started: float, *, library: int = POOL, owner: int = 10, job: int = 0, number: int = 0, raised: bytes = b""
) -> bytes:
    fields = (library, owner, job, number, 0, 11, 1 << 47, started, started + 1, 0.5, raised)
    return TASK.pack(DONE, *fields).ljust(PAGE, b"\0")


def test_who_hands_a_task_out_and_who_does_it_are_joined_by_its_key() -> None:
    log = piece(SUBMITTED, 1.0) + piece(SUBMITTED, 2.0, number=1) + done(4.0, number=1, raised=b"KeyError")
    log += done(3.0) + piece(RECEIVED, 9.0) + piece(RECEIVED, 8.0, number=1)
    found = join({1: log}, NODES)
    assert [(s.submitted, s.started, s.finished, s.received) for s in found.spans] == [(1, 3, 4, 9), (2, 4, 5, 8)]
    assert [s.outcome for s in found.spans] == ["ok", "KeyError"]
    assert {(s.node, s.rank, s.pid, s.thread, s.cpu_s) for s in found.spans} == {("node-1", 1, 11, 1 << 47, 0.5)}
    assert (found.left, found.notes) == (0, ())


def test_what_one_of_both_has_told_of_is_a_task_or_is_left() -> None:
    found = join({1: done(3.0) + piece(SUBMITTED, 1.0, job=7) + piece(SUBMITTED, 1.0, job=8)}, NODES)
    (alone,) = found.spans
    assert (alone.submitted, alone.received) == (3, 4)
    assert found.left == 2


def test_processes_of_one_number_on_two_ranks_are_two() -> None:
    found = join({1: piece(SUBMITTED, 1.0) + done(3.0), 2: piece(SUBMITTED, 2.0) + done(3.0)}, NODES)
    assert [(s.node, s.submitted) for s in found.spans] == [("node-1", 1), ("node-2", 2)]


def test_a_rank_does_what_another_has_handed_out() -> None:
    sent = {"library": RANKS, "owner": 0, "job": 2}
    found = join({0: piece(SUBMITTED, 1.0, **sent) + piece(RECEIVED, 5.0, **sent), 2: done(3.0, **sent)}, NODES)  # type: ignore[arg-type]
    (one,) = found.spans
    assert (one.node, one.rank, one.submitted, one.received) == ("node-2", 2, 1, 5)


@pytest.mark.parametrize("other", [b"", b"S", bytes(PAGE), b"?" * PAGE, TASK.pack(DONE, *[0] * 10, b"").ljust(PAGE)])
def test_what_is_not_filled_in_is_no_record(other: bytes) -> None:
    assert len(join({1: done(3.0) + other.ljust(PAGE, b"\0") + done(4.0) + other}, NODES).spans) == 2


def test_each_process_and_each_kind_of_record_has_pages_of_its_own(tmp_path: Path) -> None:
    log = parlab_log.Log(str(tmp_path))
    for number in range(300):
        log.piece(SUBMITTED, POOL, 10, 0, number, 1.0)
        if number == 100 and (child := os.fork()) == 0:
            log.piece(SUBMITTED, POOL, 10, 1, 0, 1.0)
            os._exit(0)
        doing = parlab_log.Doing(log, POOL, 10)
        doing.begin(0, number)
        doing.end(KeyError(number))
    assert os.waitpid(child, 0)[1] == 0
    found = join({1: (tmp_path / parlab_log.FILE).read_bytes()}, NODES)
    assert (len(found.spans), found.left) == (300, 1)
    assert {(span.submitted, span.outcome, span.pid) for span in found.spans} == {(1.0, "KeyError", os.getpid())}


def test_where_there_is_no_room_nothing_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = parlab_log.Log(str(tmp_path / "gone"))
    log.note(POOL, "anything")
    assert log.closed
    monkeypatch.setattr(parlab_log, "MOST_BYTES", 0)
    log = parlab_log.Log(str(tmp_path))
    for number in range(10_000):
        log.piece(SUBMITTED, POOL, 10, 0, number)
    assert log.closed
    size = (tmp_path / parlab_log.FILE).stat().st_size
    assert join({1: (tmp_path / parlab_log.FILE).read_bytes()}, NODES).left == size // PIECE.size


def test_too_many_are_told_of_and_each_note_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "MOST_TASKS", 2)
    note = TEXT.pack(NOTE, POOL, b"its tasks are not shown").ljust(PAGE, b"\0")
    log = (
        piece(SUBMITTED, 0.5, number=9) + note + done(3.0, number=1) + note + done(2.0, number=2) + done(1.0, number=3)
    )
    found = join({1: log, 2: note + bytes(MOST_BYTES)}, NODES)
    assert [span.started for span in found.spans] == [1, 2]
    assert found.left == 0, "of what was done after the log was full nobody has told"
    assert found.notes == (
        "multiprocessing.pool: its tasks are not shown",
        "rank 2 has done more tasks than the trace holds: the first are shown",
        "of 3 tasks the first 2 are shown",
    )


def test_a_long_chunk_is_told_up_to_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parlab_log, "MOST_IN_CHUNK", 3)
    found: list[Any] = []
    log: Any = SimpleNamespace(write=lambda _, *fields: found.append(fields))
    doing = parlab_log.Doing(log, POOL, 1)
    doing.begin(0, 0)
    assert list(doing.each(range(9))) == list(range(9))
    doing.end()
    doing.end()
    assert [fields[5] for fields in found] == [0, 1, 2]
    assert all(fields[9] == after[8] for fields, after in pairwise(found))


def shown(traced: Tasks, width: int = 72) -> list[str]:
    ranks = case(name="own")
    drawn = replace(case(repeat(traced.spans), name="own: tasks"), tasks=(), ideal_s=None)
    whole: Run = run(ranks, *([drawn] if traced.spans else []))
    outcome: Any = SimpleNamespace(tasks=traced)
    return list(of_tasks(whole, [outcome], width, plain=True))


def test_the_lines_say_how_many_how_long_and_how_busy() -> None:
    spans = tuple(span(start=start, seconds=seconds, pid=pid) for start, seconds, pid in ((10, 1, 1), (10, 4, 2)))
    failed = replace(span(start=12, seconds=2, pid=1), outcome="KeyError")
    lines = shown(Tasks((*spans, failed), left=3, notes=("a note",)))
    assert lines[:3] == [
        "trace       a note",
        "tasks       3 on 2 workers: median 2.00 s, longest 4.00 s; they were busy in 88 % of the time",
        "            1 raised; 3 more submitted, and not done",
    ]
    assert lines[3] == "own: tasks: measured 4.00 s"
    assert all(len(line) <= 72 for line in lines[3:])
    assert lines[4].startswith("  node-1      |##")


def test_a_program_without_tasks_has_one_line() -> None:
    assert shown(Tasks(())) == ["tasks       none seen in a pool or an executor that --trace knows"]


def test_a_traceback_has_no_line_of_ours_and_what_goes_wrong_in_ours_is_not_the_programs(tmp_path: Path) -> None:
    log = parlab_log.Log(str(tmp_path))

    def wrong(*_: Any) -> None:
        raise KeyError("ours")

    def theirs() -> int:
        return 1 // 0

    noted = log.noting(theirs)
    with pytest.raises(ZeroDivisionError) as caught:
        noted()
    assert [entry.name for entry in caught.traceback][1:] == ["theirs"]
    assert log.noting(lambda: 3, before=wrong)() == 3
    assert log.closed
    (note,) = join({0: (tmp_path / parlab_log.FILE).read_bytes()}, NODES).notes
    assert note == "tracing stopped in one process: KeyError: 'ours'"
    again = parlab_log.Log(str(tmp_path))
    assert again.noting(lambda: 4, after=wrong)() == 4
