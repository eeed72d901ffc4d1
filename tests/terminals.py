"""Programs at a terminal, and the right result for each: the same with and without a cluster.

Each check takes its own folder and the options for the place of the run; it fails if anything is wrong.
"""

import re
from collections.abc import Callable
from pathlib import Path

from tests.own_terminal import at_terminal

Scenario = Callable[[Path, tuple[str, ...]], None]

LOOKS = """
import os, shutil, sys
def asked(question, *arguments):
    try:
        return question(*arguments)
    except OSError:
        return None
print("stdin, stdout, stderr", sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty())
print("size", tuple(asked(os.get_terminal_size) or ()), tuple(asked(os.get_terminal_size, 2) or ()),
      tuple(shutil.get_terminal_size()))
print("kind", [os.environ.get(name) for name in ("TERM", "COLORTERM", "NO_COLOR")])
print("red", "\\x1b[31m" if sys.stdout.isatty() else "plain")
print("err", file=sys.stderr)
"""
BAR = """
import sys, time
for done in range(1, 9):
    sys.stderr.write("\\r%3d%%|%s" % (100 * done // 8, "#" * done + " " * (8 - done)))
    time.sleep(0.2)
sys.stderr.write("\\n")
"""
ASKS = """
name = input("name? ")
print("hello", name, flush=True)
print("again:", input())
"""
WRITES = """
import os, sys
sys.stdout.write("".join(f"line {number} of many\\n" for number in range(50_000)) + "without an end")
sys.stdout.flush()
os._exit(0)
"""
LEAVES = """
import subprocess, sys
subprocess.Popen(["sh", "-c", "echo of the child; exec sleep 1000"])
sys.stdout.write("x" * 100_000 + "\\n")
"""
OPENS = """
import os, signal, subprocess, sys
with open("/dev/stdout", "w") as stdout:
    stdout.write("opened\\n")
os.close(os.open(os.ttyname(1), os.O_RDWR))  # a session's leader would have a terminal now that controls it
try:
    open("/dev/tty")
except OSError:
    print("controlled by none", flush=True)
subprocess.run(["stty", "-F", "/dev/stdout", "sane", "-opost"], process_group=0, check=True)  # in the background
signal.signal(signal.SIGHUP, lambda *_: print("hung up"))
print("not stopped", os.ttyname(1) != os.ttyname(2))
"""
SLEEPS = """
import time
print("there", flush=True)
time.sleep(1000)
"""
FOLLOWS = """
import os, signal, time
signal.signal(signal.SIGWINCH, lambda *_: print("signal", flush=True))
print("before", tuple(os.get_terminal_size()), flush=True)
while os.get_terminal_size().columns == 80:
    time.sleep(0.02)
time.sleep(0.2)
print("after", tuple(os.get_terminal_size()), flush=True)
"""
COLOUR_AND_BYTES = r"""
import sys
sys.stdout.buffer.write(bytes(range(256)) + b"\n\r\n\t\x04\x03\x1a\xff end")
"""


