"""The command that predicts a case on more nodes than there are."""

import json
import os
from dataclasses import asdict
from typing import Any

from parlab.commands.labs import write_or_complain
from parlab.course.catalog import lab_files
from parlab.errors import ParlabError, UsageError
from parlab.host.places import COMMAND, shown
from parlab.predict.evidence import evidence
from parlab.predict.prediction import Prediction, predict
from parlab.results.record import Run
from parlab.results.store import earlier_runs, find, read_json
from parlab.run.request import read_output, read_predicted_sizes, read_whole
from parlab.terminal.predictions import show_prediction
from parlab.terminal.tables import make_console

SCHEMA = 1  # of the JSON file
MOST_TASKS = 10_000_000
MOST_CHUNK = 1_000_000


def predict_and_show(
    named: str, nodes: str, *, case: str | None, tasks: str | None, chunk: str | None, file: str | None
) -> None:
    """Predict a case of a record, or of a lab's kept records, and print it. Raises UsageError."""
    sizes = read_predicted_sizes(nodes)
    count = None if tasks is None else read_whole("--tasks", tasks, MOST_TASKS)
    size = 1 if chunk is None else read_whole("--chunk", chunk, MOST_CHUNK)
    target = read_output("--json", file)
    basis = evidence(_runs(named), case)
    if basis.is_stencil and (count is not None or chunk is not None):
        raise UsageError(f"--tasks and --chunk are for farms of tasks, and {basis.case} is a stencil")
    prediction = predict(basis, sizes, tasks=count, chunk=size)
    show_prediction(make_console(), prediction)
    if target is not None:
        if wrong := write_or_complain(target, json.dumps(to_json(prediction), indent=1) + "\n"):
            raise ParlabError(wrong[0])
        print(f"written: {shown(target)}")


def to_json(prediction: Prediction) -> dict[str, Any]:
    """The prediction as plain data: its fields by their names, and `off_by` of each size. Times in seconds."""
    sizes = [{**asdict(size), "off_by": size.off_by} for size in prediction.sizes]
    return {"schema": SCHEMA, **asdict(prediction), "spec": prediction.spec.to_json(), "sizes": sizes}


def _runs(named: str) -> list[Run]:
    """The record of that name, or the kept records of the lab of that name, the newest first."""
    lab = named.removeprefix("lab.")
    if os.sep in named or named.endswith(".json") or named[:1].isdigit():
        return [read_json(find(named))]
    runs = [run for run in earlier_runs(lab) if run.lab == lab]
    if not runs and lab not in lab_files():
        raise UsageError(f"No run and no lab {named!r}. Use a lab's name, a file, or a number from {COMMAND} results.")
    if not runs:
        raise UsageError(f"no record of {lab} is kept: run {COMMAND} lab.{lab} --nodes 1,2,4 first")
    return runs
