"""The commands that draw pages and charts from records. Their packages are installed on first use."""

import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from parlab.commands.labs import compare
from parlab.errors import ParlabError, UsageError
from parlab.formatting import plural, size
from parlab.host.environment import ensure_installed
from parlab.host.places import COMMAND, RESULTS, shown
from parlab.report.export import find_browser, picture
from parlab.results.store import find, kept, read_all, read_json, see_that_it_can_be_written, write_whole
from parlab.run.request import read_output

FORMATS = (".svg", ".png")


def write_report(names: Sequence[str], out: str | None, *, opened: bool = False) -> None:
    """Write one page for these runs, or for the newest run, and open it. Raises UsageError if there is no such run."""
    if not names and not kept():
        raise UsageError(f"there is no run in {RESULTS} yet: run a lab first, as {COMMAND} lab.mpi")
    runs = [read_json(find(name)) for name in names or ["1"]]
    file = _target(out, f"{runs[0].id}.html" if len(runs) == 1 else "report.html")
    _prepare()
    from parlab.report.page import report

    _write(file, report(runs))
    if opened:
        _open(file)


def write_index(names: Sequence[str], out: str | None, *, opened: bool = False) -> None:
    """Write one page that lists all runs; beside it, write those runs' pages that are missing or old.

    Raises UsageError if any run is named.
    """
    file = _target(out, "index.html")
    if names:
        raise UsageError(f"--index lists all runs of {RESULTS}: name none, not {', '.join(names)}")
    runs, unread = read_all()
    _prepare()
    from parlab.report.page import index, page_name, report

    failed, newest = [], _newest_code()
    for run in runs.values():
        page = file.parent / page_name(run)
        if not page.exists() or page.stat().st_mtime < newest:  # missing, or written by an older version
            try:
                _write(page, report([run]))
            except Exception as error:  # one record must not keep the others from their pages
                failed.append(f"{run.id}: {error!r}")
    _write(file, index(runs, list(unread.values())))
    if opened:
        _open(file)
    if failed:
        raise ParlabError(f"{plural(len(failed), 'page')} could not be drawn: {'; '.join(failed)}")


def compare_and_write(first: str, second: str) -> None:
    """Show two runs side by side, and write one page with both on one scale. Raises UsageError."""
    runs = compare(first, second)
    file = _target(None, "compare.html")
    _prepare()
    from parlab.report.page import comparison

    _write(file, comparison(*runs))


def export_chart(chart: str, out: str, name: str, against: str | None) -> None:
    """Write one chart of a run's report, or of its comparison `against` another run, as SVG or PNG.

    Raises UsageError if there is no such chart.
    """
    file = read_output("the picture", out)
    if file is None or file.suffix.lower() not in FORMATS:
        raise UsageError(f"required a file whose name ends with {' or '.join(FORMATS)}, found {out!r}")
    runs = [read_json(find(one)) for one in (name, against) if one is not None]
    find_browser()
    _prepare()
    from parlab.report.page import chart_of

    _write(file, picture(chart_of(chart, *runs), file.suffix[1:].lower()))


def _newest_code() -> float:
    """When the code that writes pages was last changed, in seconds since the epoch."""
    made_by = (Path(__file__).parents[1] / room for room in ("report", "terminal"))  # the latter has colours and words
    return max(file.stat().st_mtime for room in made_by for file in room.rglob("*.*") if file.suffix != ".pyc")


def _open(file: Path) -> None:
    """Show the page in the user's browser; print a line if there is none, e.g. on a machine without a screen."""
    if not webbrowser.open(file.resolve().as_uri()):
        print(f"no browser could be started: open {shown(file)} in one yourself", file=sys.stderr)


def _target(out: str | None, default: str) -> Path:
    """The page to write: `out`, or else `default` in results/. Raises UsageError if `out` is not a valid page name."""
    if out is not None and Path(out).suffix == ".json":
        raise UsageError(f"--out takes the name of a page, and {out!r} is that of a record")
    if out is None:
        see_that_it_can_be_written()
    return read_output("--out", out) or RESULTS / default


def _prepare() -> None:
    ensure_installed("report", lambda line: print(line, file=sys.stderr))


def _write(file: Path, content: str | bytes) -> None:
    """Write the file, and print its place and size. Raises ParlabError."""
    try:
        write_whole(file, content)
    except OSError as error:
        raise ParlabError(f"{file} could not be written: {error}") from error
    print(f"written: {shown(file)} ({size(file.stat().st_size)})")