def _folder(folder: Path, program: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(program)
    return folder


def finds_one(folder: Path, where: tuple[str, ...]) -> None:
    words = ("run", *where, "--quiet", "own.py")
    with at_terminal(_folder(folder, LOOKS), *words, COLORTERM="truecolor", NO_COLOR="") as terminal:
        assert terminal.end() == 0, terminal.shown
    assert sorted(terminal.lines) == [
        "err",
        "kind ['xterm-256color', 'truecolor', '']",
        "red \x1b[31m",
        "size (80, 24) (80, 24) (80, 24)",
        "stdin, stdout, stderr False True True",
    ]


def finds_a_pipe_where_it_is_redirected(folder: Path, where: tuple[str, ...]) -> None:
    out = folder.with_name("out")
    with (
        out.open("wb") as file,
        at_terminal(_folder(folder, LOOKS), "run", *where, "--quiet", "own.py", stdout=file) as terminal,
    ):
        assert terminal.end() == 0, terminal.shown
    assert terminal.lines == ["err"]
    said = out.read_text().splitlines()
    assert said[0] == "stdin, stdout, stderr False False True"
    assert said[1].startswith("size () (80, 24)")
    assert said[-1] == "red plain"
    with (
        out.open("wb") as file,
        at_terminal(folder, "run", *where, "--quiet", "own.py", stderr=file) as terminal,
    ):
        assert terminal.end() == 0, terminal.shown
    assert terminal.lines[0] == "stdin, stdout, stderr False True False"
    assert out.read_text() == "err\n"


def sees_it_on_all_ranks(folder: Path, where: tuple[str, ...]) -> None:
    program = "from mpi4py import MPI\n" + LOOKS
    ranks = ("--mpi", "--nodes", "2", "--ranks", "3")
    with at_terminal(_folder(folder, program), "run", *where, *ranks, "--quiet", "own.py") as terminal:
        assert terminal.end() == 0, terminal.shown
    assert terminal.lines.count("stdin, stdout, stderr False True True") == 3
    assert terminal.lines.count("size (80, 24) (80, 24) (80, 24)") == 3
    with at_terminal(folder, "run", *where, *ranks, "--quiet", "--tag", "own.py") as terminal:
        assert terminal.end() == 0, terminal.shown
    sizes = [line for line in terminal.lines if "size" in line]
    assert len(sizes) == 3
    for line in sizes:  # what it fills is as wide as the terminal, with the tag before it
        tag, columns = re.fullmatch(r"(\[.*:\d\] )size \((\d+), 24\) .*", line).groups()  # type: ignore[union-attr]
        assert len(tag) + int(columns) == 80


def draws_a_bar(folder: Path, where: tuple[str, ...]) -> None:
    with at_terminal(_folder(folder, BAR), "run", *where, "--quiet", "own.py") as terminal:
        terminal.shows(b"\r 25%|##      ")
        assert b"100%" not in terminal.shown, "it is to be seen while the program runs"
        assert terminal.end() == 0, terminal.shown
    assert terminal.shown.endswith(b"\r 87%|####### \r100%|########\r\n")


def asks(folder: Path, where: tuple[str, ...]) -> None:
    with at_terminal(_folder(folder, ASKS), "run", *where, "--quiet", "own.py") as terminal:
        terminal.shows(b"name? ")
        terminal.type(b"Zo\xc3\xab\n")
        terminal.shows("hello Zoë".encode())
        terminal.type(b"once more\n\x04")
        assert terminal.end() == 0, terminal.shown
    assert terminal.lines[-1] == "again: once more"


def loses_nothing_at_its_end(folder: Path, where: tuple[str, ...]) -> None:
    with at_terminal(_folder(folder, WRITES), "run", *where, "--quiet", "own.py") as terminal:
        terminal.end()  # it has ended without a goodbye, alone: that is as it should be
        assert terminal.process.returncode == 0
    assert terminal.lines[:50_000] == [f"line {number} of many" for number in range(50_000)]
    assert terminal.lines[50_000] == "without an end"


def leaves_a_child(folder: Path, where: tuple[str, ...]) -> None:
    with at_terminal(_folder(folder, LEAVES), "run", *where, "own.py") as terminal:
        assert terminal.end() == 0, terminal.shown
    assert "x" * 100_000 in terminal.lines
    assert any("left sleep 1000 running; it was ended" in line for line in terminal.lines)


def is_controlled_by_none(folder: Path, where: tuple[str, ...]) -> None:
    with at_terminal(_folder(folder, OPENS), "run", *where, "--quiet", "own.py") as terminal:
        assert terminal.end() == 0, terminal.shown
    assert terminal.lines == ["opened", "controlled by none", "not stopped True"]


def ends_by_ctrl_c(folder: Path, where: tuple[str, ...]) -> None:
    with at_terminal(_folder(folder, SLEEPS), "run", *where, "own.py") as terminal:
        terminal.shows(b"there")
        terminal.type(b"\x03")
        assert terminal.end() == 130, terminal.shown
    assert "interrupted by SIGINT" in terminal.lines[-1]


def follows_its_size(folder: Path, where: tuple[str, ...]) -> None:
    with at_terminal(_folder(folder, FOLLOWS), "run", *where, "--quiet", "own.py") as terminal:
        terminal.shows(b"before (80, 24)")
        terminal.resize(132, 50)
        assert terminal.end() == 0, terminal.shown
    assert terminal.lines[-2:] == ["signal", "after (132, 50)"]


def writes_bytes(folder: Path, where: tuple[str, ...]) -> None:
    """Our terminal passes all bytes on; the user's own terminal turns a line's end into two bytes, as always."""
    with at_terminal(_folder(folder, COLOUR_AND_BYTES), "run", *where, "--quiet", "own.py") as terminal:
        assert terminal.end() == 0, terminal.shown
    wanted = bytes(range(256)) + b"\n\r\n\t\x04\x03\x1a\xff end"
    assert terminal.shown == wanted.replace(b"\n", b"\r\n")


SCENARIOS: tuple[Scenario, ...] = (
    finds_one,
    finds_a_pipe_where_it_is_redirected,
    sees_it_on_all_ranks,
    draws_a_bar,
    asks,
    loses_nothing_at_its_end,
    leaves_a_child,
    is_controlled_by_none,
    ends_by_ctrl_c,
    follows_its_size,
    writes_bytes,
)
