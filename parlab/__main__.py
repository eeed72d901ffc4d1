"""`python -m parlab FILE.py` runs that lab on this machine; anything else is the menu, as `./invoke` has it."""

import sys
from pathlib import Path

from invoke.program import Program

from parlab.commands.labs import run_file


def main() -> None:
    """Run a lab's file, or a task of the menu."""
    if len(sys.argv) > 1 and sys.argv[1].endswith(".py") and Path(sys.argv[1]).is_file():
        run_file(Path(sys.argv[1]))
        return
    from parlab.menu import namespace  # here: it reads every lab's handout

    Program(namespace=namespace, name="parlab", binary="parlab").run()


if __name__ == "__main__":
    main()
