"""`run`: what is ours of the command line, and what is the program's."""

from pathlib import Path

import pytest

from tests.own_programs import start


@pytest.fixture
def program(tmp_path: Path) -> Path:
    for folder in (".", ".venv", ".git"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "hello.py").write_text("print('hello')\n")
    (tmp_path / ".venv/pyvenv.cfg").touch()
    return tmp_path


def refused(folder: Path, *words: str) -> str:
    """What is said of a command line that is none; nothing was started."""
    done = start(folder, "run", *words)
    assert done.returncode == 2
    assert done.stdout == b""
    said = done.stderr.decode()
    assert said.startswith("usage: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "run needs a PROGRAM, or -m MODULE"),
        (["missing.py"], "No program 'missing.py'"),
        (["/etc/hostname"], "lies outside of"),
        (["--mpi", "--futures", "hello.py"], "--mpi and --futures are two ways"),
        (["--nodes", "2", "hello.py"], "one process on one node"),
        (["--mpi", "--nodes", "0", "hello.py"], "--nodes takes a whole number from 1 to 64, not '0'"),
        (["--mpi", "--ranks", "many", "hello.py"], "--ranks takes a whole number"),
        (["--timeout", "soon", "hello.py"], "--timeout takes seconds"),
        (["--mpi", "--sweep", "size=1,2", "hello.py"], "--sweep takes nodes=1,2,4"),
        (
            ["--mpi", "--sweep", "nodes=1,2", "--nodes", "3", "hello.py"],
            "--nodes and --sweep nodes=... are two answers",
        ),
        (["--sweep", "nodes=1,2", "hello.py"], "one process on one node"),
        (["--mpi", "--weak", "N=10*nodes", "hello.py", "{N}"], "--weak goes with --sweep"),
        (["--repeat", "0", "hello.py"], "--repeat takes a whole number from 1 to 100"),
        (["--memory", "lots", "hello.py"], "--memory takes 64m to 1024g"),
        (["--memory", "8m", "hello.py"], "--memory takes 64m to 1024g"),
        (["--memory", "512m", "--backend", "embedded", "hello.py"], "--memory is for a cluster"),
        (["--env", "no value", "hello.py"], "--env takes NAME=VALUE, or NAME"),
        (["--env", "NOWHERE_SET", "hello.py"], "--env NOWHERE_SET takes the value that NOWHERE_SET has here"),
        (["--env", "PARLAB_OWN_NODE=1", "hello.py"], "parlab's own"),
        (["--dir", "nowhere", "hello.py"], "--dir takes a folder"),
        (["--nodez", "2", "hello.py"], "run has no option '--nodez'. Did you mean --nodes"),
        (["--backend", "cloud", "hello.py"], "--backend takes"),
        (["--timeout"], "--timeout needs a value"),
        (["hello.py", "\udcff"], "arguments are UTF-8 here"),
        (["--env", "X=\udcff", "hello.py"], "arguments are UTF-8 here"),
        ([".venv/hello.py"], "is of a folder that does not go to the nodes"),
        ([".git/hello.py"], "is of a folder that does not go to the nodes"),
        (["--backend", "embedded", "--out", ".git", "hello.py"], "--out is for a cluster"),
    ],
)
def test_bad_input_is_told_in_one_line(words: list[str], said: str, program: Path) -> None:
    assert said in refused(program, *words)


def test_a_variable_of_the_shell_that_is_not_utf8_is_refused(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD", "\udcff")
    assert "the value of ODD is not UTF-8" in refused(program, "--env", "ODD", "hello.py")
