"""Running a lab's file as a command does, without its screen."""

from pathlib import Path

from parlab.backend.registry import open_backend
from parlab.course.catalog import lab_files, load_lab
from parlab.course.handout import docstring
from parlab.results.record import Run
from parlab.run.invocation import run_lab
from parlab.run.observer import Observer
from parlab.run.plan import make_plan
from parlab.run.request import Request


def run_file(path: Path, request: Request, observer: Observer) -> Run:
    """Run the lab in a file and return the record."""
    plan = make_plan(load_lab(path), path, request, docstring(path))
    backend = open_backend(request.backend, request.cluster, observer.say)
    return run_lab(plan, backend, lab_files(path.parent).values(), observer)
