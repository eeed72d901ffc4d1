"""The appearance of a worker's states, in the terminal and on pages alike: one colour and one pattern each.

Either is enough: the glyph identifies a state without colour, the colour at a glance. The colours are grey or from
Okabe and Ito's palette, made for the colour-blind ("Color Universal Design", 2008). A glyph with lines is black on its
colour, so it is readable on light and dark terminals.
"""

from dataclasses import dataclass

from rich.style import Style

BLACK, GREY = "#000000", "#767676"
ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE, SLATE = "#0072b2", "#d55e00", "#cc79a7", "#7a93ac"


@dataclass(frozen=True)
class State:
    """A state: its colour, its pattern on a page (one of Bokeh's), its glyph, and the glyph in ASCII."""

    colour: str
    pattern: str
    glyph: str
    plain: str
    filled: bool = True  # whether the colour fills the cell behind the glyph

    @property
    def style(self) -> Style:
        """The style of a bar's cells in this state."""
        return Style(color=BLACK, bgcolor=self.colour) if self.filled else Style(color=self.colour)


# Diagonals: ╲, a cross, and the other one. They are written as numbers, because they look like letters.
STATES = {  # by category; see parlab/analysis/breakdown.py
    "computing": State(BLUE, "blank", "█", "#", filled=False),
    "waiting": State(ORANGE, "left_diagonal_line", "\u2572", "\\"),
    "contended": State(VERMILION, "diagonal_cross", "\u2573", "%"),
    "transfer": State(SKY, "right_diagonal_line", "\u2571", "/"),
    "idle_queued": State(PURPLE, "vertical_line", "┊", ":"),
    "idle_no_work": State(GREY, "horizontal_dash", "─", "-", filled=False),
    "unexplained": State(YELLOW, "spiral", "?", "?"),
}
