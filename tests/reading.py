"""Reads the declaration in a lab's file as a node does, with this Python."""

import os
import subprocess
import sys
from pathlib import Path

from parlab.model.declaration import Declaration
from parlab.model.messages import Read, from_line
from parlab.run.mpiexec import OPEN_MPI
from tests.conftest import ROOT


def read(path: Path, **env: str) -> Read:
    """The answer of the program that reads a lab's file; the file's imports must be installed."""
    command = [sys.executable, "-m", "parlab.node.declare", str(path)]
    alone = {**OPEN_MPI, "OMPI_MCA_btl": "self"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **alone, **env}, capture_output=True, check=True, timeout=60
    )
    answer: Read = from_line(done.stdout, Read)
    return answer


def declared_in(path: Path, **env: str) -> Declaration:
    """The declaration in the file."""
    answer = read(path, **env)
    assert answer.declaration is not None, answer.refusal
    found: Declaration = answer.declaration
    return found
