"""Runs a lab's file as a command does, without output on the screen."""

from pathlib import Path

from parlab.backend.registry import open_backend
from parlab.results.record import Run
from parlab.run.invocation import run_lab
from parlab.run.observer import Observer
from parlab.run.request import Request


def run_file(path: Path, request: Request, observer: Observer) -> Run:
    """Run the lab in a file and return the record."""
    return run_lab(path, request, open_backend(request.backend, request.cluster, observer.say), observer)
