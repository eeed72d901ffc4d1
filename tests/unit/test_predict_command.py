"""`predict`: its table and its answer, the file for programs, and bad input in one line."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from parlab.predict.evidence import evidence
from parlab.predict.prediction import predict
from parlab.results.record import Answer
from parlab.results.store import keep
from parlab.terminal.predictions import in_words, show_prediction
from tests.conftest import Invoke
from tests.unit.planted import farm_run, stencil_run
from tests.unit.samples import in_a_line, shown, verdict


def test_the_table_has_ideal_predicted_and_measured_by_size_and_the_answer_below() -> None:
    text = shown(show_prediction, predict(evidence([farm_run((1, 2, 4, 8), seed=1)]), [1, 8, 16, 4096]))
    lines = text.splitlines()
    assert lines[0] == "pool, 64 tasks: 2 x 1/8 a node; costs from 1, 2, 4 nodes"
    assert lines[1] == "record: 20260102T030405-sample-abc123"
    assert lines[3].split() == ["nodes", "ideal", "predicted", "95", "%,", "like", "launches", "measured", "off", "by"]
    one, eight, sixteen, most = lines[4:8]
    assert one.split()[:3] == ["1", "1.60", "s"]
    assert " * " in one
    assert "*" not in eight
    assert eight.endswith("%")
    assert sixteen.endswith("-")
    assert most.startswith("4096 ")
    text = in_a_line(text)
    assert "On 4096 nodes it takes " in text
    assert "From 16 to 4096 nodes it gets " in text
    assert " tasks a second at most" in text
    assert "There are 64 tasks for 8192 workers: 8128 have nothing to do." in text


def with_times(*times_s: float, busy_at: float = 3.2, chunk: int = 1) -> str:
    """The words for a farm of 64 tasks that takes so long on 1, 2, 4, ... nodes."""
    prediction = predict(evidence([farm_run()]), [2**power for power in range(len(times_s))], chunk=chunk)
    assert prediction.master is not None
    master = replace(prediction.master, busy_at=busy_at, chunk_s=100.0, group_s=None)
    sizes = [replace(size, predicted_s=s) for size, s in zip(prediction.sizes, times_s, strict=True)]
    return " ".join(in_words(replace(prediction, sizes=tuple(sizes), master=master)))


@pytest.mark.parametrize(
    ("times_s", "answer"),
    [
        ((4.0, 3.99), "From 1 to 2 nodes it gets no quicker, on 2 x the nodes."),
        ((4.0, 2.0, 2.0), "From 2 to 4 nodes it gets no quicker, on 2 x the nodes."),
        ((4.0, 5.0), "From 1 to 2 nodes it gets 1.25 x slower, on 2 x the nodes."),
        ((4.0, 2.0, 1.0), "Each step in the table pays: it gains at least half of what its nodes could."),
    ],
)
def test_the_answer_says_which_step_gains_little(times_s: tuple[float, ...], answer: str) -> None:
    assert answer in with_times(*times_s)


def test_one_criterion_says_whether_more_nodes_gain() -> None:
    text = with_times(4.0, 2.0, 1.3, busy_at=2.31)
    assert "Each step in the table pays" in text
    assert "3 nodes ask for that many." in text
    assert "gain nothing" not in text
    assert "1 node asks for that many." in with_times(4.0, 2.0, busy_at=0.7)


def test_chunks_are_counted_and_named_and_a_smaller_one_is_advised_where_it_is_quicker() -> None:
    text = in_a_line(shown(show_prediction, predict(evidence([farm_run()]), [1, 16], tasks=320, chunk=20)))
    assert text.startswith("pool, 320 tasks in chunks of 20: ")
    assert " chunks a second at most" in text
    assert "There are 16 chunks for 32 workers: 16 have nothing to do." in text
    assert re.search(r"With chunksize=[1248] it would take ", text)
    assert "There is 1 chunk for 2 workers: 1 has nothing to do." in with_times(4.0, chunk=64)


def test_all_records_are_named_and_a_size_that_is_not_used_with_its_reason() -> None:
    runs = [farm_run((1, 2), seed=1), farm_run((4, 8), seed=2), farm_run((16,), tasks=32, seed=3)]
    basis = evidence([replace(one, id=f"20260102T03040{number}-pool-abc") for number, one in enumerate(runs)])
    text = shown(show_prediction, predict(basis, [1, 8]))
    assert "records: 20260102T030400-pool-abc, 20260102T030401-pool-abc\n" in text
    assert "not used: 16 nodes, it does other work there" in text


def test_chunks_and_sub_masters_are_told_where_they_help() -> None:
    text = in_a_line(shown(show_prediction, predict(evidence([farm_run()]), [1, 4096], tasks=1_000_000)))
    assert "With chunksize=" in text
    assert "With a sub-master for every " in text
    assert "chunksize" not in shown(show_prediction, predict(evidence([farm_run()]), [1, 2]))


def test_a_stencil_has_no_master() -> None:
    text = shown(show_prediction, predict(evidence([stencil_run()]), [1, 2, 8]))
    assert text.startswith("heat(every=1), 30 steps: ")
    assert "master" not in text
    assert "assumes that the work can be divided evenly by any number of ranks" in text
    assert "assumes" not in shown(show_prediction, predict(evidence([farm_run()]), [1, 2]))


def test_a_kept_record_or_all_of_a_lab_are_predicted_and_written_for_programs(invoke: Invoke, tmp_path: Path) -> None:
    kept = keep(replace(farm_run(), lab="mpi", id="20260102T030405-mpi-abc123"), tmp_path)
    where = {"PARLAB_RESULTS": str(tmp_path)}
    file = tmp_path / "p.json"
    done = invoke("predict", "1", "--nodes", "4,8", "--json", str(file), **where)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"written: {file}" in done.stdout.replace("\n", "")
    made = json.loads(file.read_text())
    assert made["schema"] == 1
    assert [size["nodes"] for size in made["sizes"]] == [4, 8]
    assert {"ideal_s", "predicted_s", "low_s", "high_s", "measured_s", "off_by"} <= made["sizes"][0].keys()
    table = done.stdout.partition("written")[0]
    for name in ("mpi", "lab.mpi", str(kept)):
        assert invoke("predict", name, "--nodes", "4,8", **where).stdout == table


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nothing"], "No run and no lab 'nothing'"),
        (["9"], "No run '9'"),
        (["halo"], "no record of halo is kept"),
        (["1", "--nodes", "0"], "--nodes takes "),
        (["1", "--nodes", "1,x"], "--nodes takes "),
        (["1", "--nodes", "999999"], "from 1 to 16384"),
        (["1", "--tasks", "0"], "--tasks takes "),
        (["1", "--chunk", "many"], "--chunk takes "),
        (["1", "--case", "other"], "has no case 'other', only pool"),
        (["1", "--json", "/nowhere/p.json"], "--json takes a file"),
        (["2"], "it is not a measurement"),
        (["3", "--tasks", "100"], "--tasks and --chunk are for farms of tasks"),
    ],
)
def test_bad_input_is_one_line(invoke: Invoke, arguments: list[str], text: str, tmp_path: Path) -> None:
    keep(replace(farm_run(), id="20260103T000000-sample-000003"), tmp_path)
    busy = replace(farm_run(), id="20260102T000000-sample-000002", verdict=verdict(quiet=Answer.NO))
    keep(busy, tmp_path)
    keep(replace(stencil_run(), id="20260101T000000-sample-000001"), tmp_path)
    done = invoke("predict", *arguments, PARLAB_RESULTS=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("usage: ")
    assert text in line
