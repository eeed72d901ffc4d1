"""Pages made from Runs: each is one self-contained file that opens from anywhere and loads nothing from elsewhere.

The pages are filled-in templates from `pages/`; Bokeh's script, which is a part of the file, draws the charts.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from bokeh.embed import json_item
from bokeh.models.annotations import Title
from bokeh.models.layouts import Row
from bokeh.plotting import figure
from bokeh.resources import Resources
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from parlab.errors import UsageError
from parlab.formatting import plural, signed_percent
from parlab.host.places import COMMAND
from parlab.report.comparing import ComparisonView
from parlab.report.faster import AGAINST
from parlab.report.style import Chart
from parlab.report.views import RunView
from parlab.results.record import Run
from parlab.terminal.summary import (
    WITHIN_NOISE,
    claim_in_words,
    in_short,
    most_off_by,
    sizes,
)

HERE = Path(__file__).parent
ABOUT = {  # the verdict's questions
    "correct": "Did every case come out as the lab declares it?",
    "held": "Were the limits in force, and did the nodes get what they allow?",
    "quiet": "Did the host have the CPU to give, or did something else use it?",
    "reproduced": "Do the lab's claims hold in what was measured?",
}
ABOUT_PROGRAMS = ABOUT | {"correct": "Did the program end with exit code 0?"}
WORDS = {"about": ABOUT, "about_programs": ABOUT_PROGRAMS}
# A value and its unit are kept on one line, and so are the parts of a word with a hyphen.
KEPT = re.compile(r"[-+]?\d[\d.,]*(?: (?:%|s|ms|MB|x|units?|workers?|tasks?|CPUs?)(?![\w-]))+|\b\w{2,12}-\w{2,12}\b")
LONG_NAME = 24  # characters of a function
SHORT_NAME, FAIR_NAME = 26, 40  # characters that stay on one line: always, or on a wide page
TITLE_PIXELS = 24  # height of a line above a chart
BOKEH = Resources(mode="inline", components=["bokeh"])  # no widgets, tables or formulas


def report(runs: Sequence[Run]) -> str:
    """One page with these runs, one below the other."""
    views = [RunView(run, f"run-{number}-" if len(runs) > 1 else "") for number, run in enumerate(runs, 1)]
    title = views[0].title if len(views) == 1 else f"{plural(len(views), 'run')} of parlab"
    charts = [chart for view in views for chart in view.drawn()]
    return _page("report.html", title, charts, views=views, **WORDS)


def comparison(first: Run, second: Run) -> str:
    """One page with two runs, A and B; the charts of a case have the same scale in both."""
    view = ComparisonView(first, second)
    return _page(
        "compare.html",
        view.title,
        view.drawn(),
        view=view,
        within_noise=WITHIN_NOISE,
        against=AGAINST,
        **WORDS,
        of=f"--run {first.id} --against {second.id}",
    )


def chart_of(name: str, run: Run, against: Run | None = None) -> str:
    """A page with one chart of the run's report, or of its comparison with another run.

    The lab's name stands above the chart; so does a warning if a run's numbers are invalid. Raises UsageError if there
    is no such chart.
    """
    if against is None:
        runs, charts = [run], RunView(run).charts()
    else:
        runs, charts = [run, against], ComparisonView(run, against).charts()
    named = {chart.name: chart for chart in charts}
    if name not in named:
        whose = " and ".join(one.id for one in runs)
        raise UsageError(f"required a chart of {whose}, one of {', '.join(named) or 'none'}, found {name!r}")
    labs = " and ".join(dict.fromkeys(f"lab.{one.lab}" for one in runs))
    _entitle(named[name], [f"{labs}: {named[name].title}"] + [f"{r.id}: {in_short(r)}" for r in runs if not r.stands])
    return _page("export.html", name, [named[name]], chart=named[name])


def _entitle(chart: Chart, lines: list[str]) -> None:
    """Put these lines above the chart's own title."""
    top, *beside = cast(list[figure], chart.model.children)
    title = cast(Title, top.title)
    below = [*lines[1:], *([str(title.text)] if title.text else [])]
    title.text = lines[0]
    for line in reversed(below):  # the line added first is nearest to the plot
        top.add_layout(Title(text=line), "above")
    for plot in [top, *beside] if isinstance(chart.model, Row) else [top]:
        plot.height = cast(int, plot.height) + TITLE_PIXELS * len(lines)


