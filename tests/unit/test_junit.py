"""A run as JUnit XML: what a CI system counts."""

from xml.etree import ElementTree

import pytest
from junitparser import JUnitXml

from parlab.results.junit import to_junit
from parlab.results.record import Answer, Claim, Run
from tests.unit.samples import (
    ENVIRONMENT,
    case,
    case_on,
    embedded_run,
    failed_run,
    noisy_repeat,
    repeat,
    run,
    took,
    verdict,
    worker,
)

YES, NO, CANNOT = Answer.YES, Answer.NO, Answer.CANNOT
CLAIMS = (Claim("it halves", YES), Claim("it needs more", CANNOT, "needs 4 CPUs"), Claim("it doubles", NO, "too slow"))
UNJUDGED = (Claim("it halves", CANNOT, "this is not a measurement"),)


def by_name(made: Run) -> dict[str, ElementTree.Element]:
    """The tests of the document, by what they ask and of whom."""
    found = ElementTree.fromstring(to_junit(made)).iter("testcase")
    return {f"{one.get('classname')}.{one.get('name')}".removeprefix("lab.sample."): one for one in found}


def result(test: ElementTree.Element) -> tuple[str, str]:
    """What became of a test, and why."""
    found = [(part.tag, part.get("message", "")) for part in test if part.tag in ("failure", "skipped", "error")]
    return found[0] if found else ("passed", "")


@pytest.mark.parametrize(
    ("made", "counts"),  # tests, failures, skipped, errors
    [
        (run(case(), verdict=verdict(Claim("it halves", YES))), (4, 0, 0, 0)),
        (run(case_on(1), case_on(2), case_on(4), verdict=verdict(*CLAIMS)), (8, 1, 1, 0)),
        (run(case(took(4.0, complaint="result 1 is 5")), verdict=verdict(correct=NO)), (3, 1, 0, 0)),
        (run(case(), verdict=verdict(*UNJUDGED, held=NO, reproduced=CANNOT)), (4, 1, 1, 0)),
        (run(case(), verdict=verdict(*UNJUDGED, held=NO, quiet=NO, reproduced=CANNOT)), (4, 2, 1, 0)),
        (run(case(noisy_repeat())), (3, 1, 0, 0)),
        (run(case(repeat(nodes={"node-1": worker(limit=None)}))), (3, 1, 1, 0)),
        (failed_run(case()), (4, 0, 0, 1)),
        (embedded_run(), (3, 0, 1, 0)),
    ],
    ids=[
        "all well",
        "a claim failed",
        "wrong",
        "not held",
        "neither held nor quiet",
        "noisy",
        "no limit, no machine",
        "broken off",
        "embedded",
    ],
)
def test_a_ci_system_counts_right(made: Run, counts: tuple[int, int, int, int]) -> None:
    text = to_junit(made)
    document = JUnitXml.fromstring(text)
    assert (document.tests, document.failures, document.skipped, document.errors) == counts
    (suite,) = ElementTree.fromstring(text).iter("testsuite")
    assert tuple(int(suite.get(name, "-1")) for name in ("tests", "failures", "skipped", "errors")) == counts
    found = [result(test)[0] for test in by_name(made).values()]
    assert (len(found), *map(found.count, ("failure", "skipped", "error"))) == counts


def test_each_case_question_and_claim_is_a_test() -> None:
    found = by_name(run(case(took(4.0), took(5.0)), verdict=verdict(*CLAIMS)))
    assert list(found) == [
        "correct.pool(nodes=1)",
        "measurement.held",
        "measurement.quiet",
        "reproduced.it halves",
        "reproduced.it needs more",
        "reproduced.it doubles",
    ]
    assert float(found["correct.pool(nodes=1)"].get("time", "nan")) == 9.0
    assert result(found["reproduced.it halves"]) == ("passed", "")
    assert result(found["reproduced.it needs more"]) == ("skipped", "needs 4 CPUs")
    assert result(found["reproduced.it doubles"]) == ("failure", "too slow")
    assert found["measurement.held"].findtext("system-out") == "what shows held"


def test_a_wrong_result_is_the_failure_of_its_case() -> None:
    found = by_name(run(case(), case(took(4.0, complaint="result 1 is 5"), name="racing")))
    assert result(found["correct.racing"]) == ("failure", "result 1 is 5")
    assert result(found["correct.pool(nodes=1)"]) == ("passed", "")


