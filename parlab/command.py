"""What a command does between its arguments and its exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parlab.backend.engine import FAILURES
from parlab.catalog import load_lab, title
from parlab.console import View, make_console
from parlab.errors import Interrupted, ParlabError, RunError, UsageError
from parlab.options import Options
from parlab.run import run_lab
from parlab.signals import interruptible


@contextmanager
def exit_code() -> Iterator[None]:
    """Tell foreseen errors in words on stderr, and exit with the code of their class; one line for bad usage."""
    try:
        with interruptible():
            yield
    except (ParlabError, Interrupted) as error:
        print(f"{'usage' if isinstance(error, UsageError) else 'error'}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except FAILURES as error:
        print(f"error: the engine failed: {error}. Does it still run? ./invoke status", file=sys.stderr)
        sys.exit(RunError.exit_code)


def run_and_show(path: Path, options: Options) -> None:
    """Run a lab and show it. Raises ParlabError, and SystemExit(1), in the end, for a wrong result."""
    view = View(make_console())
    lab = load_lab(path)
    view.say(f"{path.stem}: {title(path)}", "bold")
    run = run_lab(lab, path, options, view)
    if any(case.wrong for case in run.cases):
        sys.exit(1)


def run_file(name: str) -> None:
    """`python labs/NAME.py`: the lab on this machine, with the table; exits as `./invoke lab.NAME` would."""
    _remove_own_segment()
    with exit_code():
        run_and_show(Path(name).resolve(), Options(backend="embedded"))


def _remove_own_segment() -> None:
    """Remove the shared memory of an MPI that nobody here uses.

    A lab that imports mpi4py starts MPI in this very process, and Open MPI 5.0.11 leaves the file of such a singleton
    behind for good. What is mapped stays mapped.
    """
    maps = Path("/proc/self/maps")
    for line in maps.read_text().splitlines() if maps.exists() else ():
        file = Path(line.split()[-1])
        if file.name.startswith("sm_segment."):
            file.unlink(missing_ok=True)
