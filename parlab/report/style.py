"""The style of charts: the look of their parts, and the settings that all figures share.

Each kind of part has its own colour and its own pattern; either is enough to identify it. The colours are grey or from
Okabe and Ito's palette, made for the colour-blind ("Color Universal Design", 2008). Text, axes and grids take their
colours from the page, through Bokeh's CSS variables, and the figures' backgrounds are transparent. So charts follow a
page from light to dark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from bokeh.models import BasicTickFormatter, PanTool, Plot, Range, WheelZoomTool
from bokeh.models.annotations import Legend, LegendItem, Title
from bokeh.models.layouts import Column, Row
from bokeh.plotting import figure

from parlab.terminal import states

BLACK, GREY, ORANGE, GREEN = states.BLACK, states.GREY, states.ORANGE, states.GREEN
YELLOW, VERMILION, PURPLE = states.YELLOW, states.VERMILION, states.PURPLE
EDGED, INK = "edged", "ink"  # tags of glyphs: their lines take the page's background colour, or its text colour
LEFT = 120  # pixels for the labels of rows; the same in all figures that stand above each other
TEXT = "14px"  # of all texts in charts, to be read from the last row
LETTER_PIXELS = 8  # width of a letter of TEXT, at most
AXIS_PIXELS = 700  # width of a chart's axis, at least; in a narrower window, text may overlap


TIP_STYLE = (
    ":host { --tooltip-color: var(--paper); --tooltip-text: var(--ink); --tooltip-border: var(--faint); opacity: 1; }"
    ".tip { display: grid; grid-template-columns: auto auto; gap: 0 8px; font-size: 14px; }"
    ".tip .bk-tooltip-row-label { color: var(--faint); } .tip .bk-tooltip-row-value { font-weight: 600; }"
)


@dataclass(frozen=True)
class Look:
    """A colour and a pattern, one of Bokeh's; `blank` is a plain area."""

    colour: str
    pattern: str

    def fill(self) -> dict[str, Any]:
        """The look as properties of a Bokeh glyph."""
        return {
            "fill_color": self.colour,
            "hatch_pattern": self.pattern,
            "hatch_color": "white",
            "hatch_alpha": 0.75,
            "hatch_scale": 7,
            "hatch_weight": 1.5,
        }


LOOKS = {name: Look(state.colour, state.pattern) for name, state in states.STATES.items()}
COMPUTING, WAITING, CONTENDED, TRANSFER, UNEXPLAINED = (
    LOOKS[name] for name in ("computing", "waiting", "contended", "transfer", "unexplained")
)
LIFE = Look(states.SLATE, "blank")  # a stretch of which nobody knows what it was: not the colour of computing
QUEUED = Look(GREY, "dot")


@dataclass(frozen=True)
class Chart:
    """A chart, with its name for exports; `words` describe it for readers who cannot see it."""

    name: str
    title: str
    words: str
    model: Column | Row  # of figures


def make_figure(height: int, x_range: Range | None = None, *, left: int = LEFT, **more: Any) -> figure:
    """A figure as wide as the page; `zoomable` makes it movable."""
    ranges: Mapping[str, Any] = {} if x_range is None else {"x_range": x_range}
    plot = figure(
        height=height,
        tools=[],
        toolbar_location=None,  # the page explains how to move; buttons would add stops for the keyboard
        sizing_mode="stretch_width",
        min_border_left=left,
        min_border_right=24,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        **ranges,
        **more,
    )
    plot.toolbar.logo = None
    plot.xaxis.formatter = BasicTickFormatter(use_scientific=False)
    plot.axis.major_label_text_font_size = plot.axis.axis_label_text_font_size = TEXT
    cast(Title, plot.title).text_font_size = TEXT
    plot.axis.axis_label_text_font_style = "normal"
    return plot


def zoomable(plot: Plot) -> None:
    """Let a figure be dragged and zoomed along the axis of time."""
    drag, wheel = PanTool(dimensions="width"), WheelZoomTool(dimensions="width", modifiers={"ctrl": True})
    plot.add_tools(drag, wheel)
    plot.toolbar.active_drag, plot.toolbar.active_scroll = drag, wheel


def share_of_axis(words: str, offset: int) -> float:
    """The fraction of an axis that text takes up; `offset` is its distance from its place, in pixels."""
    return (offset + LETTER_PIXELS * len(words)) / AXIS_PIXELS


def tip(lines: Sequence[tuple[str, str]]) -> str:
    """The tooltip: a name and a value per line, in the colours of the page; Bokeh's own are too faint, or too bright.

    The tooltip is in an element that a page's style does not reach, so it brings its own style.
    """
    rows = (
        f'<div class="bk-tooltip-row-label">{name}{":" if name else ""}</div>'
        f'<div class="bk-tooltip-row-value">{value}</div>'
        for name, value in lines
    )
    return f"<div class='tip'><style>{TIP_STYLE}</style>{''.join(rows)}</div>"


def add_legend(plot: Any, drawn: Mapping[str, Sequence[Any]], *, columns: int, place: str = "above") -> None:
    """Add a legend: the glyphs by name."""
    plot.add_layout(
        Legend(
            items=[LegendItem(label=name, renderers=list(glyphs)) for name, glyphs in drawn.items()],
            orientation="horizontal",
            ncols=columns,
            border_line_color=None,
            background_fill_color=None,
            location="left",
            margin=4,
            spacing=14,
            label_text_font_size=TEXT,
            glyph_width=26,
            stylesheets=[".bk-item .bk-label { color: var(--ink) !important }"],  # else it would keep its first colour
        ),
        place,
    )
