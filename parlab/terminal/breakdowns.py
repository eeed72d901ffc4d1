"""The breakdown of each case's time: a stacked bar per case with a legend, or the shares in columns."""

from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from parlab.formatting import percent, seconds
from parlab.results.record import MeasuredCase, Run
from parlab.terminal.names import broken, room, widest
from parlab.terminal.states import STATES
from parlab.terminal.summary import CATEGORIES, SHOWN_FROM

TITLE = "where the time went"
IN_SHORT = CATEGORIES | {"idle_queued": "idle, work queued", "idle_no_work": "idle, no task"}
USEFUL = ("computing", "waiting")  # the parts of a task; all other time is lost
LEAST_CELLS, MOST_CELLS = 10, 50  # of a bar
GAP = 2  # columns between two parts of a line


def in_bars(run: Run, width: int, *, plain: bool = False) -> Iterator[Text]:
    """A stacked bar per case, for the time of its last-finishing worker, and the largest loss; then the legend.

    Yields nothing if no case has a time. With `plain`, all characters are ASCII.
    """
    shares = [_shares(case) for case in run.cases]
    if not any(shares):
        return
    names = [broken(case.name, room(width)).splitlines() for case in run.cases]
    losses = [_largest_loss(share) for share in shares]
    beside = max(len(line) for lines in names for line in lines) + GAP
    cells = max(LEAST_CELLS, min(MOST_CELLS, width - beside - GAP - max(map(len, losses))))
    drawn = [name for name in STATES if any(apportioned(share, cells).get(name) for share in shares)]
    yield Text(TITLE, "bold")
    for lines, share, loss in zip(names, shares, losses, strict=True):
        line = Text.assemble(f"{lines[0]:<{beside}}", stacked(share, cells, plain=plain), f"{'':{GAP}}{loss}")
        line.rstrip()
        yield line
        yield from map(Text, lines[1:])
    lines_of_legend = legend(entries(drawn, plain=plain), width - beside)
    yield from (Text(" " * beside).append_text(line) for line in lines_of_legend)


def stacked(shares: dict[str, float], cells: int, *, plain: bool = False) -> Text:
    """A bar of `cells` cells, divided among the states; blank if there is no time to divide."""
    bar = Text()
    for name, count in apportioned(shares, cells).items():
        state = STATES[name]
        bar.append((state.plain if plain else state.glyph) * count, state.style)
    bar.append(" " * (cells - len(bar)))
    return bar


def apportioned(shares: dict[str, float], cells: int) -> dict[str, int]:
    """Divide the cells among shares that sum up to 1. The counts are whole, proportional, and fill the bar."""
    owed = {name: share * cells / sum(shares.values()) for name, share in shares.items()}
    given = {name: int(value) for name, value in owed.items()}
    by_rest = sorted(owed, key=lambda name: given[name] - owed[name])
    for name in by_rest[: cells - sum(given.values()) if given else 0]:
        given[name] += 1
    return given


def entries(names: Iterable[str], *, plain: bool = False) -> Iterator[Text]:
    """The glyph and the name of each of these states."""
    for name in names:
        state = STATES[name]
        yield Text.assemble((state.plain if plain else state.glyph, state.style), f" {IN_SHORT[name]}")


def legend(items: Iterable[Text], width: int) -> Iterator[Text]:
    """Put the entries one after another, in as few lines of that width as possible."""
    line = Text()
    for entry in items:
        if line and len(line) + GAP + len(entry) > width:
            yield line
            line = Text()
        line.append(" " * GAP if line else "").append_text(entry)
    yield line


def in_columns(run: Run, width: int) -> Iterator[Table]:
    """The shares of each case in columns; start-up and shut-down beside them, or in a second table if too wide."""
    shares = [_shares(case) for case in run.cases]
    columns = {
        IN_SHORT[name].replace(", ", ",\n"): [percent(share[name]) if name in share else "-" for share in shares]
        for name in STATES
        if any(name in share for share in shares)
    }
    beside = {
        "start-up": [seconds(case.median_repeat.startup_s) for case in run.cases],
        "shut-down": [seconds(case.median_repeat.shutdown_s) for case in run.cases],
    }
    names = [broken(case.name, room(width)) for case in run.cases]
    both = columns | beside
    wide = sum(GAP + widest(heading, *cells) for heading, cells in both.items())
    fits = wide + widest(TITLE, *names) <= width
    for part in (both,) if fits else (columns, beside):
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        table.add_column("" if part is beside else TITLE, overflow="fold")
        for heading in part:
            table.add_column(heading, justify="right", vertical="top")
        for index, name in enumerate(names):
            table.add_row(Text(name), *(cells[index] for cells in part.values()))
        yield table


def _shares(case: MeasuredCase) -> dict[str, float]:
    """The shares of at least SHOWN_FROM, by category; empty for a case without a time."""
    shares = case.breakdown().shares() if case.times else {}
    return {name: share for name, share in shares.items() if share >= SHOWN_FROM}


def _largest_loss(shares: dict[str, float]) -> str:
    lost = {name: share for name, share in shares.items() if name not in USEFUL}
    if not lost:
        return ""
    name = max(lost, key=lost.__getitem__)
    return f"{percent(lost[name]):>7} {IN_SHORT[name]}"
