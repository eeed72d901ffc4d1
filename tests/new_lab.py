"""A lab written by `new`, on any backend: it runs unchanged, and its checks pass."""

from pathlib import Path

from parlab.errors import EXIT_NOT_A_MEASUREMENT
from parlab.results.record import Answer
from parlab.results.store import read_json
from tests.copied import copy_of_the_project, invoke_in
from tests.measuring import measured


def see_that_a_new_lab_runs(folder: Path, *where: str) -> None:
    """Write a lab in a copy of the project, and run it with --check; `where` holds further options."""
    checkout = copy_of_the_project(folder)
    written = invoke_in(checkout, "new", "fresh")
    assert (written.returncode, written.stderr) == (0, "")
    assert written.stdout.startswith("labs/fresh.py is written: ")
    assert "lab.fresh --check" in written.stdout
    done = invoke_in(checkout, "lab.fresh", *where, "--check", "--json", "r.json")
    assert done.returncode in (0, EXIT_NOT_A_MEASUREMENT), done.stdout + done.stderr
    run = read_json(checkout / "r.json")
    assert [case.name for case in run.cases] == ["loop", "pool(workers=2)"]
    assert run.verdict.correct.answer is Answer.YES
    measured(run.verdict)
    assert done.returncode == 0, done.stdout
    assert [claim.answer for claim in run.verdict.claims] == [Answer.YES]
