"""What a lab prints: its first lines are shown, all are kept."""

from pathlib import Path

import pytest

from parlab.run import output
from parlab.run.output import LabOutput


@pytest.fixture(autouse=True)
def _few_lines_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "SHOWN_LINES", 3)


def said(file: Path, *launches: tuple[str, int]) -> list[str]:
    """What is shown of launches that print so many lines."""
    shown: list[str] = []
    made = LabOutput(file, shown.append)
    for what, count in launches:
        made.begin(what)
        for number in range(count):
            made.line(f"{what} {number}")
    made.close()
    return shown


def test_a_launch_that_prints_little_is_shown_and_leaves_no_file(tmp_path: Path) -> None:
    assert said(tmp_path / "r.txt", ("a", 3), ("b", 3)) == ["a 0", "a 1", "a 2", "b 0", "b 1", "b 2"]
    assert list(tmp_path.iterdir()) == []


def test_of_one_that_prints_much_the_rest_is_counted_and_all_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "results/r.txt"
    assert said(file, ("a", 5), ("b", 1), ("c", 4)) == [
        *("a 0", "a 1", "a 2", f"... 2 lines more of a, all of it in {file}"),
        "b 0",
        *("c 0", "c 1", "c 2", f"... 1 line more of c, all of it in {file}"),
    ]
    assert file.read_text().splitlines() == [
        *("=== a", "a 0", "a 1", "a 2", "a 3", "a 4"),
        *("=== c", "c 0", "c 1", "c 2", "c 3"),
    ]


def test_where_no_file_can_be_written_that_is_said_and_nothing_lost(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("no folder")
    shown = said(tmp_path / "results/r.txt", ("a", 5))
    assert shown[:3] == ["a 0", "a 1", "a 2"]
    assert shown[3].startswith(f"... 2 lines more of a, not kept in {tmp_path}/results/r.txt: ")
