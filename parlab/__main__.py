"""The commands `parlab` and `python -m parlab`: the menu. `parlab FILE.py` runs the lab in that file, embedded."""

import os
import sys
import traceback
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from parlab import __version__
from parlab.errors import EXIT_CLOSED_PIPE, EXIT_INTERNAL, Interrupted, ParlabError, UsageError
from parlab.model.advice import programs_like

PACKAGE = Path(__file__).resolve().parent


def main() -> NoReturn:
    """Run the command line, and exit with its code; an unexpected error counts as a fault of parlab."""
    _have_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that is not UTF-8 is shown with escapes
            stream.reconfigure(errors="backslashreplace")
    try:
        _run(sys.argv[1:])
        sys.stdout.flush()
    except ParlabError as error:
        print(f"{'usage' if isinstance(error, UsageError) else 'error'}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # before a task has begun
        sys.exit(Interrupted.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python reports an error at its end
        sys.exit(EXIT_CLOSED_PIPE)
    except Exception as error:
        print(_internal(error), file=sys.stderr)
        sys.exit(EXIT_INTERNAL)
    sys.exit()


def _have_streams() -> None:
    """Connect standard streams that our caller has closed (`>&-`) to the null device.

    Otherwise the next opened file would get the number of such a stream, and a child would write its output there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(fd, True)
            setattr(sys, name, os.fdopen(fd, mode))


def _run(arguments: list[str]) -> None:
    """Run the lab file if the first argument is one, else the tasks."""
    first = Path(arguments[0]) if arguments else Path()
    if first.suffix == ".py" and first.is_file():
        if arguments[1:]:
            raise UsageError(f"a lab's file takes no options: {' '.join(arguments[1:])}")
        from parlab.commands.labs import run_file  # imported here: the menu reads every lab's handout

        run_file(first)
        return
    if first.suffix == ".py":
        raise UsageError(f"No file {str(first)!r}. {programs_like(first)}".rstrip())
    from parlab.course.catalog import lab_files
    from parlab.menu import namespace
    from parlab.menu.groups import groups
    from parlab.program import Program

    Program(__version__, namespace, lambda: groups(lab_files().values())).run()


def _internal(error: Exception) -> str:
    """The message for a fault of parlab: a line to report or, on request, the traceback."""
    if os.environ.get("PARLAB_DEBUG") or {"--debug", "-d"} & set(sys.argv):
        return "".join(traceback.format_exception(error)).rstrip()
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    file, line = [place for place in frames if PACKAGE in place[0].parents][-1]
    what = " ".join("".join(traceback.format_exception_only(error)).split())
    where = f"{file.relative_to(PACKAGE.parent)}, line {line}"
    return f"error: a fault of parlab's own: {what} ({where}). Please report it, with what PARLAB_DEBUG=1 shows"


if __name__ == "__main__":
    main()
