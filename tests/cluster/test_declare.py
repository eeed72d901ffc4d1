"""A lab's file is read in a node and nowhere else, with what lies beside it, before its nodes are there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from parlab.backend.cpu_limits import limits_of
from parlab.errors import UsageError
from parlab.results.record import Run
from parlab.run.request import Request
from parlab.terminal.live import Silence
from tests.cluster.conftest import NAME, left_of
from tests.measuring import measured
from tests.running import run_file

LabFile = Callable[[str], Path]
LAB = """
import os, socket
from multiprocessing import Pool
from pathlib import Path
from helper import SIZES
HERE = Path(__file__).parent
assert socket.gethostname() in ("head", "node-1"), "not on the user's machine"
from parlab.lab import Lab
lab = Lab(unit=0.01, cores=2)
def work(number):
    return number + int((HERE / "data/more/one.txt").read_text())
@lab.serial
def one_after_another(task=work):
    return [task(number) for number in range(4)]
@lab.case(size=SIZES, kind=len)
def pool(task=work, *, size, kind):
    with Pool(2) as workers:
        return workers.map(task, range(4))
@lab.expect
def settings_are_the_labs_own(cases):
    assert socket.gethostname() == "head", "claims are tried where the file may run"
    assert cases.find(pool, size=2, kind=len).settings["kind"] is len
if __name__ == "__main__":
    lab.main()
"""


@pytest.fixture
def lab(lab_file: LabFile) -> Path:
    """A lab that needs a module and a file of data beside it, and refuses to be run anywhere but in a node."""
    path = lab_file(LAB)
    (path.parent / "helper.py").write_text("SIZES = [1, 2]\n")
    (path.parent / "data/more").mkdir(parents=True)
    (path.parent / "data/more/one.txt").write_text("1\n")
    return path


def run(path: Path, observer: Silence | None = None) -> Run:
    return run_file(path, Request(cluster=NAME, backend="cluster"), observer or Silence())


@pytest.mark.judged
def test_a_lab_runs_with_what_lies_beside_it_and_only_in_nodes(four: Cluster, lab: Path) -> None:
    class Editor(Silence):
        """A user who goes on writing while the first case runs."""

        def started(self, *_: object) -> None:
            lab.write_text("oh")

    lab.write_text(LAB)  # this may be another try
    done = run(lab, Editor())
    assert done.failure is None
    assert [case.name for case in done.cases] == [f"pool(size={size}, kind=len)" for size in (1, 2)]
    assert [case.complaint for case in done.cases] == [None, None]
    measured(done.verdict)
    assert [(claim.name, claim.why) for claim in done.verdict.claims] == [("settings are the labs own", "")]


@pytest.mark.parametrize("code", ["1 / 0\n", LAB.replace("SIZES", "1").replace("from helper import 1", "")])
def test_bad_input_leaves_a_cluster_that_is_not_up_as_it_was(cluster: Cluster, lab_file: LabFile, code: str) -> None:
    cluster.down()
    with pytest.raises(UsageError):
        run_file(lab_file(code), Request(nodes=(60,), cores=60, cluster=NAME, backend="cluster"), Silence())
    assert left_of(cluster.project) == ""


def test_bad_input_leaves_a_cluster_that_is_up_as_it_was(four: Cluster, lab_file: LabFile) -> None:
    before = [(node.id, limits_of(four.client, [node])) for node in four.containers()]
    with pytest.raises(UsageError, match=r"^sample\.py:1 \(1 / 0\): ZeroDivisionError"):
        run(lab_file("1 / 0\n"))
    assert [(node.id, limits_of(four.client, [node])) for node in four.containers()] == before


def test_a_file_that_never_gets_to_its_lab_is_ended(
    four: Cluster, lab_file: LabFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parlab.run.lab_file.READ_SECONDS", 2.0)
    with pytest.raises(
        UsageError, match=r"^sample\.py:3 \(time\.sleep\(1000\)\): it did not get to lab\.main\(\) in 2 s"
    ):
        run(lab_file("import sys, time\nprint('thinking', file=sys.stderr, flush=True)\ntime.sleep(1000)\n"))
    (head, *_) = four.containers()
    assert not [row for row in four.client.api.top(head.id, "-eo pid,args")["Processes"] if "declare" in row[-1]]
