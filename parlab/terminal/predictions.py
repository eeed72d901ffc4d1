"""The output for a prediction: a table by number of nodes, and the answer in words."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil

from rich.console import Console
from rich.text import Text

from parlab.formatting import number, plural, seconds, signed_percent, times
from parlab.predict.prediction import Prediction, Size
from parlab.terminal.tables import plain_table

WORTH = 0.5  # of the speed-up that a larger size should bring; one that brings less does not pay
QUICKER = 0.9  # of the time; a hint that saves less is none: what a chunk costs its worker is left out


def show_prediction(console: Console, prediction: Prediction) -> None:
    """Print the table, and below it what it says."""
    fitted = ", ".join(str(size) for size in prediction.fitted)
    console.print(
        Text(
            f"{prediction.case}: {prediction.spec.cores} x {prediction.spec.speed} a node; costs from {fitted} nodes",
            "bold",
        )
    )
    console.print()
    table = plain_table("nodes", "ideal", "predicted", "95 %", "measured", "off by", right=True)
    for size in prediction.sizes:
        off_by = "-" if size.off_by is None else signed_percent(size.off_by)
        interval = f"{seconds(size.low_s)} to {seconds(size.high_s)}"
        measured = seconds(size.measured_s) + (" *" if size.fitted and size.measured_s is not None else "")
        table.add_row(str(size.nodes), seconds(size.ideal_s), seconds(size.predicted_s), interval, measured, off_by)
    console.print(table)
    if any(size.fitted and size.measured_s is not None for size in prediction.sizes):
        console.print(Text("* the costs come from this size, too", "dim"))
    console.print()
    for line in in_words(prediction):
        console.print(Text(line))


def in_words(prediction: Prediction) -> Iterator[str]:
    """The answer, and for a farm the limit of one master and what would help; a sentence or two each."""
    last = prediction.sizes[-1]
    yield (
        f"On {plural(last.nodes, 'node')} it takes {seconds(last.predicted_s)} "
        f"({seconds(last.low_s)} to {seconds(last.high_s)}); the ideal is {seconds(last.ideal_s)}. "
        f"{_worth(prediction.sizes)}"
    )
    master = prediction.master
    if master is None:
        return
    what = "tasks" if prediction.chunk == 1 else "chunks"
    yield (
        f"One master hands out {number(master.chunks_a_second)} {what} a second at most: "
        f"{plural(ceil(master.busy_at), 'node')} would ask for that many, and more gain nothing."
    )
    if not master.receipts_seen:
        yield "That is rough: no result had to wait, so the cost of taking one is taken to be that of a submission."
    workers = last.nodes * prediction.spec.cores
    if prediction.tasks < workers:
        yield f"There are {plural(prediction.tasks, 'task')} for {plural(workers, 'worker')}: some have nothing to do."
    if master.chunk > 1 and master.chunk_s < QUICKER * last.predicted_s:
        yield f"With chunksize={master.chunk} it would take {seconds(master.chunk_s)} on {plural(last.nodes, 'node')}."
    if master.group is not None and master.group_s is not None and master.group_s < QUICKER * last.predicted_s:
        yield (
            f"With a sub-master for every {plural(master.group, 'node')} it would take {seconds(master.group_s)}: "
            f"each gets an even share of the tasks and hands them out one by one."
        )


def _worth(sizes: tuple[Size, ...]) -> str:
    """From which size on more nodes gain little, in a sentence; '' for one size."""
    for small, large in pairwise(sizes):
        quicker, more = small.predicted_s / large.predicted_s, large.nodes / small.nodes
        if quicker < WORTH * more:
            where = f"From {small.nodes} to {large.nodes} nodes"
            return f"{where} it gets {times(quicker)} quicker, on {times(more)} the nodes."
    return "Each step in the table pays." if len(sizes) > 1 else ""
