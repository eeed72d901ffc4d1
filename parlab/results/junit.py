"""A run as JUnit XML, for CI systems: each case, each other question of the verdict and each claim is a test."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from parlab.results.record import Answer, Finding, MeasuredCase, Run

NOT_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # the Char of XML 1.0
AS_DECLARED = Finding(Answer.YES, "")


def to_junit(*runs: Run, not_run: Mapping[str, str] = MappingProxyType({})) -> str:
    """The XML document: a suite for each run, and one for each lab that was `not_run`, with the reason.

    A claim that cannot be shown here, or is undecided, is skipped; a run that broke off, or was not run, is an error.
    """
    document = JUnitXml()
    for run in runs:
        document.add_testsuite(_suite(run))
    for lab, why in not_run.items():
        suite = TestSuite(f"lab.{lab}")
        suite.add_testcase(_broken(lab, why))
        document.add_testsuite(suite)
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text.decode()


def _suite(run: Run) -> TestSuite:
    suite = TestSuite(f"lab.{run.lab}")
    suite.timestamp = run.started
    for name, value in {"run": run.id, "backend": run.backend, "spec": str(run.spec), **run.environment}.items():
        suite.add_property(_plain(name), _plain(value))
    for test in _tests(run):
        suite.add_testcase(test)
    return suite


def _tests(run: Run) -> Iterator[TestCase]:
    for case in run.cases:
        finding = AS_DECLARED if case.complaint is None else Finding(Answer.NO, case.complaint)
        yield _test(run, "correct", case.name, finding, case)
    for name, finding in (("held", run.verdict.held), ("quiet", run.verdict.quiet)):
        yield _test(run, "measurement", name, finding)
    for claim in run.verdict.claims:
        yield _test(run, "reproduced", claim.name, Finding(claim.answer, claim.why))
    if run.failure is not None:
        yield _broken(run.lab, run.failure.text)


def _broken(lab: str, why: str) -> TestCase:
    test = TestCase("run", f"lab.{lab}")
    test.result = [Error(_plain(why))]
    return test


def _test(run: Run, kind: str, name: str, finding: Finding, case: MeasuredCase | None = None) -> TestCase:
    test = TestCase(_plain(name), f"lab.{run.lab}.{kind}", sum(case.times) if case else 0.0)
    if finding.answer is Answer.NO:
        test.result = [Failure(_plain(". ".join(filter(None, (finding.evidence, finding.cure)))))]
    elif finding.answer in (Answer.UNDECIDED, Answer.CANNOT):
        test.result = [Skipped(_plain(finding.evidence))]
    elif finding.evidence:
        test.system_out = _plain(finding.evidence)
    return test


def _plain(value: object) -> str:
    """Text that XML can hold, for example without a terminal's escape sequences."""
    return NOT_XML.sub("?", str(value))
