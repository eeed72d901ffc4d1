"""The documentation: its links lead somewhere, it names every command, and the README stays short."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.test_cli import COMMANDS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)\s]*)\)")
TWO_SCREENS = 90  # lines


def anchors(page: Path) -> set[str]:
    """The anchors that a code host makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in LINK.findall(page.read_text()):
            yield page, target


@pytest.mark.parametrize(("page", "target"), [pytest.param(*link, id=f"{link[0].name}:{link[1]}") for link in links()])
def test_a_link_leads_to_what_is_there(page: Path, target: str) -> None:
    file, _, anchor = target.partition("#")
    found = (page.parent / file).resolve() if file else page
    assert found.exists()
    assert not anchor or anchor in anchors(found)


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(page.parent / target).resolve() for page, target in links() if page.name == "README.md"}
    assert set(PAGES) - {ROOT / "README.md"} <= linked


def test_the_readme_fits_two_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= TWO_SCREENS


@pytest.mark.parametrize("command", sorted(COMMANDS | {"dev.pin", "lab.all"}))
def test_every_command_is_documented(command: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert re.search(rf"`{re.escape(command)}[` ]", page)
