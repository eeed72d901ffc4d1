"""How a chart looks: what tells its parts apart, and what all figures have in common.

What a chart tells apart has a colour each, grey or of Okabe and Ito's palette, made for the colour-blind ("Color
Universal Design", 2008), and a pattern each, so that either does alone. Text, axes and grids take their colours from
the page, by Bokeh's CSS variables, and the figures' backgrounds are transparent: so charts follow a page from light to
dark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bokeh.models import BasicTickFormatter, PanTool, Plot, Range, WheelZoomTool
from bokeh.models.annotations import Legend, LegendItem
from bokeh.models.layouts import Column, Row
from bokeh.plotting import figure

from parlab.terminal import states

BLACK, GREY, ORANGE, GREEN = states.BLACK, states.GREY, states.ORANGE, states.GREEN
YELLOW, VERMILION, PURPLE = states.YELLOW, states.VERMILION, states.PURPLE
EDGED, INK = "edged", "ink"  # tags of glyphs whose lines take the colour of the page, or of its text
LEFT = 120  # pixels for the labels of rows, in all figures that stand above each other
LETTER_PIXELS = 7  # of a letter of 12 px, at most
AXIS_PIXELS = 700  # of the axis of a chart, at least; in a narrower window words may overlap


TIP_STYLE = (
    ":host { --tooltip-color: var(--paper); --tooltip-text: var(--ink); --tooltip-border: var(--faint); opacity: 1; }"
    ".tip { display: grid; grid-template-columns: auto auto; gap: 0 8px; font-size: 12px; }"
    ".tip .bk-tooltip-row-label { color: var(--faint); } .tip .bk-tooltip-row-value { font-weight: 600; }"
)


@dataclass(frozen=True)
class Look:
    """A colour and a pattern, one of Bokeh's; `blank` is a plain area."""

    colour: str
    pattern: str

    def fill(self) -> dict[str, Any]:
        """As properties of a Bokeh glyph."""
        return {
            "fill_color": self.colour,
            "hatch_pattern": self.pattern,
            "hatch_color": "white",
            "hatch_alpha": 0.75,
            "hatch_scale": 7,
            "hatch_weight": 1.5,
        }


LOOKS = {name: Look(state.colour, state.pattern) for name, state in states.STATES.items()}
COMPUTING, WAITING, CONTENDED, TRANSFER = (LOOKS[name] for name in ("computing", "waiting", "contended", "transfer"))
QUEUED = Look(GREY, "dot")


@dataclass(frozen=True)
class Chart:
    """A picture, by the name under which it is exported; `words` tell it to those who cannot see."""

    name: str
    title: str
    words: str
    model: Column | Row  # of figures


def make_figure(height: int, x_range: Range | None = None, *, left: int = LEFT, **more: Any) -> figure:
    """A figure as wide as the page. See `zoomable` for how it is moved."""
    ranges: Mapping[str, Any] = {} if x_range is None else {"x_range": x_range}
    plot = figure(
        height=height,
        tools=[],
        toolbar_location=None,  # the page says how to move; buttons would be more stops for the keyboard
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
    plot.axis.major_label_text_font_size = plot.axis.axis_label_text_font_size = "12px"
    plot.axis.axis_label_text_font_style = "normal"
    return plot


def zoomable(plot: Plot) -> None:
    """Let a figure be dragged and zoomed along the axis of time."""
    drag, wheel = PanTool(dimensions="width"), WheelZoomTool(dimensions="width", modifiers={"ctrl": True})
    plot.add_tools(drag, wheel)
    plot.toolbar.active_drag, plot.toolbar.active_scroll = drag, wheel


def share_of_axis(words: str, offset: int) -> float:
    """How much of an axis words take that stand so many pixels beside their place, as a fraction."""
    return (offset + LETTER_PIXELS * len(words)) / AXIS_PIXELS


def tip(lines: Sequence[tuple[str, str]]) -> str:
    """What pointing tells, a name and a value a line, in the colours of the page; Bokeh's own are too faint, or glare.

    It lies in an element of its own, which a page's style does not reach: so it brings its style along.
    """
    rows = (
        f'<div class="bk-tooltip-row-label">{name}{":" if name else ""}</div>'
        f'<div class="bk-tooltip-row-value">{value}</div>'
        for name, value in lines
    )
    return f"<div class='tip'><style>{TIP_STYLE}</style>{''.join(rows)}</div>"


def add_legend(plot: Any, drawn: Mapping[str, Sequence[Any]], *, columns: int, place: str = "above") -> None:
    """What is drawn, by its name."""
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
            label_text_font_size="12px",
            glyph_width=26,
            stylesheets=[".bk-item .bk-label { color: var(--ink) !important }"],  # else it keeps its first colour
        ),
        place,
    )
