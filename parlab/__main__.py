"""The command `parlab`, and `python -m parlab`: the menu. With a lab's file, `parlab FILE.py`, that lab, embedded."""

import sys
from pathlib import Path

from parlab import __version__


def main() -> None:
    """Run the lab file that is named first, or the task; exits with its code."""
    first = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    if first.suffix == ".py" and first.is_file():
        from parlab.commands.labs import run_file  # here: the menu reads every lab's handout

        run_file(first)
        return
    from invoke.program import Program

    from parlab.menu import namespace

    Program(__version__, namespace, name="parlab", binary="parlab").run()


if __name__ == "__main__":
    main()
