"""Names of cases in a column: whole, and broken at blanks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.terminal.names import broken


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("pool_of_ranks(nodes=1)", ["pool_of_ranks(nodes=1)"]),
        ("in_chunks(many=16, chunk=4, nodes=4)", ["in_chunks(many=16,", "  chunk=4, nodes=4)"]),
        ("add_up(kind='short io', n=4)", ["add_up(kind='short io',", "  n=4)"]),
        ("one_after_another(jobs='waiting')", ["one_after_another", "  (jobs='waiting')"]),
        (
            "pool(method='forkserver-and-more', workers=2)",
            ["pool", "  (method='forkserver-an", "d-more',", "   workers=2)"],
        ),
        ("x" * 30, ["x" * 24, "x" * 6]),
    ],
)
def test_a_name_breaks_at_blanks_then_before_its_settings_and_else_where_it_must(name: str, lines: list[str]) -> None:
    assert broken(name, 24).splitlines() == lines


@given(st.text("ab_(), =", min_size=1).map(str.strip).filter(bool), st.integers(8, 40))
def test_a_broken_name_is_whole_and_within_its_width(name: str, width: int) -> None:
    lines = broken(name, width).splitlines()
    assert max(map(len, lines)) <= width
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