def test_what_is_not_a_measurement_fails_with_its_cure_and_fails_no_claim() -> None:
    found = by_name(run(case(), verdict=verdict(*UNJUDGED, quiet=NO, reproduced=CANNOT)))
    assert result(found["measurement.quiet"]) == ("failure", "what shows quiet. what helps quiet")
    assert result(found["reproduced.it halves"]) == ("skipped", "this is not a measurement")


def test_where_held_cannot_be_shown_it_is_skipped_with_the_reason() -> None:
    assert result(by_name(embedded_run())["measurement.held"])[0] == "skipped"
    assert "no kernel limits these nodes" in result(by_name(embedded_run())["measurement.held"])[1]


def test_a_run_that_broke_off_is_an_error_beside_what_was_measured() -> None:
    found = by_name(failed_run(case(), text="node-2 is gone\nlast <lines> & more"))
    assert result(found["correct.pool(nodes=1)"])[0] == "passed"
    kind, message = result(found["run"])
    assert kind == "error"
    assert message.split() == ["node-2", "is", "gone", "last", "<lines>", "&", "more"]


def test_the_suite_tells_what_it_ran_on() -> None:
    made = embedded_run()
    (suite,) = ElementTree.fromstring(to_junit(made)).iter("testsuite")
    assert (suite.get("name"), suite.get("timestamp")) == ("lab.sample", made.started)
    assert {one.get("name"): one.get("value") for one in suite.iter("property")} == {
        "run": made.id,
        "backend": "embedded",
        "spec": "1 node x 2 virtual cores x 1/8",
        "platform": "Linux",
        "cpus": "2",
    }


def test_whatever_stands_in_names_and_reasons_the_document_is_xml() -> None:
    claim = Claim("a < b & “c”", NO, "]]> <b> 'é' \"…\"")
    found = by_name(run(case(name="pool(order='<longest>')"), verdict=verdict(claim), environment=ENVIRONMENT))
    assert result(found["reproduced.a < b & “c”"]) == ("failure", "]]> <b> 'é' \"…\"")
    assert "correct.pool(order='<longest>')" in found


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "a\x00b", "a\x0cb"])
def test_control_characters_of_a_program_do_not_spoil_the_document(text: str) -> None:
    assert JUnitXml.fromstring(to_junit(failed_run(text=text))).errors == 1


# Several runs.


def test_each_run_is_a_suite_of_its_own_in_their_order() -> None:
    made = [run(case(), lab="pool", id="a"), embedded_run(), failed_run(case(), text="node-2 is gone")]
    suites = list(ElementTree.fromstring(to_junit(*made)).iter("testsuite"))
    assert [suite.get("name") for suite in suites] == ["lab.pool", "lab.sample", "lab.sample"]
    assert [int(suite.get("errors", "-1")) for suite in suites] == [0, 0, 1]
    ids = [[one.get("value") for one in suite.iter("property") if one.get("name") == "run"] for suite in suites]
    assert ids == [[one.id] for one in made]


def test_a_ci_system_counts_the_tests_of_all_runs() -> None:
    made = [run(case(), verdict=verdict(*CLAIMS)), run(case(noisy_repeat())), failed_run(case()), embedded_run()]
    apart = [JUnitXml.fromstring(to_junit(one)) for one in made]
    together = JUnitXml.fromstring(to_junit(*made))
    for count in ("tests", "failures", "skipped", "errors"):
        assert getattr(together, count) == sum(getattr(one, count) for one in apart)
    assert together.time == pytest.approx(sum(one.time for one in apart))


def test_the_document_of_several_runs_holds_that_of_each() -> None:
    made = [run(case(took(4.0))), run(case(took(5.0)), lab="other")]
    together = list(ElementTree.fromstring(to_junit(*made)).iter("testsuite"))
    apart = [suite for one in made for suite in ElementTree.fromstring(to_junit(one)).iter("testsuite")]
    assert list(map(ElementTree.tostring, together)) == list(map(ElementTree.tostring, apart))


def test_of_no_run_at_all_the_document_is_empty() -> None:
    document = JUnitXml.fromstring(to_junit())
    assert (len(document), document.tests) == (0, 0)


def test_a_lab_that_was_not_run_is_an_error_with_the_reason() -> None:
    text = to_junit(run(case()), not_run={"blas": "more than the 2 CPUs"})
    assert JUnitXml.fromstring(text).errors == 1
    errors = {suite.get("name"): list(suite.iter("error")) for suite in ElementTree.fromstring(text).iter("testsuite")}
    assert [error.get("message") for error in errors["lab.blas"]] == ["more than the 2 CPUs"]
