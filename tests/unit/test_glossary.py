"""The glossary: one file, read as terms with their sentences, printed whole or term by term."""

import re

import pytest

from parlab.course.glossary import glossary, glossary_by_group, look_up, parse_glossary
from parlab.errors import UsageError
from parlab.terminal.glossary import set_glossary
from tests.conftest import ROOT, Invoke
from tests.unit.samples import recording

TEXT = (ROOT / "docs/glossary.md").read_text()
EVERYWHERE = (
    "node, worker, rank, virtual core, task, chunk, unit, ideal, off by, limit, paced, pool, pickle, speed-up, "
    "process, thread, CPU time, case, claim, computing, waiting, contended, transfer, idle, start-up"
)


def test_the_markdown_is_taken_apart() -> None:
    text = "# Title\n\n- **no**: group\n\n## One\n\n- **a b**: Text. More.\nother\n\n## Two\n- **c**: `d` **e**: f\n"
    assert parse_glossary(text) == {"One": {"a b": "Text. More."}, "Two": {"c": "`d` **e**: f"}}


def test_every_item_of_the_file_is_a_term_and_none_stands_twice() -> None:
    items = [line for line in TEXT.splitlines() if line.startswith("-")]
    assert len(glossary()) == len(items) > 40
    folded = [re.sub(r"\W", "", term.casefold()) for term in glossary()]
    assert len(set(folded)) == len(folded)


@pytest.mark.parametrize("term", EVERYWHERE.split(", "))
def test_terms_that_all_labs_and_tables_use_are_there(term: str) -> None:
    assert term in glossary()


@pytest.mark.parametrize(("term", "text"), glossary().items(), ids=glossary())
def test_a_term_is_explained_in_whole_sentences_of_a_few_words(term: str, text: str) -> None:
    assert text[0].isupper()
    assert text[-1] == "."
    sentences = re.split(r"(?<=[.:]) ", text)
    assert len(sentences) <= 3
    assert max(len(sentence.split()) for sentence in sentences) <= 22, term


@pytest.mark.parametrize("asked", ["off by", "Off-By", "off_by", " off  by "])
def test_a_term_is_found_however_it_is_spelled(asked: str) -> None:
    assert look_up(asked.strip(), glossary()) == "off by"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("nodee", "did you mean node?"), ("workers", "did you mean worker"), ("zzz", "glossary prints all terms")],
)
def test_a_term_that_is_not_there_is_one_line_with_the_nearest(invoke: Invoke, asked: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(hint)):
        look_up(asked, glossary())
    done = invoke("glossary", asked)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"usage: the glossary has no term '{asked}'; ")
    assert hint in line


def test_one_term_or_all_are_printed(invoke: Invoke) -> None:
    assert " ".join(invoke("glossary", "off", "by").stdout.split()) == f"off by: {glossary()['off by']}"
    printed = invoke("glossary").stdout
    assert all(f"\n  {term} " in printed for term in glossary())


@pytest.mark.parametrize("width", [60, 80, 200])
def test_all_of_it_is_set_at_any_width(width: int) -> None:
    console = recording(width=width)
    for part in set_glossary(glossary_by_group(), width):
        console.print(part)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    expected = " ".join(
        f"{name} " + " ".join(map(" ".join, terms.items())) for name, terms in glossary_by_group().items()
    )
    assert sorted(" ".join(lines).split()) == sorted(expected.split())
