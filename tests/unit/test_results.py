"""Records on the disk: written whole, read with care, found by name."""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from parlab.errors import UsageError
from parlab.model.case import Demand
from parlab.model.clocks import Clock
from parlab.model.reading import Process
from parlab.model.span import LOCK_HELD, LOCK_WAIT, Phase
from parlab.results.record import Answer, Claim, NodeRecord, Run
from parlab.results.schema import upgrade
from parlab.results.store import earlier_runs, find, in_id, keep, kept, read_json, to_json, write_json
from tests.conftest import ROOT
from tests.unit.samples import (
    SPEC,
    case,
    case_on,
    embedded_run,
    failed_run,
    noisy_repeat,
    raised,
    repeat,
    run,
    span,
    took,
    usage,
    verdict,
    worker,
)

# Kept records, each of its very schema; none is ever written anew.
KEPT = {schema: Path(__file__).with_name(f"run-schema-{schema}.json") for schema in (3, 4, 5, 6, 7)}
SCHEMA_3, SCHEMA_4 = KEPT[3], KEPT[4]


def refusal(path: Path) -> str:
    """What is said of a file that is no record: one line that names it."""
    with pytest.raises(UsageError) as caught:
        read_json(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: required ")
    assert len(text.splitlines()) == 1
    return text.removeprefix(f"{path}: ")


def changed(change: Callable[[dict[str, Any]], object], path: Path) -> Path:
    """The fixture with a change."""
    facts = json.loads(SCHEMA_3.read_text())
    change(facts)
    path.write_text(json.dumps(facts))
    return path


# what is written


def test_a_record_has_the_fields_that_are_promised() -> None:
    facts = to_json(run(case(took(4.0), took(5.0), settings={"chunk": 4})))
    assert facts.keys() == {
        *("schema", "id", "started", "lab", "backend", "spec", "environment"),
        *("failure", "cases", "verdict", "handout", "command", "exit_code"),
    }
    (measured,) = facts["cases"]
    assert measured.keys() >= {
        *("name", "settings", "spec", "tasks", "ideal_s", "serial_s", "repeats"),
        *("launch", "workforce", "lesson_s"),
        *("measured_s", "off_by", "speedup", "by_node", "metrics"),
    }
    launch = measured["repeats"][0]
    assert launch.keys() == {
        *("startup_s", "shutdown_s", "outcome", "complaint", "spans", "nodes", "clocks", "metrics", "busiest"),
        *("measured_s", "by_node", "breakdown"),
    }
    assert facts["verdict"].keys() == {"correct", "held", "quiet", "reproduced", "claims"}
    assert facts["verdict"]["held"].keys() >= {"answer", "evidence"}
    assert facts["spec"] == {"nodes": 1, "cores": 2, "speed": 0.125, "unit": 0.5}
    assert json.loads(json.dumps(measured["tasks"])) == [[2.0, 0.0]]


def test_a_record_tells_the_outcome_that_a_case_declares() -> None:
    assert to_json(run(case()))["cases"][0]["declared"] == "right"


def test_what_follows_from_the_facts_is_written_beside_them() -> None:
    facts = to_json(run(case(took(4.0), took(6.0), ideal_s=4.0, serial_s=8.0)))
    (measured,) = facts["cases"]
    assert measured["measured_s"] == 5.0
    assert measured["off_by"] == pytest.approx(0.25)
    assert measured["speedup"] == pytest.approx(1.6)
    assert (measured["workforce"]["workers"], measured["by_node"]) == (2, {"node-1": 1})
    assert [launch["measured_s"] for launch in measured["repeats"]] == [4.0, 6.0]
    assert [launch["breakdown"]["computing"] for launch in measured["repeats"]] == [4.0, 6.0]


def test_a_case_without_spans_is_written_without_figures() -> None:
    (measured,) = to_json(run(case(raised("PicklingError"))))["cases"]
    assert [measured[name] for name in ("measured_s", "off_by", "speedup")] == [None] * 3
    assert measured["repeats"][0]["measured_s"] is None
    assert measured["repeats"][0]["outcome"] == "PicklingError"


# there and back

PHASED = replace(span(), phases=(Phase(LOCK_WAIT, 10.2, 10.3),), run_delay_s=None, outcome="ValueError")
STRANGE = replace(usage(), foreign={"77": Process("stress", 0.5)})
RUNS = {
    "one case": run(case()),
    "sizes and repeats": run(case_on(1, repeats=3), case_on(2, repeats=3), case_on(4, repeats=3)),
    "full size": run(case_on(32)),
    "embedded": embedded_run(),
    "broken off": failed_run(case(), text="node-2 is gone:\n  “no route” \x1b[1m", exit_code=4),
    "interrupted before any case": failed_run(exit_code=130),
    "raised as declared": run(case(raised("PicklingError"))),
    "wrong": run(case(took(4.0, outcome="wrong", complaint="result 1 is 5"))),
    "not a measurement": run(case(noisy_repeat())),
    "odd speed": run(case(spec=replace(SPEC, speed=Fraction(63, 500)))),
    "speed of a third": run(case(spec=replace(SPEC, speed=Fraction(1, 3), unit=1 / 3))),
    "slowest": run(case(spec=replace(SPEC, speed=Fraction(1, 64)))),
    "settings": run(
        case(settings={"chunk": 1, "order": "longest → first", "lazy": None, "sizes": [1, 2.5, {"a": True}]})
    ),
    "waiting": run(case(tasks=(Demand(0.5, 2.0), Demand(0.1, 0.0)))),
    "phases": run(case(repeat([PHASED]))),
    "clocks": run(case(repeat(clocks={"node-1": Clock(12.5, 0.0001)}))),
    "foreign": run(case(repeat(nodes={"node-1": NodeRecord(0.25, readings=(STRANGE,))}))),
    "unlimited": run(case(repeat(nodes={"node-1": worker(limit=None, used_s=None, periods=None)}))),
    "burned": run(case(repeat(nodes={"node-1": replace(worker(), engine=(0.25, None), burned=0.2512)}))),
    "claims": run(case(), verdict=verdict(Claim("it halves", Answer.NO, "too slow"), Claim("b", Answer.CANNOT))),
}


@pytest.mark.parametrize("made", RUNS.values(), ids=RUNS.keys())
def test_what_was_written_is_read_back_equal(made: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(made, path)
    assert read_json(path) == made
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_a_setting_that_json_does_not_know_is_written_as_its_text(tmp_path: Path) -> None:
    write_json(run(case(settings={"task": Path, "number": 1j})), tmp_path / "run.json")
    assert read_json(tmp_path / "run.json").cases[0].settings == {"task": "<class 'pathlib.Path'>", "number": "1j"}


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), {(1, 2): 3}], ids=["infinity", "not a number", "keys that are no names"]
)
def test_no_setting_keeps_a_run_from_being_kept(value: object, tmp_path: Path) -> None:
    write_json(run(case(settings={"limit": value})), tmp_path / "run.json")
    assert read_json(tmp_path / "run.json").cases[0].measured_s == 4.0


