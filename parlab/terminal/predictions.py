"""The output for a prediction: a table by number of nodes, and the answer in words."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil

from rich.console import Console
from rich.text import Text

from parlab.formatting import number, plural, seconds, signed_percent
from parlab.predict.prediction import Prediction, Size
from parlab.terminal.tables import plain_table

WORTH = 0.5  # of the gain that more nodes could bring: twice as many pay if it gets 1.5 x quicker
QUICKER = 0.9  # of the time; a hint that saves less is none: what a chunk costs its worker is left out
SAME = 0.01  # of the time; a smaller difference is none


def show_prediction(console: Console, prediction: Prediction) -> None:
    """Print the table, and below it what it says."""
    spec, sizes = prediction.spec, ", ".join(str(size) for size in prediction.fitted)
    title = f"{prediction.case}, {_work(prediction)}: {spec.cores} x {spec.speed} a node; costs from {sizes} nodes"
    console.print(Text(title, "bold"))
    records = "record" if len(prediction.runs) == 1 else "records"
    console.print(Text(f"{records}: {', '.join(prediction.runs)}", "dim"))
    console.print()
    table = plain_table("nodes", "ideal", "predicted", "95 %, like launches", "measured", "off by", right=True)
    for size in prediction.sizes:
        off_by = "-" if size.off_by is None else signed_percent(size.off_by)
        interval = f"{seconds(size.low_s)} to {seconds(size.high_s)}"
        measured = seconds(size.measured_s) + (" *" if size.fitted and size.measured_s is not None else "")
        table.add_row(str(size.nodes), seconds(size.ideal_s), seconds(size.predicted_s), interval, measured, off_by)
    console.print(table)
    for note in _notes(prediction):
        console.print(Text(note, "dim"))
    console.print()
    for line in in_words(prediction):
        console.print(Text(line))


def _work(prediction: Prediction) -> str:
    """`40 steps`, `64 tasks`, `64 tasks in chunks of 4`."""
    work = plural(prediction.tasks, "step" if prediction.is_stencil else "task")
    return work if prediction.chunk == 1 else f"{work} in chunks of {prediction.chunk}"


def _notes(prediction: Prediction) -> Iterator[str]:
    if any(size.fitted and size.measured_s is not None for size in prediction.sizes):
        yield "* the costs come from this size, too"
    for nodes, why in prediction.left_out.items():
        yield f"not used: {plural(nodes, 'node')}, {why}"
    if prediction.is_stencil:
        yield "assumes that the work can be divided evenly by any number of ranks"


def in_words(prediction: Prediction) -> Iterator[str]:
    """The answer, and for a farm the limit of one master and what would help; a sentence or two each."""
    last, master = prediction.sizes[-1], prediction.master
    yield (
        f"On {plural(last.nodes, 'node')} it takes {seconds(last.predicted_s)} ({seconds(last.low_s)} to "
        f"{seconds(last.high_s)}); the ideal is {seconds(last.ideal_s)}. {_worth(prediction.sizes)}"
    )
    if master is None:
        return
    what, nodes = "task" if prediction.chunk == 1 else "chunk", ceil(master.busy_at)
    yield (
        f"One master hands out {number(master.chunks_a_second)} {what}s a second at most: "
        f"{plural(nodes, 'node')} {'asks' if nodes == 1 else 'ask'} for that many."
    )
    if not master.receipts_seen:
        yield "That is rough: no result had to wait, so the cost of taking one is taken to be that of a submission."
    workers = last.nodes * prediction.spec.cores
    if prediction.chunks < workers:
        be = "is" if prediction.chunks == 1 else "are"
        yield (
            f"There {be} {plural(prediction.chunks, what)} for {plural(workers, 'worker')}: "
            f"{workers - prediction.chunks} {'has' if workers - prediction.chunks == 1 else 'have'} nothing to do."
        )
    if master.chunk != prediction.chunk and master.chunk_s < QUICKER * last.predicted_s:
        yield f"With chunksize={master.chunk} it would take {seconds(master.chunk_s)} on {plural(last.nodes, 'node')}."
    if master.group is not None and master.group_s is not None and master.group_s < QUICKER * last.predicted_s:
        yield (
            f"With a sub-master for every {plural(master.group, 'node')} it would take {seconds(master.group_s)}: "
            f"each gets an even share of the {what}s and hands them out one by one."
        )


def _worth(sizes: tuple[Size, ...]) -> str:
    """The first size from which on more nodes gain little, in a sentence; '' for one size."""
    for small, large in pairwise(sizes):
        quicker, more = small.predicted_s / large.predicted_s, large.nodes / small.nodes
        if quicker - 1 < WORTH * (more - 1):
            where = f"From {small.nodes} to {large.nodes} nodes"
            return f"{where} it gets {_quicker(quicker)}, on {number(more)} x the nodes."
    return "Each step in the table pays: it gains at least half of what its nodes could." if len(sizes) > 1 else ""


def _quicker(ratio: float) -> str:
    """`1.52 x quicker`, `no quicker`, `1.2 x slower`."""
    if abs(ratio - 1) < SAME:
        return "no quicker"
    return f"{number(ratio)} x quicker" if ratio > 1 else f"{number(1 / ratio)} x slower"
