"""The request to `run`: a program, its arguments, and how to run it; read once, into frozen values.

Every reader raises UsageError, which names the option and its valid values.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parlab.backend.base import Equipment
from parlab.backend.folder import stays
from parlab.errors import UsageError
from parlab.model.advice import programs_like
from parlab.model.case import FUTURES, MPI, PYTHON
from parlab.model.job import Job
from parlab.run.asked import Ask
from parlab.run.request import (
    read_backend,
    read_cluster,
    read_cluster_spec,
    read_output,
    read_repeat,
    read_seconds,
    read_whole,
)
from parlab.run.requirements import read_packages, see_to_python
from parlab.run.sweep import Sweep, read_sweep

MOST_RANKS = 256
DEFAULTS = {"nodes": ("1",), "cores": ("2",), "ranks": ()}  # in parlab/menu/programs.py, too
MEMORY_UNITS = {"m": 20, "g": 30}  # bits
LEAST_MEMORY, MOST_MEMORY = 64 << 20, 1024 << 30  # bytes; a rank takes 30 MB before it does anything


@dataclass(frozen=True)
class JobRequest:
    """The request for a program, once or at each size of a sweep, and the place where it runs."""

    asks: tuple[Ask, ...]
    sweep: Sweep | None = None
    repeat: int = 1
    cluster: str = "default"
    backend: str | None = None
    json: Path | None = None
    junit: Path | None = None
    quiet: bool = False


def read_job(
    words: Sequence[str],
    *,
    module: str | None,
    mpi: bool,
    futures: bool,
    nodes: str,
    cores: str,
    speed: str,
    memory: str | None,
    ranks: str | None,
    sweep: str | None,
    weak: str | None,
    repeat: str,
    env: Sequence[str],
    folder: str,
    out: str | None,
    timeout: str,
    no_limits: bool,
    spin: bool,
    tag: bool,
    trace: bool,
    image: str | None,
    requirements: str | None,
    cluster: str,
    backend: str | None,
    json: str | None,
    junit: str | None,
    quiet: bool,
) -> JobRequest:
    """Read the options of `run` as typed, and the program with its arguments that follows them."""
    if mpi and futures:
        raise UsageError("--mpi and --futures are two ways of starting it: give one of them")
    launch = MPI if mpi else FUTURES if futures else PYTHON
    for word in (*words, *env):
        if _is_no_text(word):
            raise UsageError(f"a program's arguments are UTF-8 here, not {word!r}")
    where = read_folder("--dir", folder)
    command = ("-m", module, *words) if module is not None else _program(words, where)
    variables = dict(map(_variable, env))
    for name, value in variables.items():
        if _is_no_text(value):
            raise UsageError(f"the value of {name} is not UTF-8: {value!r}")
    swept = read_sweep(sweep, weak, command)
    if swept is not None and trace:
        raise UsageError("--trace shows the tasks of one size: run it without --sweep")
    asked = {"nodes": nodes, "cores": cores, "ranks": ranks}
    if swept is not None and asked[swept.key] not in (None, *DEFAULTS[swept.key]):
        raise UsageError(f"--{swept.key} and --sweep {swept.key}=... are two answers: give one of them")

    def ask(size: int | None) -> Ask:
        sizes = asked if swept is None else {**asked, swept.key: str(size)}
        spec = read_cluster_spec(str(sizes["nodes"]), str(sizes["cores"]), speed)
        if launch == PYTHON and (spec.nodes > 1 or sizes["ranks"] is not None):
            raise UsageError("without --mpi or --futures a program is one process on one node: no --nodes, no --ranks")
        ranks = spec.virtual_cores if sizes["ranks"] is None else read_whole("--ranks", sizes["ranks"], MOST_RANKS)
        words = swept.weak.in_words(command, size) if swept is not None and swept.weak and size else command
        return Ask(
            Job(tuple(words), launch, 1 if launch == PYTHON else ranks, variables),
            spec,
            where,
            where if out is None else _folder_to_write(out),
            read_seconds("--timeout", timeout),
            None if memory is None else read_memory("--memory", memory),
            Equipment(image, packages, where),
            limits=not no_limits,
            spin=spin,
            tag=tag,
            trace=trace,
        )

    program = None if module is not None else where / command[0]
    packages = read_packages(requirements, program)
    asks = tuple(map(ask, (None,) if swept is None else swept.values))
    request = JobRequest(
        asks,
        swept,
        read_repeat(repeat),
        read_cluster(cluster),
        None if backend is None else read_backend(backend),
        read_output("--json", json),
        read_output("--junit", junit),
        quiet,
    )
    if backend is not None:
        check_backend(request, backend)
    return request


def _program(words: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The program, by its path in the nodes' folder, and its arguments."""
    if not words:
        raise UsageError("run needs a PROGRAM, or -m MODULE")
    path = Path(words[0])
    if not path.is_file():
        likely = programs_like(path)
        raise UsageError(f"No program {words[0]!r}" + (f". {likely}" if likely else ""))
    try:
        below = _absolute(path).relative_to(folder)
    except ValueError:
        raise UsageError(
            f"{words[0]} lies outside of {folder}, the folder that the nodes see: --dir names another"
        ) from None
    if stays(folder / below, folder):
        raise UsageError(
            f"{words[0]} is of a folder that does not go to the nodes: .git, __pycache__, or an environment"
        )
    return (f"./{below}" if str(below).startswith("-") else str(below), *words[1:])