def test_nothing_is_left_of_a_record_that_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(OSError, match=r"run\.json"):
        write_json(run(), tmp_path / "run.json")
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


# what was written by this schema, or by one that this one has only added to, is always read


def test_the_kept_fixture_is_read_and_its_figures_are_what_they_were() -> None:
    found = read_json(SCHEMA_3)
    (measured,) = found.cases
    assert (found.id, found.lab, found.backend, found.failure) == ("20261121T154529-mpi-a3e02c", "mpi", "cluster", None)
    assert str(found.spec) == "1 node x 2 virtual cores x 1/8"
    assert (measured.name, measured.workers, len(measured.tasks)) == ("pool_of_ranks(nodes=1)", 2, 32)
    assert (measured.ideal_s, measured.serial_s) == (0.8, 1.6)
    assert measured.measured_s == pytest.approx(0.88003, abs=1e-5)
    assert measured.off_by == pytest.approx(0.10004, abs=1e-5)
    assert measured.speedup == pytest.approx(1.81812, abs=1e-5)
    assert measured.by_node == {"worker-1": 32}
    assert measured.breakdown().computing == pytest.approx(0.80171, abs=1e-5)
    assert measured.breakdown().total == pytest.approx(measured.measured_s)
    node = measured.median_repeat.nodes["worker-1"]
    assert measured.nodes == ("head", "worker-1")
    assert (node.wanted, node.engine, len(node.readings)) == (0.25, (0.25, 0.25), 4)
    answers = [found.verdict.correct, found.verdict.held, found.verdict.quiet, found.verdict.reproduced]
    assert [finding.answer for finding in answers] == [Answer.YES, Answer.YES, Answer.YES, Answer.NO]
    assert found.verdict.claims[0].name == "time is whole rounds of one unit"


