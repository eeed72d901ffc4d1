"""All labs on this machine, and a lab that is added."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from parlab.course.catalog import lab_files
from parlab.errors import EXIT_NOT_A_MEASUREMENT
from parlab.model.declaration import Declaration
from parlab.results.store import read_json
from tests.conftest import Invoke, slow
from tests.copied import copy_of_the_project, invoke_in
from tests.measuring import measured
from tests.reading import declared_in

ADDED = '''"""added: a lab that nobody has seen before

Question   Does adding a file suffice?

Lessons    000
Follows    pool
Minutes    1
"""

from concurrent.futures import ThreadPoolExecutor

from parlab.lab import Lab, wait

lab = Lab(unit=0.05, cores=1, speed=1 / 8)


def work(number):
    wait(1)
    return number


@lab.serial
def one_after_another(task=work):
    return [task(number) for number in range(4)]


@lab.case(workers=[2, 4], threads=True)
def threads(task=work, *, workers):
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(task, range(4)))


@lab.expect
def more_threads_are_faster(cases):
    assert cases.find(threads, workers=4).units < cases.find(threads, workers=2).units


@lab.expect(limits=True)
def only_a_kernel_shows_this(cases):
    raise AssertionError("not here")


if __name__ == "__main__":
    lab.main()
'''
LONG = ("blas", "halo", "ipc", "maps", "mpi", "nested", "pool", "reduce")  # 8 to 23 s each; the others 4 to 6


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project, with one more lab."""
    copy_of_the_project(tmp_path)
    (tmp_path / "labs" / "added.py").write_text(ADDED)
    return tmp_path


def test_a_file_that_is_added_is_in_the_menu_and_in_its_place_in_the_course(checkout: Path) -> None:
    assert "lab.added" in invoke_in(checkout, "--list").stdout
    listed = [line.split()[0] for line in invoke_in(checkout, "labs").stdout.splitlines() if line[:1].isalpha()]
    assert listed.index("added") > listed.index("pool")
    assert "Does adding a file suffice?" in invoke_in(checkout, "lab.added", "--explain").stdout


def test_a_lab_has_the_name_of_its_file_everywhere_and_dashes_are_understood(checkout: Path) -> None:
    (checkout / "labs/added.py").rename(checkout / "labs/two_words.py")
    assert "lab.two_words" in invoke_in(checkout, "--list").stdout
    listed = [line.split()[0] for line in invoke_in(checkout, "labs").stdout.splitlines() if line[:1].isalpha()]
    assert "two_words" in listed
    for typed in ("lab.two_words", "lab.two-words"):
        done = invoke_in(checkout, typed, "--backend", "embedded", "--junit", "answers.xml")
        assert done.returncode == 0, done.stderr
        assert "-two_words-" in done.stdout.rpartition("kept as")[2]
    assert 'classname="lab.two_words.' in (checkout / "answers.xml").read_text()


@pytest.mark.judged
def test_a_lab_that_is_added_runs_with_all_others_and_is_reported(checkout: Path) -> None:
    for path in (checkout / "labs").glob("*.py"):
        if path.stem != "added":
            path.unlink()
    shutil.rmtree(checkout / "results", ignore_errors=True)  # of an earlier try
    report = checkout / "all.xml"
    done = invoke_in(checkout, "lab.all", "--backend", "embedded", "--check", "--quiet", "--junit", str(report))
    assert done.returncode in (0, EXIT_NOT_A_MEASUREMENT), done.stdout + done.stderr
    assert [suite.get("name") for suite in ElementTree.parse(report).getroot()] == ["lab.added"]
    (record,) = (checkout / "results").glob("*-added-*.json")
    measured(read_json(record).verdict)
    assert done.returncode == 0
    assert "1 of 2" in done.stdout
    words = " ".join(done.stdout.split())
    assert " results 1 cannot: only a kernel shows this: no kernel limits these nodes; the cluster does" in words


def test_all_labs_are_a_line_each_unless_all_is_asked_for(checkout: Path) -> None:
    for path in (checkout / "labs").glob("*.py"):
        if path.stem != "added":
            path.unlink()
    done = invoke_in(checkout, "lab.all", "--backend", "embedded")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["lab", "added", "all"]
    assert " results 1" in "".join(lines[3:])
    assert len(lines) < 12
    in_full = invoke_in(checkout, "lab.all", "--backend", "embedded", "--verbose").stdout.splitlines()
    assert [line for line in in_full if line.startswith("kept as ")]
    assert [line.split()[0] for line in in_full if line.startswith(("verdict", "lab  ", "added  ", "all  "))][:4] == [
        "verdict",
        "lab",
        "added",
        "all",
    ]


def test_tasks_named_together_run_one_after_another_until_one_is_not_well(checkout: Path) -> None:
    lab = ("lab.added", "--backend", "embedded", "--quiet")
    assert invoke_in(checkout, *lab, *lab, "--workers", "2", "results").stdout.count("kept as") == 2
    refused = invoke_in(checkout, *lab, "--workers", "none", *lab)
    assert (refused.returncode, refused.stdout) == (2, "")


def test_one_option_changes_a_setting_of_all_cases(checkout: Path) -> None:
    record = checkout / "r.json"
    done = invoke_in(checkout, "lab.added", "--backend", "embedded", "--workers", "3,1", "--json", str(record))
    assert done.returncode == 0, done.stderr
    cases = json.loads(record.read_text())["cases"]
    assert [case["name"] for case in cases] == ["threads(workers=3)", "threads(workers=1)"]
    assert [case["ideal_s"] for case in cases] == [pytest.approx(0.1), pytest.approx(0.2)]


def lab_cpus(lab: Declaration) -> float:
    """Host CPUs of each of the lab's nodes."""
    return float(lab.cores * lab.speed)


@pytest.mark.parametrize("lab", [slow(lab) if lab in LONG else lab for lab in lab_files()])
def test_every_lab_runs_on_this_machine_and_names_what_cannot_be_shown(
    lab: str, invoke: Invoke, tmp_path: Path
) -> None:
    record = tmp_path / "r.json"
    declared = declared_in(lab_files()[lab])
    unit = max(declared.unit / 4, min(declared.unit, 0.1))  # shorter: claims are for the cluster, here results count
    done = invoke(f"lab.{lab}", "--backend", "embedded", "--unit", str(unit), "--json", str(record))
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(record.read_text())
    assert run["verdict"]["correct"]["answer"] == "yes"
    assert run["verdict"]["held"]["answer"] == "cannot be shown here"
    lacking = {claim.name for claim in declared.claims if claim.limits or claim.cpus > lab_cpus(declared)}
    answers = {claim["name"]: claim["answer"] for claim in run["verdict"]["claims"] if claim["name"] in lacking}
    assert answers == dict.fromkeys(lacking, "cannot be shown here")
