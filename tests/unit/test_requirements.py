"""What a program asks for: requirements files and what they include, and the metadata in a program itself."""

from pathlib import Path

import pytest

from parlab.backend.packages import Packages
from parlab.errors import UsageError
from parlab.run.requirements import read_packages, see_to_python

BLOCK = '# /// script\n# requires-python = ">=3.8"\n# dependencies = [\n#   "one>=1",\n#\n#   "two",\n# ]\n# ///\n'


def asked(tmp_path: Path, *, program: str = "", embedded: bool = False, **files: str) -> Packages | None:
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "own.py").write_text(program)
    first = str(tmp_path / f"{next(iter(files))}.txt") if files else None
    see_to_python(tmp_path / "own.py", embedded=embedded)
    return read_packages(first, tmp_path / "own.py")


def test_a_program_that_asks_for_nothing_gets_nothing(tmp_path: Path) -> None:
    assert asked(tmp_path, program="print(1)\n# /// other\n# x\n# ///\n") is None
    assert asked(tmp_path, program='# /// script\n# requires-python = ">=3.11"\n# ///\n') is None
    assert asked(tmp_path, program='# /// script\n# dependencies = ["x"]\n') is None, "a block has an end"


def test_metadata_is_read_to_the_end_of_its_block(tmp_path: Path) -> None:
    found = asked(tmp_path, program=f"#!/usr/bin/env python\n{BLOCK}\nimport one\n")
    assert found is not None
    assert found.files == (("requirements.txt", "one>=1\ntwo\n"),)


def test_both_are_installed_together(tmp_path: Path) -> None:
    found = asked(tmp_path, program=BLOCK, first="three==3\n")
    assert found is not None
    assert found.files == (("requirements.txt", "one>=1\ntwo\nthree==3\n"),)
    assert "first.txt" in found.source
    assert "own.py" in found.source


def test_what_a_file_includes_goes_along_under_names_of_its_own(tmp_path: Path) -> None:
    found = asked(
        tmp_path,
        first="-r second.txt\n--constraint=third.txt\none --hash=sha256:00\n# -r not.txt\n",
        second="-rfirst.txt\n-c third.txt\ntwo\n",
        third="two<2\n",
    )
    assert found is not None
    assert dict(found.files) == {
        "requirements.txt": "-r 1.txt\n--constraint 2.txt\none --hash=sha256:00\n# -r not.txt\n",
        "1.txt": "-r requirements.txt\n-c 2.txt\ntwo\n",
        "2.txt": "two<2\n",
    }


def test_the_same_is_installed_once_and_another_text_or_base_is_another(tmp_path: Path) -> None:
    one, same, other = (asked(tmp_path, first=text) for text in ("a\n", "a\n", "b\n"))
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.key("x") == same.key("x")
    assert len({one.key("x"), one.key("y"), other.key("x")}) == 3


@pytest.mark.parametrize(
    "line",
    [
        "./here",
        "../up",
        "/abs",
        "-e .",
        "--editable x",
        "x @ file:///abs",
        "x@ ./here",
        "file:///a",
        "a-1.whl",
        "b/c.zip",
    ],
)
def test_what_lies_on_this_machine_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=r"first\.txt asks for .*: nodes are made without this machine's files"):
        asked(tmp_path, first=f"good\n{line}\n")


@pytest.mark.parametrize("line", ["x @ https://host/x.whl", "https://host/x.whl", "x[extra]>=1 ; python_version > '3'"])
def test_what_lies_elsewhere_is_pips(tmp_path: Path, line: str) -> None:
    found = asked(tmp_path, first=line)
    assert found is not None
    assert found.files[0][1] == line


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("# /// script\n# dependencies = [\n# ///\n", "is no TOML"),
        ('# /// script\n# dependencies = "x"\n# ///\n', "are a list of strings, not 'x'"),
        ('# /// script\n# dependencies = ["x y z"]\n# ///\n', "'x y z' of its metadata is no requirement"),
        ('# /// script\n# dependencies = ["x @ file:///x"]\n# ///\n', "nodes are made without this machine's files"),
        ('# /// script\n# requires-python = "<3"\n# ///\n', "requires Python <3; the nodes' Python is 3.13"),
        ('# /// script\n# requires-python = "new"\n# ///\n', "is no version specifier: 'new'"),
        (BLOCK + "\n" + BLOCK, "has 2 blocks"),
    ],
)
def test_bad_metadata_is_one_line(tmp_path: Path, program: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]*$") as caught:
        asked(tmp_path, program=program)
    assert said in str(caught.value)
    assert "own.py" in str(caught.value)


@pytest.mark.parametrize("asked_for", [">=3.13", "==3.13.*", "~=3.11", ">=3.8,<4", ">=3.13.1"])
def test_the_nodes_python_is_compared_as_a_version(tmp_path: Path, asked_for: str) -> None:
    program = f'# /// script\n# requires-python = "{asked_for}"\n# dependencies = ["x"]\n# ///\n'
    assert asked(tmp_path, program=program) is not None


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--requirements: .*nowhere\.txt cannot be read"):
        read_packages(str(tmp_path / "nowhere.txt"), None)
    with pytest.raises(UsageError, match=r"--requirements: first\.txt: .*nowhere\.txt cannot be read"):
        asked(tmp_path, first="-r nowhere.txt\n")
