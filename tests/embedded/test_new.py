"""`new` writes a lab that runs as it is, and that the suite's own checks of labs accept; bad names write nothing."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.copied import CHECKED, copy_of_the_project, invoke_in, run_in
from tests.new_lab import see_that_a_new_lab_runs

OF_LABS = ("tests/unit/test_catalog.py", "tests/unit/test_handout.py", "tests/embedded/test_declare.py")


@pytest.mark.judged
def test_a_new_lab_runs_and_its_claim_is_shown(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)  # of an earlier try
    tmp_path.mkdir()
    see_that_a_new_lab_runs(tmp_path, "--backend", "embedded")


def test_the_suites_checks_of_labs_accept_a_new_one_and_it_is_the_last_of_the_course(tmp_path: Path) -> None:
    checkout = copy_of_the_project(tmp_path, *CHECKED)
    assert invoke_in(checkout, "new", "fresh").returncode == 0
    done = run_in(checkout, "pytest", "-q", "-p", "no:cacheprovider", *OF_LABS, "-k", "fresh or one_line_of_labs")
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.rpartition(" passed")[0].split()[-1]) >= 6, done.stdout
    listed = [line.split()[0] for line in invoke_in(checkout, "labs").stdout.splitlines() if line[:1].isalpha()]
    assert listed.index("fresh") > listed.index("reach")
    assert "TODO" not in (checkout / "labs/fresh.py").read_text()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mpi", "labs/mpi.py is there"),
        ("Class-1", "use letters, digits and _"),
        ("1st", "use letters, digits and _"),
        ("../out", "use letters, digits and _"),
        ("", "use letters, digits and _"),
        ("__init__", "use letters, digits and _"),
        ("new", "it is a task"),
        ("class", "it is a word of Python's own"),
        ("all", "it is a task"),
        ("labs", "it is a task"),
        ("run", "it is a task"),
        ("json", "it would hide the module of that name"),
        ("numpy", "it would hide the module of that name"),
        ("invoke", "it would hide the module of that name"),
        ("parlab", "it would hide the module of that name"),
    ],
)
def test_a_name_that_a_lab_cannot_have_is_refused_in_a_line(name: str, why: str) -> None:
    before = sorted((ROOT / "labs").iterdir())
    done = invoke_in(ROOT, "new", name)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("usage: ")
    assert why in line
    assert sorted((ROOT / "labs").iterdir()) == before
