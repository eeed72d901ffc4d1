"""The command line: bad input is one line and exit code 2, and starts nothing."""

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem

from parlab.course.catalog import lab_files
from parlab.course.handout import in_teaching_order, read_handout
from parlab.results.record import Answer, Claim
from parlab.results.store import keep
from parlab.terminal.states import STATES
from tests.conftest import PATIENCE, ROOT, Invoke
from tests.unit.samples import case, repeat, run, span, verdict

NO_ENGINE = "unix:///nowhere/docker.sock"
COMMANDS = {
    "labs",
    "glossary",
    "new",
    "run",
    "why",
    "jobs",
    "logs",
    "cancel",
    "up",
    "down",
    "status",
    "shell",
    "exec",
    "results",
    "compare",
    "report",
    "export",
    "import",
    "predict",
    "image",
    "prune",
    "test",
}
MENU = COMMANDS | {"dev.pin", "lab.all"} | {f"lab.{name}" for name in lab_files()}


def test_the_menu_is_one_clear_line_a_task(invoke: Invoke) -> None:
    lines = [line for line in invoke("--list").stdout.splitlines() if line.startswith("  ")]
    assert {line.split()[0] for line in lines} == MENU
    assert all(len(line.split()) > 2 for line in lines)


def test_the_menu_has_the_labs_in_teaching_order_and_all_tasks_in_groups(invoke: Invoke) -> None:
    menu = invoke("--list").stdout
    headings = [line for line in menu.splitlines() if line and not line.startswith(" ")]
    assert headings == ["Labs", "Your own program", "Earlier runs", "The cluster", "Maintenance"]
    course = in_teaching_order([read_handout(path) for path in lab_files().values()])
    shown = re.findall(r"^  (lab\.\w+) ", menu, re.MULTILINE)
    assert shown == [*(f"lab.{handout.name}" for handout in course), "lab.all"]


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--nodes", "0", "from 1 to 64"),
        ("--nodes", "1,x", "from 1 to 64"),
        ("--nodes", "1000", "from 1 to 64"),
        ("--cores", "-1", "from 1 to 64"),
        ("--speed", "0", "from 1/64 to 1"),
        ("--speed", "2", "from 1/64 to 1"),
        ("--speed", "1/0", "from 1/64 to 1"),
        ("--unit", "nan", "from 0.001 to 60"),
        ("--cluster", "a b", "1 to 30 characters"),
        ("--backend", "cloud", "cluster or embedded or slurm"),
        ("--speed", "1e-99999999", "from 1/64 to 1"),
        ("--json", "/nowhere/r.json", "a folder that can be written to"),
        ("--json", "/dev/null", "a folder that can be written to"),
        ("--junit", "/nowhere/r.xml", "a folder that can be written to"),
        ("--repeat", "0", "from 1 to 100"),
    ],
)
def test_bad_input_is_one_line_that_names_the_argument_and_its_range(
    invoke: Invoke, option: str, value: str, allowed: str
) -> None:
    done = invoke("lab.mpi", option, value, DOCKER_HOST=NO_ENGINE)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"usage: {option} takes ")
    assert allowed in line
    assert value in line


def test_a_kept_run_is_shown_again_by_its_number(invoke: Invoke, tmp_path: Path) -> None:
    made = run(case(), verdict=verdict(Claim("it halves", Answer.YES), Claim("it doubles", Answer.NO, margin="by 4 %")))
    kept = keep(made, tmp_path)
    again = invoke("results", "1", PARLAB_RESULTS=str(tmp_path), DOCKER_HOST=NO_ENGINE)
    assert (again.returncode, again.stderr) == (0, "")
    assert "where the time went" in again.stdout
    assert again.stdout.splitlines()[-1] == f"kept as {kept}"
    all_of_it = invoke("results", "1", "--verbose", PARLAB_RESULTS=str(tmp_path))
    assert "start-up" in all_of_it.stdout
    assert "start-up" not in again.stdout
    for named in (kept.stem, str(kept)):
        assert invoke("results", named, PARLAB_RESULTS=str(tmp_path)).stdout == again.stdout
    both = invoke("results", "labs", PARLAB_RESULTS=str(tmp_path)).stdout  # another task is no run
    assert "its question" in both
    assert " sample " in both
    none = invoke("results", "7", PARLAB_RESULTS=str(tmp_path))
    assert (none.returncode, none.stdout, len(none.stderr.splitlines())) == (2, "", 1)


