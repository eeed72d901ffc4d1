"""How states look: the same on pages and in the terminal, and told apart with and without colour."""

from dataclasses import fields

import pytest

from parlab.analysis.breakdown import Breakdown
from parlab.report import style
from parlab.terminal.states import BLACK, STATES, State
from parlab.terminal.summary import CATEGORIES

WHITE = "#ffffff"


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As the Web Content Accessibility Guidelines have it, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_each_category_of_time_has_a_state_and_a_name() -> None:
    assert list(STATES) == [field.name for field in fields(Breakdown)] == list(CATEGORIES)


@pytest.mark.parametrize("of", ["colour", "pattern", "glyph", "plain"])
def test_no_two_states_share_a_colour_or_a_pattern_or_a_glyph(of: str) -> None:
    assert len({getattr(state, of) for state in STATES.values()}) == len(STATES)


def test_a_glyph_takes_one_column_and_one_of_them_is_ascii() -> None:
    for state in STATES.values():
        assert len(state.glyph) == len(state.plain) == 1
        assert state.plain.isascii()


def test_pages_draw_states_in_the_same_colours_and_patterns() -> None:
    drawn = {name: (look.colour, look.pattern) for name, look in style.LOOKS.items()}
    assert drawn == {name: (state.colour, state.pattern) for name, state in STATES.items()}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_a_cell_is_read_on_light_and_on_dark_terminals(state: State) -> None:
    if state.filled:  # it brings its own background
        assert contrast(BLACK, state.colour) >= 4.5
    else:
        assert min(contrast(state.colour, WHITE), contrast(state.colour, BLACK)) >= 3
