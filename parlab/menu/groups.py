"""The order of the menu: groups of tasks, the labs in teaching order."""

from collections.abc import Iterable
from pathlib import Path

from parlab.course.handout import in_teaching_order, read_handout

AROUND_LABS = ("labs", "glossary", "new")
OTHERS = {
    "Your own program": ("run", "why", "jobs", "logs", "cancel"),
    "Earlier runs": ("results", "compare", "report", "export", "import", "predict"),
    "The cluster": ("up", "down", "status", "shell", "exec", "image", "prune"),
    "Maintenance": ("test", "dev.pin"),
}


def groups(labs: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """Names of tasks by their heading; a name may be of a task that is not there, as in an installed parlab."""
    course = in_teaching_order([read_handout(path) for path in labs])
    return {"Labs": (*AROUND_LABS, *(f"lab.{handout.name}" for handout in course), "lab.all"), **OTHERS}