def on_a_terminal(*words: str, **env: str) -> str:
    """What a command prints on a terminal of 80 columns and 24 lines."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    given = {**os.environ, "TERM": "xterm-256color", **env}
    given.pop("COLORTERM", None)
    command = [sys.executable, "-m", "invoke", *words]
    with subprocess.Popen(command, cwd=ROOT, env=given, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        text, deadline = b"", threading.Timer(PATIENCE * 15, process.kill)
        deadline.start()
        with suppress(OSError):  # that is how the end of a terminal reads
            while piece := os.read(ours, 4096):
                text += piece
        deadline.cancel()
    os.close(ours)
    assert process.returncode == 0
    return text.decode().replace("\r\n", "\n")


def test_states_are_told_apart_by_colour_on_a_terminal_and_by_glyphs_without(tmp_path: Path) -> None:
    made = run(case(repeat([span(seconds=4.0, cpu_s=0.25, waited_s=1.0, run_delay_s=1.0, way_s=0.5)])))
    keep(made, tmp_path)
    coloured = on_a_terminal("results", "1", PARLAB_RESULTS=str(tmp_path))
    plain = on_a_terminal("results", "1", PARLAB_RESULTS=str(tmp_path), NO_COLOR="1")
    for name in ("computing", "waiting", "contended", "transfer"):
        code = Color.parse(STATES[name].colour).downgrade(ColorSystem.EIGHT_BIT).number
        assert re.search(rf"[34]8;5;{code}m[^\n]*{STATES[name].glyph}", coloured)
        assert f"{STATES[name].glyph} {name}" in plain
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", plain)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == re.sub(r"\x1b\[[0-9;]*m", "", plain)


def test_what_goes_to_a_file_has_no_colour_and_an_ascii_terminal_gets_ascii(invoke: Invoke, tmp_path: Path) -> None:
    keep(run(case()), tmp_path)
    where = {"PARLAB_RESULTS": str(tmp_path)}
    assert "\x1b" not in invoke("results", "1", **where).stdout
    drawn = invoke("results", "1", **where, PYTHONIOENCODING="ascii").stdout
    assert drawn.isascii()
    assert "|####" in drawn


@pytest.mark.parametrize("task", ["lab.mpi", "lab.all"])
def test_a_run_is_told_quietly_or_verbosely_and_not_both(invoke: Invoke, task: str) -> None:
    done = invoke(task, "--quiet", "--verbose", DOCKER_HOST=NO_ENGINE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "usage: --quiet and --verbose exclude each other: give one of them\n"


@pytest.mark.parametrize("task", ["up", "down", "status", "shell"])
def test_the_other_tasks_check_their_input_too(invoke: Invoke, task: str) -> None:
    done = invoke(task, "--cluster", "a b", DOCKER_HOST=NO_ENGINE)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("usage: --cluster takes ")


@pytest.mark.parametrize("wanted", ["9", "nothing", "", "/nowhere/r.json", "../.."])
def test_a_run_that_is_not_there_is_one_line(invoke: Invoke, wanted: str, tmp_path: Path) -> None:
    done = invoke("compare", wanted, wanted, PARLAB_RESULTS=str(tmp_path))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"usage: No run {wanted!r}")
    assert line.endswith((" results.", " is kept there."))


def test_a_damaged_record_is_listed_as_such_and_hides_no_other(invoke: Invoke, tmp_path: Path) -> None:
    whole = (ROOT / "tests/unit/run-schema-3.json").read_text()
    (tmp_path / "20260101T000000-mpi-000001.json").write_text(whole)
    (tmp_path / "20260101T000000-mpi-000002.json").write_text(whole[:1000])
    done = invoke("results", PARLAB_RESULTS=str(tmp_path))
    assert done.returncode == 0
    assert "required a whole JSON document, found one that is cut off" in done.stdout.replace("\n", " ")
    assert "2  mpi  " in done.stdout
    assert "Traceback" not in done.stderr


def test_a_cluster_that_does_not_fit_is_refused_with_the_arithmetic(invoke: Invoke) -> None:
    done = invoke("lab.mpi", "--backend", "embedded", "--nodes", "64", "--cores", "64", "--speed", "1")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "64 nodes x 64 virtual cores x 1 = 4096 CPUs, and 0.5 for the head, make 4096.5: more than the" in line


@pytest.mark.parametrize(
    "task", [["lab.mpi", "--backend", "cluster"], ["up"], ["down"], ["status"], ["shell"], ["image"]]
)
def test_forcing_a_cluster_without_an_engine_tells_how_to_get_one(invoke: Invoke, task: list[str]) -> None:
    done = invoke(*task, DOCKER_HOST=NO_ENGINE)
    assert done.returncode == 2
    assert f"no container engine answers at {NO_ENGINE}. " in done.stderr
    assert "docker/engine.sh" in done.stderr


def test_a_missing_engine_fails_where_one_is_required() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--require-engine", "tests/unit/test_predict.py"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "DOCKER_HOST": NO_ENGINE}, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--require-engine: no container engine answers" in done.stderr


def test_a_lab_that_cannot_be_read_does_not_hide_the_menu(tmp_path: Path) -> None:
    for name in ("tasks.py", "parlab", "labs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "labs/broken.py").write_text("burn(1\n")
    (tmp_path / "labs/.#mpi.py").symlink_to("gone")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "invoke"]

    def run(*task: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *task], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert "lab.broken cannot be read: SyntaxError" in " ".join(run("--list").stdout.split())
    done = run("lab.broken")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "broken.py:1 (burn(1): SyntaxError: " in done.stderr


def test_the_wrapper_finds_its_project_through_a_link_and_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ROOT / "invoke")
    done = subprocess.run([tmp_path / "link", "--list"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "lab.mpi" in done.stdout


def test_the_wrapper_wants_a_new_enough_python(tmp_path: Path) -> None:
    copy = tmp_path / "invoke"
    copy.write_bytes((ROOT / "invoke").read_bytes())
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/host.txt").touch()
    done = subprocess.run(
        ["sh", copy, "--list"], env={**os.environ, "PYTHON": "nopython"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("invoke: needs Python 3.11 or newer")
    assert not (tmp_path / ".venv").exists()


def test_an_environment_that_the_user_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "invoke").write_bytes((ROOT / "invoke").read_bytes())
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/host.txt").touch()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/precious.txt").write_text("work")
    done = subprocess.run(["sh", tmp_path / "invoke", "--list"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{tmp_path}/.venv was not made by ./invoke, so it is left alone" in done.stderr
    assert (tmp_path / ".venv/precious.txt").read_text() == "work"


def test_each_option_of_run_is_told_with_what_it_is_for(invoke: Invoke) -> None:
    words = invoke("run", "--help").stdout.splitlines()
    options = [line.split() for line in words if line.startswith("  --")]
    assert len(options) > 20
    assert all(len(line) > 2 for line in options), options
