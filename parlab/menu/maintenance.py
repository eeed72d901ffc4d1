"""Tasks of a checkout, which an installed parlab does not have."""

from invoke.context import Context
from invoke.tasks import task

from parlab.commands import develop
from parlab.commands.labs import exiting
from parlab.commands.options import TESTS


@task(name="test", auto_shortflags=False, help=TESTS)
def check(
    _: Context,
    all: bool = False,
    require_engine: bool = False,
    require_browser: bool = False,
    require_measurements: bool = False,
) -> None:
    """Run linter, type checker and tests."""
    with exiting():
        given = (all, require_engine, require_browser, require_measurements)
        develop.test([f"--{name}" for name, wanted in zip(TESTS, given, strict=True) if wanted])


@task(auto_shortflags=False, help={"upgrade": "take the newest versions, rather than keep those that still fit"})
def pin(_: Context, upgrade: bool = False) -> None:
    """Rewrite the hashed locks in requirements/."""
    with exiting():
        develop.write_locks(upgrade)
