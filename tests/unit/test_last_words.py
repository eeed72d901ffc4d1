"""What a launch that failed said last, from recorded output of Open MPI 5.0."""

import pytest

from parlab.run.last_words import End, first_end, last_words

RULE = "-" * 74
BY_CODE = [
    RULE,
    "prterun detected that one or more processes exited with non-zero status,",
    "thus causing the job to be terminated. The first process to do so was:",
    "",
    "   Process name: [prterun-head-19674@1,1]",
    "   Exit code:    3",
    RULE,
]
BY_SIGNAL = [
    RULE,
    "prterun noticed that process rank 2 with PID 19439 on node node-1 exited on",
    "signal 11 (Segmentation fault).",
    RULE,
]
ABORT = [
    RULE,
    "MPI_ABORT was invoked on rank 0 in communicator MPI_COMM_WORLD",
    "  Proc: [[12345,1],0]",
    "  Errorcode: 1",
    "",
    "NOTE: invoking MPI_ABORT causes Open MPI to kill all MPI processes.",
    RULE,
]
FATAL = [
    "Fatal Python error: Segmentation fault",
    "Stack (most recent call first):",
    '  File "lab.py", line 10 in work',
    '  File "/x/parlab/task/recorder.py", line 222 in __call__',
    '  File "/x/site-packages/mpi4py/futures/_core.py", line 844 in call',
    '  File "<frozen runpy>", line 88 in _run_code',
    "Extension modules: msgspec._core, mpi4py.MPI (total: 2)",
]
LOST = [
    RULE,
    "PRTE has lost communication with a remote daemon.",
    "  HNP daemon   : [prterun-head-1@0,0] on node head",
    RULE,
]


@pytest.mark.parametrize(
    ("lines", "words", "end"),
    [
        (BY_CODE, [], End(1, "with exit code 3")),
        (["oh", *BY_CODE], ["oh"], End(1, "with exit code 3")),
        ([*FATAL, *BY_SIGNAL], FATAL[:3], End(2, "by signal 11, segmentation fault")),
        (
            ["ModuleNotFoundError: No module named 'tqdm'", *ABORT],
            ["ModuleNotFoundError: No module named 'tqdm'"],
            End(0, "by MPI_Abort"),
        ),
        (LOST, LOST[1:3], None),
        (["of the lab's own", RULE, "after one rule"], ["of the lab's own", "after one rule"], None),
        (["plm:ssh: Warning: setpgid(1,1) failed in parent with errno=Permission denied(13)", "oh"], ["oh"], None),
        ([], [], None),
    ],
)
def test_the_programs_own_words_come_first(lines: list[str], words: list[str], end: End | None) -> None:
    assert last_words(lines) == words
    assert first_end(lines) == end


def test_of_many_lines_the_last_are_told() -> None:
    assert last_words([str(number) for number in range(100)]) == [str(number) for number in range(88, 100)]


BY_SRUN = [
    "srun: error: node-1: task 3: Exited with exit code 7",
    "srun: Terminating StepId=4.0",
    "slurmstepd-node-2: error: *** STEP 4.0 ON head CANCELLED AT 2026-01-01T00:00:00 ***",
    "srun: error: node-2: tasks 4-5: Terminated",
]


def test_the_first_end_that_slurm_tells_counts() -> None:
    assert first_end(["its own line", *BY_SRUN]) == End(3, "with exit code 7")
    killed = ["srun: error: head: task 0: Segmentation fault", *BY_SRUN]
    assert first_end(killed) == End(0, "by a signal, segmentation fault")


def test_what_slurm_says_is_not_the_programs() -> None:
    assert last_words(["its own line", *BY_SRUN]) == ["its own line"]