def test_a_record_of_before_handouts_has_none() -> None:
    assert read_json(SCHEMA_3).handout == ""


def test_the_fixture_with_a_handout_and_marks_is_read() -> None:
    found = read_json(SCHEMA_4)
    assert found.handout.startswith("lock: ")
    lost, locked = found.cases
    assert [phase.name for span in lost.median_repeat.spans for phase in span.phases if phase.instant] == [
        *("deposit reads 100", "deposit writes 101", "withdrawal reads 100", "withdrawal writes 99"),
    ]
    assert {phase.name for span in locked.median_repeat.spans for phase in span.phases if not phase.instant} == {
        *(LOCK_WAIT, LOCK_HELD),
    }


def test_a_lab_without_claims_is_told_as_such_in_an_older_record_too() -> None:
    assert read_json(KEPT[6]).verdict.reproduced.answer is Answer.NO_CLAIMS


def test_a_sweeps_speed_ups_are_over_its_smallest_size_in_an_earlier_record_too() -> None:
    smallest, largest = read_json(KEPT[7]).cases
    assert smallest.speedup == 1.0
    assert largest.speedup == pytest.approx(smallest.measured_s / largest.measured_s)


@pytest.mark.parametrize("fixture", KEPT.values(), ids=map(str, KEPT))
def test_what_is_worked_out_anew_is_what_stands_in_the_fixture(fixture: Path) -> None:
    written = json.loads(fixture.read_text())
    upgrade(written, written["schema"])
    anew = json.loads(json.dumps(to_json(read_json(fixture))))
    assert anew.keys() >= written.keys()
    for name in ("measured_s", "off_by", "speedup", "by_node"):
        assert anew["cases"][0][name] == (written["cases"][0][name] and pytest.approx(written["cases"][0][name]))
    assert anew["cases"][0]["repeats"] == written["cases"][0]["repeats"]


# what is no record, or no longer one


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "run.json", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(UsageError, match=rf"^No run '{re.escape(str(path))}': {why}\. Use a file, an id, or "):
            read_json(path)


def test_a_record_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    data, path = SCHEMA_3.read_bytes().rstrip(), tmp_path / "run.json"
    for length in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        assert "cut off" in (text := refusal(path)) or "malformed" in text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "required a whole JSON document"),
        (b"\n", "required a whole JSON document"),
        (b"case   ideal  measured\n", "required a JSON document"),
        (b"<testsuites/>", "required a JSON document"),
        (b"\x00" * 4096, "required a JSON document"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "required a JSON document"),
        (b'{"schema": 3, "id": "\xff\xfe"}', "required a"),
        (b"[]", "required object, found array"),
        (b"[" * 100_000, "required object, found array"),
        (b"3", "required object, found int"),
        (b"null", "required object, found null"),
        (b'"schema"', "required object, found str"),
        (b"{}", "required a field schema, found none"),
        (b'{"schema": "2"}', "required int, found str at $.schema"),
        (b'{"schema": 3}', "required a field id, found none"),
        (b'{"schema": 3, "schema": null}', "required int, found null at $.schema"),
    ],
)
def test_what_is_no_record_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(data)
    assert refusal(path).startswith(words)


