"""The tooltips of a case's chart: for a task, its length comes first, then its ideal length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJSHover, HoverTool
from bokeh.plotting import figure

from parlab.model.span import Span
from parlab.model.workers import first_submission, thread_numbers, worker_of
from parlab.report.bars import chunks
from parlab.report.style import tip


@dataclass(frozen=True)
class Facts:
    """The numbers of each task, and the names that some of these numbers stand for."""

    facts: ColumnDataSource
    names: ColumnDataSource


TOLD = (  # its length and ideal length; then who and where; then the timestamps
    *("took", "ideally", "CPU seconds", "outcome", "task", "chunk", "node", "rank", "process"),
    *("submitted", "started", "finished", "received"),
)
TELL = """
const at = facts.data, task = value
switch (format) {
  case "took": return `${(at.finished[task] - at.started[task]).toFixed(4)} s`
  case "ideally": return at.ideally[task] < 0 ? "not known" : `${at.ideally[task].toFixed(4)} s`
  case "task": return `${task + 1} of ${at.rank.length}`
  case "chunk": return `${at.chunk[task]}`
  case "node": return names.data.node[at.node[task]]
  case "rank": return at.rank[task] < 0 ? "none" : `${at.rank[task]}`
  case "process": return `${at.process[task]}, thread ${at.thread[task]}`
  case "CPU seconds": return at.cpu_s[task].toFixed(4)
  case "outcome": return names.data.outcome[at.outcome[task]]
  default: return `${at[format][task].toFixed(4)} s`
}
"""


def add_hover(plot: figure, glyph: Any, lines: Sequence[tuple[str, str]], facts: Facts | None) -> None:
    """Add a tooltip to a glyph: these lines and, for tasks, their `facts`."""
    tooltip = [*lines, *((what, f"@task{{{what}}}") for what in TOLD if facts is not None)]
    hover = HoverTool(renderers=[glyph], tooltips=tip(tooltip), point_policy="follow_mouse", visible=False)
    hover.limit = 1
    if facts is not None:
        hover.formatters = {"@task": CustomJSHover(args=vars(facts), code=TELL)}
    plot.add_tools(hover)


def facts_of(spans: Sequence[Span], planned: Sequence[float]) -> Facts:
    """The tooltip's facts about each task, with its planned seconds if they are known."""
    origin = first_submission(spans)
    nodes, outcomes = sorted({span.node for span in spans}), sorted({span.outcome for span in spans})
    threads = thread_numbers(spans)
    times = {
        name: np.array([getattr(span, name) - origin for span in spans], np.float32)
        for name in ("submitted", "started", "finished", "received")
    }
    whole = {
        "node": [nodes.index(span.node) for span in spans],
        "outcome": [outcomes.index(span.outcome) for span in spans],
        "rank": [span.rank for span in spans],
        "process": [span.pid for span in spans],
        "thread": [threads[worker_of(span)] for span in spans],
        "chunk": chunks(spans),
    }
    columns = times | {name: np.array(values, np.int32) for name, values in whole.items()}
    columns["ideally"] = np.array(planned or [-1.0] * len(spans), np.float32)
    columns["cpu_s"] = np.array([span.cpu_s for span in spans], np.float32)
    longest = max(len(nodes), len(outcomes))
    names = {"node": nodes, "outcome": outcomes}
    padded = {name: [*values, *[""] * (longest - len(values))] for name, values in names.items()}
    return Facts(ColumnDataSource(columns), ColumnDataSource(padded))
