"""Reading a spec, and whether it fits."""

from fractions import Fraction
from typing import Any

import pytest

from parlab.errors import UsageError
from parlab.lab import Lab
from parlab.model.spec import Spec, check_fits, quota_us
from parlab.node.declare import declaration_of
from parlab.run.plan import choose_specs
from parlab.run.request import Request, read_cluster, read_request, read_sizes, read_speed, read_unit

DEFAULT = Spec(nodes=4, cores=2, speed=Fraction(1, 8), unit=0.5)


def test_the_default_cluster_takes_one_cpu_and_the_head() -> None:
    assert DEFAULT.node_cpus == Fraction(1, 4)
    assert DEFAULT.cpus == Fraction(3, 2)
    assert DEFAULT.virtual_cores == 8
    assert quota_us(DEFAULT.node_cpus) == 25_000


def test_a_cluster_that_fits_is_accepted_to_the_last_cpu() -> None:
    check_fits(Spec(4, 3, Fraction(1, 8), 1), 2, "here")


def test_a_cluster_that_does_not_fit_is_refused_with_the_arithmetic() -> None:
    with pytest.raises(UsageError) as error:
        check_fits(Spec(8, 2, Fraction(1, 8), 1), 2, "the machine")
    assert str(error.value) == (
        "8 nodes x 2 virtual cores x 1/8 = 2 CPUs, and 0.5 for the head, make 2.5: "
        "more than the 2 of the machine. Lower --nodes, --cores or --speed."
    )


def work(task: Any = len) -> None: ...


def test_options_override_the_lab() -> None:
    made = Lab(unit=0.5, nodes=[1, 2], cores=2, speed=1 / 8)
    made.case()(work)
    lab = declaration_of(made)
    assert choose_specs(lab, Request()) == [Spec(n, 2, Fraction(1, 8), 0.5) for n in (1, 2)]
    assert choose_specs(lab, read_request(nodes="3", cores="4", speed="0.25", unit="0.1")) == [
        Spec(3, 4, Fraction(1, 4), 0.1)
    ]


@pytest.mark.parametrize("text", ["1/8", "0.125", "125e-3"])
def test_a_speed_is_a_fraction_or_a_decimal(text: str) -> None:
    assert read_speed(text) == Fraction(1, 8)


@pytest.mark.parametrize("text", ["0", "2", "1/0", "1/65", "-1/8", "nan", "inf", "", "fast", "1/8/2"])
def test_a_bad_speed_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--speed takes a fraction of a host core from 1/64 to 1"):
        read_speed(text)


@pytest.mark.parametrize("text", ["0", "1,x", "1000", "-1", "1,,2", "", "1.5", "\uff12", "9" * 400])
def test_bad_sizes_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--nodes takes numbers from 1 to 64, separated by commas"):
        read_sizes(text)


@pytest.mark.parametrize("text", ["nan", "inf", "0", "-1", "1e9", "", "long"])
def test_a_bad_unit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--unit takes seconds from 0.001 to 60"):
        read_unit(text)


@pytest.mark.parametrize("text", ["a b", "", "../x", "A", "a" * 31, "-a", "a\n"])
def test_a_bad_cluster_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--cluster takes a name of 1 to 30 characters"):
        read_cluster(text)