@dataclass(frozen=True)
class Entry:
    """A run in the index, with its number in `results`; its page lies beside the index."""

    number: int
    view: RunView

    @property
    def link(self) -> str:
        return page_name(self.view.run)

    @property
    def host(self) -> str:
        """The machine of the run, as far as its record describes it."""
        machine = self.view.run.environment
        cpus = plural(machine["cpus"], "CPU") if isinstance(machine.get("cpus"), int) else ""
        return ", ".join(str(fact) for fact in (machine.get("cpu"), cpus) if fact) or "not known"

    def cells(self) -> tuple[str, ...]:
        """The run's text for each column."""
        run = self.view.run
        claims = run.verdict.claims
        return (
            f"{datetime.fromisoformat(run.started):%Y-%m-%d %H:%M}",
            run.backend,
            sizes(run),
            str(len(run.cases)),
            signed_percent(most_off_by(run)),
            (f"{self.view.shown} of {len(claims)}" if claims else "no claims") if run.stands else "-",
            self.host,
        )


def page_name(run: Run) -> str:
    """The file name of a run's page."""
    return f"{run.id}.html"


def index(runs: Mapping[int, Run], unread: Sequence[str]) -> str:
    """One page that lists runs, with links to their pages in the same folder, and the errors of unreadable records."""
    entries = [Entry(number, RunView(run)) for number, run in runs.items()]
    filters = {
        "lab": sorted({entry.view.run.lab for entry in entries}),
        "host": sorted({entry.host for entry in entries}),
        "verdict": sorted({entry.view.in_short for entry in entries}),
    }
    return _page("index.html", "Runs of parlab", [], entries=entries, filters=filters, unread=unread)


def _page(template: str, title: str, charts: Sequence[Chart], **content: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(HERE / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    environment.filters["claim"] = claim_in_words
    environment.filters["kept"] = _kept
    environment.filters["call"] = _call
    environment.filters["room"] = _room
    environment.globals["command"] = COMMAND
    return environment.get_template(template).render(
        title=title,
        style=Markup((HERE / "pages" / "page.css").read_text("utf-8")),
        script=Markup((HERE / "pages" / "page.js").read_text("utf-8")),
        bokeh=[Markup(script) for script in BOKEH.js_raw] if charts else [],
        charts=[(chart.name, _as_script(chart)) for chart in charts],
        **content,
    )


def _code(text: str) -> Markup:
    """A handout's text; text in backticks becomes code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))


def _kept(text: str) -> Markup:
    """Text whose numbers stay with their units, and whose words with a hyphen stay whole."""
    return Markup(KEPT.sub(r'<span class="kept">\g<0></span>', str(escape(text))))


def _call(name: str) -> Markup:
    """A case's name; it may be broken behind its bracket or, if its function has a long name, within that."""
    function, bracket, settings = name.partition("(")
    parts = escape(function).replace("_", Markup("_<wbr>")) if len(function) > LONG_NAME else escape(function)
    return parts + bracket + Markup("<wbr>" * bool(bracket)) + settings


def _room(name: str) -> str:
    """Classes by the width that a name in a table needs to stay on one line."""
    return "short" if len(name) <= SHORT_NAME else "fair" if len(name) < FAIR_NAME else ""


def _as_script(chart: Chart) -> Markup:
    """The chart as JSON for a page: escaped, so that nothing in it closes its element."""
    text = json.dumps(json_item(chart.model), separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
