"""Exported charts of every kind: real pictures, of the size of the chart, with its words in them."""

import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from parlab.results.store import keep
from tests.conftest import Invoke
from tests.unit.samples import case_on, run

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    keep(run(*map(case_on, (1, 2, 4))), tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("chart", "word"),
    [("overview", "measured"), ("case-3", "rank 5"), ("account", "computing"), ("scaling-1", "Amdahl's law")],
)
def test_a_chart_is_an_svg_with_its_words(chart: str, word: str, results: Path, invoke: Invoke) -> None:
    done = invoke("export", chart, str(results / "x.svg"), PARLAB_RESULTS=str(results))
    assert done.returncode == 0, done.stderr
    root = ElementTree.parse(results / "x.svg").getroot()
    assert root.tag == f"{SVG}svg"
    assert float(root.attrib["width"]) == 1000
    assert root.attrib["viewBox"] == f"0 0 1000 {root.attrib['height']}"  # else it cannot be made larger
    assert any(str(text.text).startswith("lab.sample: ") for text in root.iter(f"{SVG}text"))
    assert word in [text.text for text in root.iter(f"{SVG}text")]


def test_a_chart_that_is_not_there_is_told_with_those_that_are(results: Path, invoke: Invoke) -> None:
    done = invoke("export", "nothing", str(results / "x.svg"), PARLAB_RESULTS=str(results))
    assert (done.returncode, done.stdout) == (2, "")
    assert "one of overview, case-1, case-2, case-3, account, scaling-1, found 'nothing'" in done.stderr
    assert not (results / "x.svg").exists()


def test_a_chart_is_a_png_dark_on_white(results: Path, invoke: Invoke) -> None:
    assert invoke("export", "case-1", str(results / "x.png"), PARLAB_RESULTS=str(results)).returncode == 0
    image = Image.open(io.BytesIO((results / "x.png").read_bytes())).convert("RGBA")
    assert image.getchannel("A").getextrema() == (255, 255)
    shades = image.convert("L").histogram()
    assert image.width % 1000 == 0
    assert sum(shades[:60]) > 100  # words
    assert shades[255] > 0.5 * image.width * image.height
