"""Labs are found, and hide nothing."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from parlab.course.catalog import lab_files, see_that_it_can_be_a_lab
from parlab.course.glossary import glossary
from parlab.course.handout import docstring, in_teaching_order, read_handout
from parlab.errors import UsageError
from tests.conftest import ROOT

LABS = lab_files()


@pytest.mark.parametrize(("code", "words"), [("x = (", r"sample\.py:1 \(x = \(\): SyntaxError"), ("\0", r"sample\.py")])
def test_what_is_no_python_is_refused_before_anything_starts(
    lab_file: Callable[[str], Path], code: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        see_that_it_can_be_a_lab(lab_file(code))


def test_a_lab_with_the_name_of_a_module_of_pythons_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text("from parlab.lab import Lab\nlab = Lab(unit=1)\n@lab.case()\ndef go(task): ...\n")
    with pytest.raises(UsageError, match=r"json\.py hides Python's own module json"):
        see_that_it_can_be_a_lab(path)


@pytest.mark.skipif(sys.platform != "linux", reason="names are in UTF-8 there")
def test_a_lab_whose_name_is_not_utf_8_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"b\xe4r.py")
    path.write_text("lab = 1\n")
    with pytest.raises(UsageError, match=r"^the name 'b\\udce4r\.py' is not in UTF-8"):
        see_that_it_can_be_a_lab(path)


def test_import_docker_is_the_sdk() -> None:
    command = [sys.executable, "-c", "import docker; print(docker.__file__, docker.from_env)"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "site-packages" in shown


@pytest.mark.parametrize("path", [*LABS.values(), *ROOT.glob("*.py")], ids=lambda path: path.name)
def test_no_module_of_ours_hides_a_package(path: Path) -> None:
    folders = [entry for entry in sys.path if Path(entry or ".").resolve() not in (ROOT, ROOT / "labs", ROOT / "tests")]
    assert PathFinder.find_spec(path.stem, folders) is None
    assert path.stem not in sys.stdlib_module_names


@pytest.mark.parametrize("path", LABS.values(), ids=LABS)
def test_a_lab_is_short_and_imports_only_what_it_teaches(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len((ast.get_docstring(tree) or "").splitlines()) <= 40
    assert len("\n".join(text.splitlines()[tree.body[0].end_lineno :]).strip().splitlines()) <= 80
    ours = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and "parlab" in str(node.module)}
    assert ours == {"parlab.lab"}


@pytest.mark.parametrize("path", LABS.values(), ids=LABS)
def test_a_handout_says_what_the_menu_and_the_course_need(path: Path) -> None:
    handout = read_handout(path)
    assert len(handout.title) <= 60, "the menu gives a lab one line"
    assert handout.line("Question").endswith("?")
    assert re.fullmatch(r"00[0-4](, 00[0-4])*", handout.line("Lessons"))
    assert 5 <= int(handout.line("Minutes")) <= 30
    assert list(handout.sections)[:2] == ["Question", "Setup"]
    assert {"Predict", "Run", "What happens, and why", "Traps", "Exercise"} <= handout.sections.keys()


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.:;?!]) ", " ".join(text.split()))


def test_no_sentence_stands_in_two_handouts_or_twice_in_one() -> None:
    found = Counter(
        sentence
        for path in LABS.values()
        for section, lines in read_handout(path).sections.items()
        if section != "Setup"  # some labs have the same nodes
        for sentence in sentences("\n".join(lines))
        if len(sentence.split()) > 5
    )
    found.update(sentence for text in glossary().values() for sentence in sentences(text))
    assert len(found) > 500
    assert [sentence for sentence, times in found.items() if times > 1] == []


@pytest.mark.parametrize("path", LABS.values(), ids=LABS)
def test_no_handout_explains_a_term_of_the_glossary_again(path: Path) -> None:
    text = " ".join(docstring(path).split())
    again = [term for term in glossary() if re.search(rf"(?<=[.;:] )(An?|The|To) {re.escape(term)} is\b", text)]
    allowed = {"task", "worker", "unit", "cpuset"}  # each lab says what they are there
    assert set(again) <= allowed


@pytest.mark.parametrize("path", LABS.values(), ids=LABS)
def test_a_handout_is_made_of_short_sentences(path: Path) -> None:
    prose = [
        text for _, blocks in read_handout(path).blocks() for kind, text in blocks if kind in ("paragraph", "item")
    ]
    lengths = [len(sentence.split()) for text in prose for sentence in sentences(text)]
    assert max(lengths) <= 30
    assert sum(lengths) / len(lengths) < 12
    assert not re.search(r"\b(whoever|of which)\b", " ".join(prose), re.IGNORECASE)


def test_the_course_is_one_line_of_labs() -> None:
    course = in_teaching_order([read_handout(path) for path in LABS.values()])
    leaders = [handout.line("Follows") for handout in course]
    assert leaders == ["", *(handout.name for handout in course[:-1])]


def test_the_documentation_names_every_lab_in_teaching_order() -> None:
    course = in_teaching_order([read_handout(path) for path in LABS.values()])
    page = (ROOT / "docs" / "labs.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(\.\./labs/\w+\.py\) \| (.*) \| (\d+) \|$", page, re.MULTILINE)
    assert rows == [(handout.name, handout.title, handout.line("Minutes")) for handout in course]


def test_the_help_of_a_lab_says_which_options_it_does_not_take() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "parlab", "--help", "lab.lock"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    lines = {line.split()[0]: line for line in told.splitlines() if line.strip().startswith("--")}
    assert "(this lab does not take it)" in lines["--chunk=STRING"]
    assert "Seconds per unit" in lines["--unit=STRING"]