def check_backend(request: JobRequest, backend: str) -> None:
    """Refuse a Python that the program does not run on, and options that only a cluster supports.

    Such options give nodes their own image or memory, or a folder that is not the user's own.
    """
    ask, embedded = request.asks[0], backend == "embedded"
    if ask.job.command[0] != "-m":
        see_to_python(ask.folder / ask.job.command[0], embedded=embedded)
    if not embedded:
        return
    if ask.out != ask.folder:
        raise UsageError("--out is for a cluster: embedded, a program runs in the folder itself, and writes there")
    if ask.memory is not None:
        raise UsageError("--memory is for a cluster: embedded, a program has the memory of this machine")
    if ask.equipment is not None and ask.equipment.image is not None:
        raise UsageError("--image is for a cluster: embedded, a program has this machine's own system")


def _folder_to_write(text: str) -> Path:
    path = read_folder("--out", text)
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"--out: {text} cannot be written to")
    return path


def _is_no_text(word: str) -> bool:
    """Whether a word of the command line, or of the environment, has bytes that are not UTF-8."""
    return any("\ud800" <= letter <= "\udfff" for letter in word)


def _variable(text: str) -> tuple[str, str]:
    """A variable's name and value. For a name alone, the value in this process: so no list of processes shows it."""
    name, equals, value = text.partition("=")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise UsageError(f"--env takes NAME=VALUE, or NAME, not {text!r}")
    if name.startswith("PARLAB_"):
        raise UsageError(f"--env takes no {name}: variables of that name are parlab's own")
    if not equals and name not in os.environ:
        raise UsageError(f"--env {name} takes the value that {name} has here, and it is not set")
    return name, value if equals else os.environ[name]


def _absolute(path: Path) -> Path:
    """An absolute path without `..`, and with links as typed: the nodes know them by these names."""
    return Path(os.path.normpath(path.absolute()))


def read_folder(option: str, text: str) -> Path:
    """Read the name of a folder that exists."""
    path = _absolute(Path(text))
    if not path.exists():
        raise UsageError(f"{option} takes a folder that is there, and {text!r} is not")
    if not path.is_dir():
        raise UsageError(f"{option} takes a folder, not {text!r}")
    return path


def read_memory(option: str, text: str) -> int:
    """Read an amount of memory, in bytes."""
    found = re.fullmatch(r"([0-9]{1,6})([mg])", text.lower())
    amount = int(found[1]) << MEMORY_UNITS[found[2]] if found else 0
    if not LEAST_MEMORY <= amount <= MOST_MEMORY:
        raise UsageError(f"{option} takes 64m to 1024g, e.g. 512m or 2g, not {text!r}")
    return amount
