"""What a person sees: the table of a run, and errors."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.errors import DockerException
from requests.exceptions import RequestException
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parlab.catalog import load_lab, title
from parlab.errors import ParlabError, RunError, UsageError
from parlab.record import Cases, Measured, Run
from parlab.run import Options, run_lab
from parlab.signals import interruptible
from parlab.spec import HEAD_CPUS, decimal, plural

WIDTH = 80  # of what is not a terminal


def run_and_show(path: Path, options: Options) -> Run:
    """Run a lab and print its table. Raises ParlabError, and SystemExit(1), after the table, for a wrong result."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    lab = load_lab(path)
    console.print(Text(f"{path.stem}: {title(path)}", style="bold"))
    run = run_lab(path, options, lambda text: console.print(Text(text)))
    show_run(run, console)
    for expectation in lab.expectations:
        console.print(Text(f"expected: {expectation.__name__.replace('_', ' ')}: {_holds(expectation, run)}"))
    if any(case.wrong for case in run.cases):
        sys.exit(1)
    return run


def _holds(expectation: object, run: Run) -> str:
    try:
        expectation(Cases(run.cases))  # type: ignore[operator]
    except AssertionError as error:
        return f"no{f', {error}' if str(error) else ''}"
    return "yes"


def show_run(run: Run, console: Console) -> None:
    """Print the table: ideal, measured, off by, speed-up, and who did the work."""
    spec = run.spec
    limits = (
        f"limit {decimal(spec.node_cpus)} CPU, head {decimal(HEAD_CPUS)}" if run.backend == "cluster" else "no limit"
    )
    console.print(
        Text(f"a node: {plural(spec.cores, 'core')} of {spec.speed} host CPU, {limits}; unit {spec.unit:g} s")
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("nodes", "ideal", "measured", "off by", "speed-up"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(f"tasks on {'worker' if run.backend == 'cluster' else 'simulated'}-1, -2 ...")
    for case in run.cases:
        table.add_row(
            str(case.spec.nodes),
            f"{case.ideal_s:.2f} s",
            f"{case.measured_s:.2f} s",
            f"{100 * case.off_by:+.1f} %",
            f"{case.speedup:.2f} x",
            shares(case),
        )
    console.print(table)
    for case in run.cases:
        if case.wrong:
            console.print(Text(f"wrong result: {case.name}: {case.wrong}", style="bold red"))


def shares(case: Measured) -> str:
    """How many tasks each node did: `8 8 8 8`; of more than eight nodes, the range."""
    counts = list(case.by_node.values())
    counts += [0] * (case.spec.nodes - len(counts))
    if len(counts) <= 8:
        return " ".join(map(str, counts))
    low, high = min(counts), max(counts)
    return f"{low if low == high else f'{low} to {high}'} on each of {len(counts)}"


@contextmanager
def exit_code() -> Iterator[None]:
    """Tell foreseen errors in words on stderr, and exit with the code of their class; one line for bad usage."""
    try:
        with interruptible():
            yield
    except ParlabError as error:
        print(f"{'usage' if isinstance(error, UsageError) else 'error'}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (DockerException, RequestException) as error:
        print(f"error: the engine failed: {error}. Is it still running? ./invoke status", file=sys.stderr)
        sys.exit(RunError.exit_code)