@pytest.mark.parametrize("data", [b'{"schema": 3, "x": ' + b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_nested_without_end_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(data)
    assert "required" in refusal(path)


def test_a_start_that_is_no_time_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(run(started="yesterday"), path)
    assert refusal(path).startswith("required a time, found 'yesterday' at started")


@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_refused(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(random.Random(seed).randbytes(3000))
    refusal(path)


def test_a_byte_that_went_wrong_is_refused_or_harmless(tmp_path: Path) -> None:
    data, path, numbers = SCHEMA_3.read_bytes(), tmp_path / "run.json", random.Random(0)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[numbers.randrange(len(data))] = numbers.randrange(256)
        path.write_bytes(damaged)
        try:
            read_json(path)
        except UsageError:
            refusal(path)


def first_span(facts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = facts["cases"][0]["repeats"][0]["spans"][0]
    return found


def head_reading(facts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = facts["cases"][0]["repeats"][0]["nodes"]["head"]["readings"][1]
    return found


SPAN, READING = "$.cases[0].repeats[0].spans[0]", "$.cases[0].repeats[0].nodes[...].readings[1]"


@pytest.mark.parametrize(
    ("change", "words", "place"),
    [
        (lambda r: r.update(cases={}), "required array, found object", "$.cases"),
        (lambda r: r.update(failure="lost"), "required object | null, found str", "$.failure"),
        (lambda r: r["cases"][0].update(ideal_s="0.8"), "required float | null, found str", "$.cases[0].ideal_s"),
        (lambda r: r["cases"][0]["spec"].update(nodes=1.5), "required int, found float", "$.cases[0].spec.nodes"),
        (lambda r: r["spec"].update(speed="1/8"), "required number, found str", "$.spec.speed"),
        (lambda r: r["spec"].update(speed=None), "required number, found NoneType", "$.spec.speed"),
        (lambda r: first_span(r).update(cpu_s=None), "required float, found null", f"{SPAN}.cpu_s"),
        (lambda r: first_span(r).pop("node"), "required a field node, found none", SPAN),
        (lambda r: head_reading(r).pop("at"), "required a field at, found none", READING),
        (lambda r: head_reading(r)["host"].update(cpus=[]), "required int, found array", f"{READING}.host.cpus"),
        (lambda r: r["cases"][0]["tasks"][3].pop(), "required ", "$.cases[0].tasks[3]"),
        (lambda r: r["cases"][0].update(repeats=[]), "required at least one, found none", "repeats"),
        (lambda r: r["cases"][0].update(ideal_s=0.0), "required figures above 0, found 0", "ideal_s, serial_s"),
        (lambda r: r["spec"].update(speed=0), "required figures above 0, found 0", "spec"),
        (lambda r: r["cases"][0].pop("repeats"), "required a field repeats, found none", "$.cases[0]"),
        (lambda r: r["verdict"].pop("held"), "required a field held, found none", "$.verdict"),
        (lambda r: r["verdict"]["quiet"].update(answer="perhaps"), "required ", "$.verdict.quiet.answer"),
    ],
)
def test_what_is_wrong_deep_inside_is_told_with_its_place(
    change: Callable[[dict[str, Any]], object], words: str, place: str, tmp_path: Path
) -> None:
    text = refusal(changed(change, tmp_path / "run.json"))
    assert text.startswith(words)
    assert f" at {place}. " in text


@pytest.mark.parametrize("field", ["id", "started", "lab", "backend", "spec", "cases", "verdict", "environment"])
def test_a_field_that_is_missing_is_told(field: str, tmp_path: Path) -> None:
    text = refusal(changed(lambda record: record.pop(field), tmp_path / "run.json"))
    assert text.startswith(f"required a field {field}, found none")


@pytest.mark.parametrize(("schema", "newer"), [(99, True), (9, True), (2, False), (0, False)])
def test_a_record_of_another_schema_is_refused(schema: int, newer: bool, tmp_path: Path) -> None:
    text = refusal(changed(lambda record: record.update(schema=schema), tmp_path / "run.json"))
    assert text.startswith(f"required schema 3 to 8, found {schema}.")
    assert ("written by a newer" in text) is newer


def test_a_record_of_another_schema_need_not_have_the_fields_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema": 99, "runs": []}')
    assert "written by a newer" in refusal(tmp_path / "run.json")


# a process that dies

WRITE_OVER_AND_OVER = """
import sys
from pathlib import Path
from parlab.results.schema import upgrade
from parlab.results.store import write_whole

*texts, path = Path(sys.argv[1]).read_text(), Path(sys.argv[2]).read_text(), Path(sys.argv[3])
write_whole(path, texts[0])
print("writing", flush=True)
while True:
    for text in texts:
        write_whole(path, text)
"""


def test_a_process_that_is_killed_while_it_writes_leaves_a_whole_record(tmp_path: Path) -> None:
    small, large, path = tmp_path / "small.json", tmp_path / "large.json", tmp_path / "kept" / "2026.json"
    path.parent.mkdir()
    runs = run(case()), run(*[case_on(32, repeats=3)] * 3)
    for made, file in zip(runs, (small, large), strict=True):
        write_json(made, file)
    moments = random.Random(0)
    for _ in range(6):
        command = [sys.executable, "-c", WRITE_OVER_AND_OVER, str(small), str(large), str(path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"writing\n"
            time.sleep(moments.uniform(0.0, 0.1))
            process.kill()
        assert read_json(path) in runs
        assert kept(path.parent) == [path]
        assert all(file == path or file.name.startswith(".") for file in path.parent.iterdir())


# the folder

IDS = ["20260101T101010-mpi-aaaaaa", "20260102T101010-pool-bbbbbb", "20260102T111111-mpi-cccccc"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three runs, one half-written by a process that died, and a file that is none."""
    for number in (1, 2, 0):
        keep(replace(run(case()), id=IDS[number]), tmp_path)
    (tmp_path / f".{IDS[0]}.json.123").write_text('{"schema"')
    (tmp_path / "notes.txt").write_text("none of ours")
    return tmp_path


def test_kept_runs_are_listed_newest_first(folder: Path) -> None:
    assert [path.stem for path in kept(folder)] == IDS[::-1]


def test_a_folder_that_is_not_there_keeps_nothing_yet(tmp_path: Path) -> None:
    assert kept(tmp_path / "results") == []
    path = keep(run(case()), tmp_path / "results")
    assert kept(tmp_path / "results") == [path]
    assert read_json(path) == run(case())


@pytest.mark.parametrize(
    ("wanted", "number"),
    [("1", 2), ("3", 0), (IDS[0], 0), ("20260102T1010", 1), ("20260101", 0), ("20260102T11", 2)],
)
def test_a_run_is_found_by_its_number_its_id_or_its_beginning(folder: Path, wanted: str, number: int) -> None:
    assert find(wanted, folder) == folder / f"{IDS[number]}.json"


def test_a_run_is_found_by_its_file(folder: Path) -> None:
    for file in ("elsewhere.json", f"some{os.sep}where", str(folder / "x.json")):
        assert find(file, folder) == Path(file)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("20260102", "2 runs have an id that begins with '20260102'"),
        ("2", None),
        ("4", "No run '4'. Use a file, an id, or a number from "),
        ("0", "No run '0'. Use a file, an id, or a number from "),
        ("-1", "No run '-1'. Use a file, an id, or a number from "),
        ("mpi", "No run 'mpi'. Use a file, an id, or a number from "),
        ("", "No run ''. Use a file, an id, or a number from "),
        ("*", "No run '*'. Use a file, an id, or a number from "),
    ],
)
def test_what_names_no_run_or_several_is_refused(folder: Path, wanted: str, found: str | None) -> None:
    if found is None:  # a number, though every id begins so
        assert find(wanted, folder).stem == IDS[1]
        return
    with pytest.raises(UsageError) as caught:
        find(wanted, folder)
    assert found in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_case_of_an_old_record_that_left_no_span_has_the_nodes_that_were_read() -> None:
    """Of an embedded run whose first case raised before its first task."""
    repeat = {"spans": [], "nodes": {"simulated-2": {}, "simulated-1": {}, "head": {}}}
    document: dict[str, Any] = {"cases": [{"spec": {"nodes": 2}, "repeats": [repeat]}]}
    upgrade(document, 4)
    assert document["cases"][0]["nodes"] == ["head", "simulated-1", "simulated-2"]


@pytest.mark.parametrize(
    ("lab", "name"),
    [("mpi", "mpi"), ("my lab (1)", "my-lab-1"), ("für_alle", "für_alle"), ("((", "lab"), ("x" * 251, "x" * 50)],
)
def test_a_run_is_read_and_known_again_whatever_its_labs_file_is_called(lab: str, name: str, tmp_path: Path) -> None:
    kept_run = run(lab=lab, id=f"20261128T160550Z-{in_id(lab)}-8a7e90")
    path = keep(kept_run, tmp_path)
    assert path.name == f"20261128T160550Z-{name}-8a7e90.json"
    assert [one.lab for one in (read_json(path), *earlier_runs(lab, tmp_path))] == [lab, lab]
