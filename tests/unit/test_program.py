"""The command line by each of its doors: what is not there, and what nobody foresaw, have exit codes of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parlab.errors import EXIT_CLOSED_PIPE, EXIT_INTERNAL
from parlab.program import near
from tests.conftest import ROOT, Invoke

MODULES = ("parlab", "invoke")  # the latter by tasks.py


def run(module: str, *arguments: str, folder: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    env = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock", **env}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("lab.mpl", "No lab mpl. Did you mean lab.mpi?"),
        ("lab.mip", "No lab mip. Did you mean lab.mpi"),
        ("lab.xyzzy", "No lab xyzzy. "),
        ("lock", "No task 'lock'. Did you mean lab.lock?"),
        ("pin", "No task 'pin'. Did you mean dev.pin?"),
        ("mpi", "No task 'mpi'. Did you mean lab.mpi?"),
        ("labs staus", "labs takes no 'staus', and it is no task. Did you mean status?"),
        ("lab", "lab is a group of tasks. "),
        ("xyzzy", "No task 'xyzzy'. "),
        ("--help lab.mip", "No lab mip. Did you mean lab.mpi"),
        ("--list lba", "No group of tasks 'lba'. Did you mean lab?"),
        ("lab.mpi --node 3", "lab.mpi has no option '--node'. Did you mean --nodes?"),
        ("lab.mpi -n 3", "lab.mpi has no option '-n'. "),
        ("--lsit", "Did you mean --list?"),
        ("--dry lab.mpi", "has no option '--dry'. "),
        ("compare --htlm 1", "compare has no option '--htlm'. Did you mean --html?"),
        ("export case-1 --ot x.svg", "export has no option '--ot'. Did you mean --out?"),
        ("lab.mpi --nodes", "--nodes needs a value: Cluster sizes"),
        ("lab.mpi --nodes --quiet", "--nodes needs a value: Cluster sizes"),
        ("lab.mpi --nodes 1 --nodes 2", "--nodes is given twice"),
        ("lab.mpi --quiet=yes", "--quiet takes no value, found 'yes'"),
        ("compare", "compare needs A (Run number from "),
        ("compare 1", "compare needs B ("),
        ("--list --list-format xml", "--list-format takes flat, nested, json, not 'xml'"),
    ],
)
def test_what_is_not_there_is_one_line_with_the_nearest_names(module: str, typed: str, told: str) -> None:
    done = run(module, *typed.split())
    (line,) = done.stderr.splitlines()
    assert line.startswith("usage: ")
    assert told in line
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("module", MODULES)
def test_no_task_shows_the_menu_and_is_no_success(module: str) -> None:
    done = run(module)
    assert done.returncode == 2
    assert "lab.mpi" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("usage: Name a task, such as ")


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("task", ["compare", "cancel", "logs", "lab.mpi", "run"])
def test_help_of_a_task_may_stand_before_and_behind_it(module: str, task: str) -> None:
    before, behind = run(module, "--help", task), run(module, task, "--help")
    assert (behind.returncode, behind.stderr) == (0, "")
    assert behind.stdout == before.stdout
    assert f" {task} " in behind.stdout.splitlines()[0], "its usage"


@pytest.mark.parametrize("option", ["--list", "--help", "--version"])
def test_what_asks_for_no_task_is_a_success(invoke: Invoke, option: str) -> None:
    done = invoke(option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_wrapper_answers_alike(tmp_path: Path) -> None:
    done = subprocess.run([ROOT / "invoke", "lock"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: No task 'lock'. Did you mean lab.lock?\n")


def test_the_wrapper_takes_no_module_of_the_current_folder_for_one_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "parlab.py").write_text("raise SystemExit('the wrong parlab')")
    done = subprocess.run([ROOT / "invoke", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("parlab ")


@pytest.mark.skipif(sys.platform != "linux", reason="names are in UTF-8 there")
@pytest.mark.parametrize("module", MODULES)
def test_a_folder_whose_name_is_not_utf_8_is_shown(module: str, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"b\xe4r")
    folder.mkdir()
    done = run(module, "results", PARLAB_RESULTS=str(folder), PYTHONIOENCODING="utf-8:strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"b\udce4r is empty" in done.stdout


@pytest.mark.parametrize("arguments", [["--list"], ["--help"], []])
def test_a_reader_who_goes_is_no_fault(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "parlab", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (EXIT_CLOSED_PIPE, "")


@pytest.mark.parametrize(("closed", "said"), [(">&-", b""), ("<&- >&- 2>&-", b""), ("2>&-", b"lab.")])
def test_a_stream_that_was_closed_is_no_fault(closed: str, said: bytes) -> None:
    for words, code in (("labs", 0), ("no-such-task", 2)):
        command = ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-m", "parlab", words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
        assert done.returncode == code
        assert said in done.stdout or code
        assert b"fault" not in done.stderr


def test_a_task_that_is_named_twice_runs_twice(invoke: Invoke) -> None:
    assert invoke("labs", "labs").stdout.count("its question") == 2


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the checkout in which `labs` fails as no one foresaw."""
    for name in ("tasks.py", "parlab", "labs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    with (tmp_path / "parlab/commands/course.py").open("a") as file:
        file.write("\n\ndef list_labs():\n    raise KeyError('two\\nlines')\n")
    return tmp_path


@pytest.mark.parametrize("module", MODULES)
def test_a_fault_of_our_own_is_one_line_to_report_and_a_code_of_its_own(broken: Path, module: str) -> None:
    done = run(module, "labs", folder=broken, PYTHONPATH=str(broken))
    assert done.returncode == EXIT_INTERNAL == 70
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: a fault of parlab's own: KeyError: 'two\\nlines' (parlab/commands/course.py, line ")
    assert "Please report it" in line


@pytest.mark.parametrize(
    ("arguments", "env"), [(["labs", "--debug"], {}), (["--debug", "labs"], {}), (["labs"], {"PARLAB_DEBUG": "1"})]
)
def test_who_asks_gets_the_traceback(broken: Path, arguments: list[str], env: dict[str, str]) -> None:
    done = run("parlab", *arguments, folder=broken, **env, PYTHONPATH=str(broken))
    assert done.returncode == EXIT_INTERNAL
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "KeyError" in done.stderr.splitlines()[-1]


def test_a_file_that_cannot_be_imported_is_our_fault_too(broken: Path) -> None:
    with (broken / "parlab/menu/__init__.py").open("a") as file:
        file.write("raise RuntimeError('a bug')\n")
    done = run("parlab", "labs", folder=broken, PYTHONPATH=str(broken))
    assert done.returncode == EXIT_INTERNAL
    assert "RuntimeError: a bug (parlab/menu/__init__.py, line " in done.stderr


def test_a_value_that_is_no_number_is_refused() -> None:
    done = run("parlab", "--list", "--list-depth", "x")
    assert (done.returncode, done.stderr) == (2, "usage: --list-depth takes a whole number, not 'x'\n")


def test_a_labs_file_takes_no_options() -> None:
    done = run("parlab", "labs/lock.py", "--nodes", "3")
    assert (done.returncode, done.stderr) == (2, "usage: a lab's file takes no options: --nodes 3\n")


@pytest.mark.parametrize(
    ("word", "likely"),
    [
        ("lock", ["lab.lock"]),
        ("Labs", ["labs"]),
        ("lab.lokc", ["lab.lock"]),
        ("lokc", ["lab.lock"]),
        ("xyzzy", []),
        ("", []),
    ],
)
def test_names_are_near_by_their_letters_or_by_their_last_part(word: str, likely: list[str]) -> None:
    assert near(word, ["labs", "lab.lock", "lab.mpi", "up"]) == likely
