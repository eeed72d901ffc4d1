"""Handouts: a docstring taken apart, set for the terminal without losing a word, and put in teaching order."""

import string
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlab.commands.course import explain, handouts, list_labs
from parlab.course import handout as handout_module
from parlab.course.catalog import lab_files
from parlab.course.handout import INDENT, Handout, docstring, in_teaching_order, parse_handout, read_handout
from parlab.host.places import COMMAND
from parlab.terminal.handout import READABLE, set_handout
from tests.unit.samples import recording

WriteLab = Callable[[str], Path]
LABS = lab_files()
TEXT = """\
sample: one function, many inputs

Question   How long do six tasks take?

Setup      A pool is a number of processes that do the tasks of a list; each takes the next as soon as it is free. A
           task is one call of `work`.

Run        ./invoke lab.sample
           ./invoke lab.sample --workers 4,8   as many workers as tasks, and more
           ./invoke lab.sample --unit 0.05     short tasks

What happens, and why
           The first paragraph, which goes on
           and on until it ends.

           The second begins a program:

               mpiexec -n 9 python program.py
                   --option

           and goes on behind it.

Traps      - Without the main guard every worker would begin the program again, and its workers theirs, until no memory
             is left.
           - A lambda has no name.

Lessons    001, 003
Follows    another
Minutes    10
"""
COMMANDS = ["./invoke lab.sample", "./invoke lab.sample --workers 4,8", "./invoke lab.sample --unit 0.05"]
widths = pytest.mark.parametrize("width", [60, 80, 200])


@pytest.fixture(autouse=True)
def _in_the_checkouts_own_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handout_module, "COMMAND", "./invoke")


@pytest.fixture
def sample(lab_file: WriteLab) -> Handout:
    return read_handout(lab_file(f'"""{TEXT}"""\n1 / 0\n'))


def lines_of(handout: Handout, width: int) -> list[str]:
    """What is printed on a console of that width."""
    console = recording(width=width)
    for part in set_handout(handout, width):
        console.print(part)
    return [line.rstrip() for line in console.export_text().splitlines()]


def words(lines: Iterable[str]) -> list[str]:
    return " ".join(lines).split()


# Taken apart.


def test_a_handout_has_a_title_and_sections_in_their_order(sample: Handout) -> None:
    assert (sample.name, sample.title) == ("sample", "one function, many inputs")
    named = ["Question", "Setup", "Run", "What happens, and why", "Traps", "Lessons", "Follows", "Minutes"]
    assert list(sample.sections) == named
    assert sample.sections["Question"] == ["How long do six tasks take?"]
    assert sample.sections["Setup"][1] == "task is one call of `work`."


def test_a_handout_of_an_earlier_record_is_read_in_its_own_order() -> None:
    earlier = "sample: title\n\nWords      A node is a machine.\n\nQuestion   How long?\nMinutes    10\n"
    handout = parse_handout("sample", earlier)
    assert handout.sections == {"Words": ["A node is a machine."], "Question": ["How long?"], "Minutes": ["10"]}
    assert words(lines_of(handout, 80)) == earlier.split()


def test_what_stands_further_in_keeps_its_place(sample: Handout) -> None:
    section = sample.sections["What happens, and why"]
    assert section[0] == "The first paragraph, which goes on"
    assert section[5:7] == ["    mpiexec -n 9 python program.py", "        --option"]


def test_lines_that_do_not_reach_the_texts_margin_are_kept_whole(lab_file: WriteLab) -> None:
    text = "sample: title\n\nExercise   Make it slow,\n    then quick,\nand then wrong.\n"
    handout = read_handout(lab_file(f'"""{text}"""'))
    assert handout.sections == {"Exercise": ["Make it slow,", "    then quick,", "and then wrong."]}
    assert words(lines_of(handout, 80)) == text.split()


def test_a_section_is_a_line_for_commands_that_ask_for_it(sample: Handout) -> None:
    assert (sample.line("Lessons"), sample.line("Follows"), sample.line("Minutes")) == ("001, 003", "another", "10")
    assert sample.line("Setup").endswith("as soon as it is free. A task is one call of `work`.")
    assert sample.line("Exercise") == ""


