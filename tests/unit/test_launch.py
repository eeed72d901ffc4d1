"""The command that starts a launch: which rank goes where, and what it is told."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.backend.base import Placement
from parlab.backend.embedded import Embedded
from parlab.model.case import FUTURES, LAUNCHES, MPI, PYTHON, Case
from parlab.model.spec import Spec
from parlab.run.mpiexec import mpiexec

TWO = Spec(nodes=2, cores=2, speed=Fraction(1, 8), unit=0.5)


def placement(spec: Spec) -> Placement:
    return Placement(("head", *(f"w{number}" for number in range(1, spec.nodes + 1))), "/venv/bin/python", {})


def command(launch: str, spec: Spec = TWO, **settings: Any) -> list[str]:
    return mpiexec(placement(spec), spec, Case("print", launch, settings), ["PARLAB_RUN", "LANG"], ["-m", "some.rank"])


def hosts(launch: str, spec: Spec = TWO, **settings: Any) -> list[str]:
    """The host of each rank: mpiexec fills the slots of one host, then those of the next."""
    words = command(launch, spec, **settings)
    slots = [slot.split(":") for slot in words[words.index("--host") + 1].split(",")]
    found = [host for host, count in slots for _ in range(int(count))]
    assert words[words.index("-n") + 1] == str(len(found))
    return found


@pytest.mark.parametrize("settings", [{}, {"workers": 1}, {"workers": 16}, {"workers": None}])
def test_a_python_case_is_one_rank_on_the_first_worker(settings: dict[str, Any]) -> None:
    assert hosts(PYTHON, **settings) == ["w1"]


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (1, ["w1"]),
        (2, ["w1", "w2"]),
        (3, ["w1", "w1", "w2"]),
        (None, ["w1", "w1", "w2", "w2"]),
        (7, ["w1", "w1", "w1", "w1", "w2", "w2", "w2"]),
    ],
)
def test_mpi_ranks_are_dealt_out_to_the_workers(workers: int | None, expected: list[str]) -> None:
    assert hosts(MPI, workers=workers) == expected


def test_under_futures_rank_0_is_on_the_head_and_a_rank_on_each_virtual_core() -> None:
    assert hosts(FUTURES) == ["head", "w1", "w1", "w2", "w2"]
    assert hosts(FUTURES, Spec(1, 3, Fraction(1, 8), 0.5), chunk=4) == ["head", "w1", "w1", "w1"]


specs = st.builds(Spec, st.integers(1, 8), st.integers(1, 4), st.just(Fraction(1, 8)), st.just(0.5))


@given(specs, st.one_of(st.none(), st.integers(1, 40)))
def test_no_worker_has_two_mpi_ranks_more_than_another(spec: Spec, workers: int | None) -> None:
    on_each = Counter(hosts(MPI, spec, workers=workers))
    counts = [on_each[host] for host in placement(spec).hosts[1:]]
    assert sum(counts) == on_each.total() == (workers or spec.virtual_cores)
    assert max(counts) - min(counts) <= 1


@given(specs, st.sampled_from(LAUNCHES), st.integers(1, 40))
def test_a_span_is_named_after_the_node_on_which_its_rank_was_placed(spec: Spec, launch: str, workers: int) -> None:
    case = Case("print", launch, {"workers": workers})
    ranks = range(case.ranks(spec.virtual_cores))
    names = [Embedded().node_of("this", case.node_of(rank, spec)) for rank in ranks]
    assert [name.replace("simulated-", "w") for name in names] == hosts(launch, spec, workers=workers)


def test_on_one_machine_all_ranks_share_its_slots() -> None:
    words = mpiexec(Embedded().placement(TWO.nodes), TWO, Case("print", FUTURES), [], ["-m", "some.rank"])
    assert words[words.index("--host") + 1] == "localhost:5"


@pytest.mark.parametrize("launch", LAUNCHES)
def test_every_rank_is_run_by_the_python_beside_mpiexec(launch: str) -> None:
    words = command(launch)
    assert words[0] == "/venv/bin/mpiexec"
    assert words[-3:] == ["/venv/bin/python", "-m", "some.rank"]


def test_a_job_of_slurm_gets_the_host_of_each_rank_and_the_cores_of_each() -> None:
    batch = replace(placement(TWO), batch=True)
    words = [mpiexec(batch, TWO, Case("print", launch), ["LANG"], ["-m", "some.rank"]) for launch in (FUTURES, PYTHON)]
    job, rank = ["/venv/bin/python", "-m", "parlab.node.batch"], ["--", "/venv/bin/python", "-m", "some.rank"]
    assert words == [[*job, "head,w1,w1,w2,w2", "1", "2", *rank], [*job, "w1", "2", "2", *rank]]
    assert (placement(TWO).starter, batch.starter) == ("mpiexec", "srun")


def test_what_is_exported_is_named_once_each() -> None:
    words = command(MPI)
    assert [words[at + 1] for at, word in enumerate(words) if word == "-x"] == ["PARLAB_RUN", "LANG"]


@pytest.mark.parametrize("launch", LAUNCHES)
def test_ranks_may_be_more_than_the_cores_and_are_bound_to_none(launch: str) -> None:
    text = " ".join(command(launch, workers=40))
    assert "--map-by slot:OVERSUBSCRIBE --bind-to none" in text