@pytest.mark.parametrize(
    ("code", "title"),
    [
        (b'"""sample: a title"""', "a title"),
        (b'"""A title without a name"""', "A title without a name"),
        (b'"""\nsample: a title: of two parts\n"""', "a title: of two parts"),
        (b'"""sample: \xc3\xa9l\xc3\xa8ve"""', "élève"),
        (b'"""   """', "sample"),
        (b"lab = 1", "sample"),
        (b"", "sample"),
    ],
)
def test_a_handout_of_one_line_or_none_has_a_title_all_the_same(code: bytes, title: str, tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_bytes(code)
    assert read_handout(path) == Handout("sample", title, {})


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (b'"""sample: title"""\nx = (', "SyntaxError"),
        (b'"""sample: \xff\xfe"""', "SyntaxError"),
        (b'"""sample: a\0b"""', "SyntaxError|ValueError"),
        (b"(" * 10_000, "SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_read_says_so_in_its_title(code: bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_bytes(code)
    handout = read_handout(path)
    assert (handout.name, handout.sections) == ("broken", {})
    assert handout.title in [f"cannot be read: {name}" for name in error.split("|")]
    assert lines_of(handout, 80) == [f"broken: {handout.title}"]


def test_a_file_that_is_not_there_says_so_in_its_title(tmp_path: Path) -> None:
    assert read_handout(tmp_path / "gone.py") == Handout("gone", "cannot be read: FileNotFoundError", {})
    assert read_handout(tmp_path) == Handout(tmp_path.stem, "cannot be read: IsADirectoryError", {})


def test_a_sentence_that_leaves_its_line_unfilled_ends_a_paragraph() -> None:
    lines = [
        "A first paragraph has a long line that is filled up to its end, and then",
        "it ends.",
        "A second one goes on",
        "over a line that no sentence ends. It is filled as far as it goes, to here.",
        "Its second line was full: none of its words would have fitted.",
        "- An item ends.",
        "  It goes on.",
    ]
    ((_, blocks),) = Handout("any", "title", {"Setup": lines}).blocks()
    assert blocks == [
        ("paragraph", " ".join(lines[:2])),
        ("paragraph", " ".join(lines[2:5])),
        ("item", "- An item ends. It goes on."),
    ]


# Set for the terminal.


@widths
def test_no_line_is_wider_than_the_terminal_or_than_is_readable(sample: Handout, width: int) -> None:
    assert max(map(len, lines_of(sample, width))) <= min(width, READABLE)


@widths
def test_every_word_is_set_once_and_in_its_place(sample: Handout, width: int) -> None:
    assert words(lines_of(sample, width)) == TEXT.split()


@widths
def test_commands_that_fit_are_not_broken_and_begin_at_the_texts_margin(sample: Handout, width: int) -> None:
    lines = [line for line in lines_of(sample, width) if "./invoke" in line]
    assert [line[INDENT:].partition("  ")[0] for line in lines] == COMMANDS


def test_elsewhere_the_command_is_parlab(sample: Handout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handout_module, "COMMAND", "parlab")
    lines = [line.split() for line in lines_of(sample, 80) if "lab.sample" in line]
    assert {line[line.index("lab.sample") - 1] for line in lines} == {"parlab"}


@widths
def test_the_lines_of_a_program_stay_as_they_are(sample: Handout, width: int) -> None:
    lines = lines_of(sample, width)
    at = lines.index(f"{'':{INDENT}}    mpiexec -n 9 python program.py")
    assert lines[at - 1 : at + 3 : 2] == ["", f"{'':{INDENT}}        --option"]
    assert lines[at + 2 : at + 4] == ["", f"{'':{INDENT}}and goes on behind it."]


@widths
def test_text_is_filled_beside_its_heading_or_below_a_long_one(sample: Handout, width: int) -> None:
    lines = lines_of(sample, width)
    assert lines[0] == "sample: one function, many inputs"
    assert "Question   How long do six tasks take?" in lines
    below = lines.index("What happens, and why") + 1
    assert lines[below].startswith(f"{'':{INDENT}}The first paragraph, which goes on and")
    headings = {line[:INDENT].strip() for line in lines[1:-1]} - {""}
    assert headings == {"Question", "Setup", "Run", "What happen", "Traps"}


@widths
def test_sections_of_a_few_words_share_the_last_line(sample: Handout, width: int) -> None:
    assert lines_of(sample, width)[-1] == "Lessons 001, 003    Follows another    Minutes 10"


@widths
def test_an_item_goes_on_below_its_text(sample: Handout, width: int) -> None:
    lines = lines_of(sample, width)
    first = next(index for index, line in enumerate(lines) if line.startswith("Traps      - Without the main guard"))
    margin, letter = lines[first + 1][: INDENT + 2], lines[first + 1][INDENT + 2]
    assert margin.isspace()
    assert letter.isalpha()
    assert f"{'':{INDENT}}- A lambda has no name." in lines


word = st.text(string.ascii_letters + ".,:;()`'", min_size=1, max_size=20)


@settings(deadline=None)
@given(st.lists(st.lists(word, min_size=1, max_size=30), min_size=1, max_size=4), st.integers(60, 200))
def test_paragraphs_of_any_words_are_set_whole_at_any_width(paragraphs: list[list[str]], width: int) -> None:
    text = [line for paragraph in paragraphs for line in (" ".join(paragraph), "")]
    lines = lines_of(Handout("any", "title", {"Words": text}), width)
    assert max(map(len, lines)) <= min(width, READABLE)
    assert words(lines) == ["any:", "title", "Words", *(one for paragraph in paragraphs for one in paragraph)]


@pytest.mark.parametrize("path", LABS.values(), ids=LABS)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_labs_handout_is_set_whole(path: Path, width: int) -> None:
    handout = read_handout(path)
    lines = lines_of(handout, width)
    sections = [word for name, text in handout.sections.items() for word in words([name, *text])]
    assert words(lines) == [*words([f"{handout.name}: {handout.title}"]), *sections]
    assert max(map(len, lines)) <= min(width, READABLE)


def test_explain_prints_a_handout_and_list_labs_the_course(
    capsys: pytest.CaptureFixture[str], lab_file: WriteLab
) -> None:
    explain(lab_file(f'"""{TEXT}"""\n'))
    *told, last = capsys.readouterr().out.splitlines()
    assert " ".join(told).split() == TEXT.split()
    assert last.startswith(f"{COMMAND} glossary ")
    list_labs()
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line and line[0] != " "]
    assert listed == ["lab", *(handout.name for handout in handouts()), COMMAND]


# In teaching order.


def following(**leaders: str) -> list[Handout]:
    """Handouts, each with the one that it follows; '' where that is none."""
    return [Handout(name, name, {"Follows": [leader]} if leader else {}) for name, leader in leaders.items()]


def order(handouts: list[Handout]) -> list[str]:
    return [handout.name for handout in in_teaching_order(handouts)]


def test_each_lab_stands_after_the_one_that_it_follows() -> None:
    assert order(following(mpi="pool", pool="threads", threads="")) == ["threads", "pool", "mpi"]


def test_labs_that_follow_the_same_stand_by_the_alphabet_each_with_what_follows_it() -> None:
    made = following(d="c", a="z", c="", b="z", z="", e="a")
    assert order(made) == ["c", "d", "z", "a", "e", "b"]


def test_a_lab_that_follows_one_that_is_not_there_stands_where_the_alphabet_puts_it() -> None:
    assert order(following(c="", a="", b="gone")) == ["a", "b", "c"]


@pytest.mark.parametrize("leaders", [{"a": "a"}, {"a": "b", "b": "a"}, {"b": "c", "c": "d", "d": "b", "e": "d"}])
def test_labs_that_follow_each_other_are_not_lost(leaders: dict[str, str]) -> None:
    found = order(following(**leaders, y="", z="y"))
    assert found[:2] == ["y", "z"]
    assert sorted(found[2:]) == sorted(leaders)


def before(name: str, leaders: dict[str, str]) -> list[str]:
    """Which labs stand before this one, the first of them last; endless ones are cut off."""
    found: list[str] = []
    while (name := leaders[name]) in leaders and len(found) <= len(leaders):
        found.append(name)
    return found


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", "gone", *"abcdef"])))
def test_no_lab_is_lost_and_each_stands_after_all_that_lead_to_it(leaders: dict[str, str]) -> None:
    found = order(following(**leaders))
    assert sorted(found) == sorted(leaders)
    for name in found:
        if len(earlier := before(name, leaders)) < len(leaders):  # else it leads to itself, or follows one that does
            assert [other for other in found if other in (name, *earlier)] == [*reversed(earlier), name]


@given(st.permutations("abcdef"))
def test_the_order_of_the_course_is_not_that_of_the_files(names: list[str]) -> None:
    leaders = dict.fromkeys("abcdef", "") | {"a": "f", "c": "a", "b": "gone"}
    assert order(following(**{name: leaders[name] for name in names})) == ["b", "d", "e", "f", "a", "c"]


@pytest.mark.parametrize(
    "code",
    ["\ufeff" + '"""x: für"""', '# coding: latin-1\n"""x: für"""'],
    ids=["byte order mark", "latin-1"],
)
def test_a_docstring_is_read_in_whichever_encoding_python_reads_it(code: str, tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(code.encode("latin-1" if "latin" in code else "utf-8"))
    assert docstring(path) == "x: für"
