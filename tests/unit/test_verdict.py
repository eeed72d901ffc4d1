"""The four questions, asked of made-up runs; the claims, and the exit code that follows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from parlab.lab import CannotBeShown
from parlab.quiet import undelivered
from parlab.record import Answer, Finding, MeasuredCase, NodeUse, Repeat, Run, Verdict
from parlab.spans import LOCK_HELD, LOCK_WAIT, Phase, Span
from parlab.usage import Process
from parlab.verdict import BUSY, TAMPERED, exit_code, judge
from tests.unit.samples import (
    ENVIRONMENT,
    SPEC,
    case,
    case_on,
    embedded_run,
    failed_run,
    head,
    lab,
    machine,
    noisy_repeat,
    raised,
    repeat,
    run,
    span,
    spans,
    took,
    verdict,
    worker,
)

Cases = Mapping[str, MeasuredCase]
YES, NO, CANNOT = Answer.YES, Answer.NO, Answer.CANNOT
NOISY = noisy_repeat()


def judged(*repeats: Repeat, cgroup_driver: str = "cgroupfs") -> Verdict:
    return judge(lab(), [case(*repeats)], {"cgroup_driver": cgroup_driver})


def held(use: NodeUse, cgroup_driver: str = "cgroupfs") -> Finding:
    return judged(repeat(nodes={"worker-1": use}), cgroup_driver=cgroup_driver).held


def on(quietness: NodeUse | None = None, use: NodeUse | None = None, **tasks: float) -> Repeat:
    """A launch on one node: its head, which reads the machine, the node, and how its tasks went."""
    own = spans(**tasks)  # type: ignore[arg-type]
    used_s = sum(one.cpu_s for one in own)
    return repeat(own, nodes={"head": quietness or head(), "worker-1": use or worker(used_s=used_s)})


# correct


def test_as_declared_is_correct() -> None:
    found = judge(lab(), [case(took(4.0), took(4.0)), case(raised(), name="lambda")], ENVIRONMENT).correct
    assert found == Finding(YES, "3 launches of 2 cases came out as declared")


def test_one_wrong_launch_is_not_correct_and_is_named() -> None:
    wrong = case(took(4.0), took(4.0, outcome="wrong", complaint="result 1 is 5"))
    found = judge(lab(), [case(), wrong], ENVIRONMENT).correct
    assert (found.answer, found.evidence) == (NO, "pool(nodes=1): result 1 is 5")
    assert "correct the case" in found.cure


def test_without_a_case_nothing_can_be_shown() -> None:
    found = judge(lab(it_is_quick), [], ENVIRONMENT)
    assert [found.correct.answer, found.held.answer, found.quiet.answer, found.reproduced.answer] == [CANNOT] * 4


# held


def mid_run(limit: float | None) -> NodeUse:
    """A node that has this limit in one reading, neither the first nor the last."""
    use = worker(used_s=0.5)
    first, second, third, *rest = use.readings
    return replace(use, readings=(first, second, replace(third, limit=limit), *rest))


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (replace(worker(), engine=(0.25, 0.5)), "the engine says 0.5 CPU, asked for was 0.25 CPU"),
        (replace(worker(), engine=(None, 0.25)), "the engine says no limit, asked for was 0.25 CPU"),
        (mid_run(0.5), "its cgroup says 0.5 CPU, asked for was 0.25 CPU"),
        (mid_run(None), "its cgroup says no limit, asked for was 0.25 CPU"),
        (worker(used_s=1.1), "it used 1.1 CPU seconds where its limit allows 1.025"),
        (worker(periods=0), "it used 0.5 CPU seconds, and its kernel counted no quota period"),
        (replace(worker(), burned=0.28), "a burn without pacing got 0.28 CPU, asked for was 0.25 CPU"),
    ],
)
def test_a_limit_that_was_not_in_force_is_not_held(use: NodeUse, words: str) -> None:
    assert held(use) == Finding(NO, f"pool(nodes=1): worker-1: {words}", TAMPERED)


def test_a_limit_that_was_not_delivered_is_not_held_and_has_another_cure() -> None:
    words = "pool(nodes=1): worker-1: a burn without pacing got no more than 0.22 CPU of 0.25 CPU"
    assert held(replace(worker(), burned=0.22)) == Finding(NO, words, BUSY)


@pytest.mark.parametrize("burned", [None, 0.226, 0.274])
@pytest.mark.parametrize("used_s", [0.0, 1.025])  # a window may hold a period's quota more than its length
def test_a_limit_that_was_read_back_and_delivered_is_held(burned: float | None, used_s: float) -> None:
    assert held(replace(worker(used_s=used_s), burned=burned)).answer is YES


def test_held_tells_what_it_rests_on() -> None:
    nodes = {"worker-1": replace(worker(), burned=0.26), "worker-2": replace(worker(), burned=0.24)}
    found = judged(repeat(nodes=nodes)).held
    assert found.evidence == (
        "the limits were read 14 times, each as asked for; a burn without pacing got 96 to 104 % of a node's limit"
    )


def test_an_idle_node_needs_no_quota_period() -> None:
    assert held(worker(used_s=0.01, periods=0)).answer is YES


@pytest.mark.parametrize(
    ("driver", "wanted", "limit", "answer"),
    [
        ("systemd", 0.0625, 0.07, YES),
        ("systemd", 0.0625, 0.0625, YES),
        ("systemd", 0.0625, 0.06, NO),
        ("systemd", 0.0625, 0.08, NO),
        ("systemd", 0.07, 0.07, YES),
        ("systemd", 0.07, 0.08, NO),
        ("cgroupfs", 0.0625, 0.07, NO),
        ("cgroupfs", 0.0625, 0.0625, YES),
    ],
)
def test_only_systemd_rounds_a_limit_up_to_whole_percents(
    driver: str, wanted: float, limit: float, answer: Answer
) -> None:
    assert held(worker(wanted, limit=limit, used_s=0.2), driver).answer is answer


def test_with_systemd_a_node_may_use_what_the_rounded_limit_allows() -> None:
    use = worker(0.0625, limit=0.07, used_s=0.28)
    assert held(replace(use, burned=0.07), "systemd").answer is YES
    assert held(replace(use, burned=0.055), "systemd").cure == BUSY


def test_with_systemd_an_older_engine_that_does_not_round_is_held_to_what_was_asked() -> None:
    use = worker(0.0625, used_s=0.25)
    assert held(replace(use, burned=0.0625), "systemd").answer is YES
    assert held(replace(use, burned=0.08), "systemd").answer is NO


def test_of_a_small_limit_a_burn_may_be_off_by_a_tick() -> None:
    use = worker(1 / 64, used_s=0.0625)
    assert held(replace(use, burned=0.024)).answer is YES
    assert held(replace(use, burned=0.027)).answer is NO


def test_a_run_that_broke_off_claims_nothing() -> None:
    def it_is_fast(cases: object) -> None: ...

    found = judge(lab(it_is_fast), [case(took(4.0))], ENVIRONMENT, broke_off=True)
    assert found.reproduced.answer is CANNOT
    assert [claim.answer for claim in found.claims] == [CANNOT]


def test_where_nobody_limits_held_cannot_be_shown() -> None:
    found = embedded_run().verdict.held
    assert found.answer is CANNOT
    assert "no kernel limits these nodes" in found.evidence


def test_one_node_without_its_limit_spoils_the_run() -> None:
    good = case_on(4)
    bad = replace(good.repeats[0], nodes={**good.repeats[0].nodes, "worker-3": worker(limit=None)})
    found = judge(lab(), [good, replace(good, repeats=(bad,))], ENVIRONMENT).held
    assert found.answer is NO
    assert "pool(nodes=4): worker-3: its cgroup says no limit" in found.evidence
    assert found.evidence.endswith("; and 4 more")


# quiet


def test_an_idle_host_is_quiet_and_says_how_idle() -> None:
    found = judged(on(head(machine(busy=0.2, idle=0.8)))).quiet
    assert found.answer is YES
    assert "the host was 80 % idle" in found.evidence


def test_a_host_that_others_filled_is_not_quiet() -> None:
    found = judged(on(head(machine(busy=1.0, idle=0.0)))).quiet
    assert found.answer is NO
    assert "something else used 1.725 of the host's 2 CPUs; none was idle in 100 % of the time" in found.evidence
    assert found.cure == "close other programs on the host, and run again"


def test_others_do_no_harm_where_some_cpu_is_idle() -> None:
    assert judged(on(head(machine(busy=0.8, idle=0.2)))).quiet.answer is YES


def test_a_host_that_only_this_run_filled_is_quiet() -> None:
    ours = worker(2.0, used_s=7.8)
    assert judged(on(head(machine(busy=1.0, idle=0.0)), ours)).quiet.answer is YES


@pytest.mark.parametrize(("idle", "answer"), [(0.03, NO), (0.07, YES)])
def test_hardly_any_idle_cpu_is_none(idle: float, answer: Answer) -> None:
    assert judged(on(head(machine(busy=1 - idle, idle=idle)))).quiet.answer is answer


@pytest.mark.parametrize(("full", "answer"), [(1, YES), (2, YES), (4, NO)])
def test_a_short_spell_without_idle_cpu_is_quiet_enough(full: int, answer: Answer) -> None:
    hosts = machine(busy=0.5, idle=0.5, steps=20)
    step_s = hosts[1].idle_s - hosts[0].idle_s
    spell = [
        replace(
            host,
            idle_s=host.idle_s - step_s * min(full, number),
            busy_s=host.busy_s + step_s * min(full, number),
        )
        for number, host in enumerate(hosts)
    ]
    assert judged(on(head(spell))).quiet.answer is answer


def test_stolen_time_is_not_quiet() -> None:
    found = judged(on(head(machine(busy=0.2, idle=0.75, stolen=0.05)))).quiet
    assert found.answer is NO
    assert "the hypervisor gave 5 % of the host's CPU time to other machines" in found.evidence
    assert "another machine" in found.cure


def test_cpu_that_was_owed_and_not_delivered_is_not_quiet() -> None:
    found = judged(on(delivered=0.9, stalled_s=0.1)).quiet
    assert found.answer is NO
    assert "10.0 % of the CPU time that tasks were owed was not delivered" in found.evidence


@pytest.mark.parametrize(
    ("own", "share"),
    [
        (spans(), 0.0),
        (spans(delivered=0.9, stalled_s=0.1), 0.1),
        (spans(delivered=0.9, stalled_s=0.04), 0.04),  # what they lacked otherwise, they were not ready to take
        (spans(delivered=0.9, stalled_s=0.5), 0.1),
        (spans(tasks=2, gap_s=1.0, delivered=0.8, stalled_s=0.3), 0.2),
        ([span(cpu_s=0.0625, waited_s=0.5, stalled_s=0.1)], 0.0),  # half a second was not owed
        ([span(cpu_s=0.05, waited_s=0.5, stalled_s=0.5)], 0.2),
        ([span(cpu_s=0.05, phases=(Phase(LOCK_WAIT, 10.2, 10.7),), stalled_s=0.5)], 0.2),
        ([span(cpu_s=0.05, phases=(Phase(LOCK_HELD, 10.2, 10.7),), stalled_s=0.5)], 0.5),
        ([span(pid=pid, cpu_s=0.0625, stalled_s=0.5) for pid in (1, 2, 3, 4)], 0.0),  # four on two cores
        ([span(pid=pid, cpu_s=0.05, stalled_s=0.6) for pid in (1, 2, 3, 4)], 0.2),
        ([span("worker-1", cpu_s=0.1, stalled_s=0.2), span("worker-2")], 0.1),
        ([span(stalled_s=None)], None),
    ],
)
def test_what_was_not_delivered_is_a_share_of_what_was_owed(own: Sequence[Span], share: float | None) -> None:
    assert undelivered(repeat(own, nodes={}), SPEC) == pytest.approx(share)


def test_quiet_tells_how_much_was_delivered() -> None:
    found = judged(on(delivered=0.99, stalled_s=0.01)).quiet
    assert found.answer is YES
    assert "99.0 % of the CPU owed was delivered" in found.evidence


def test_a_slice_of_a_very_short_case_is_no_noise() -> None:
    def lacking(seconds: float) -> Repeat:
        own = [span(seconds=seconds, cpu_s=0.95 * seconds / 8, stalled_s=0.05 * seconds)]
        return repeat(own, nodes={"head": head()})

    assert judged(lacking(0.3)).quiet.answer is YES
    assert judged(lacking(3.0)).quiet.answer is NO


def test_a_node_at_its_limit_got_what_the_host_owed_it() -> None:
    own_processes = worker(used_s=1.0)  # the tasks got 0.9 of it; MPI, say, the rest
    assert judged(on(use=own_processes, delivered=0.9, stalled_s=0.1)).quiet.answer is YES


def test_what_tasks_lack_without_being_ready_to_run_is_not_the_hosts_doing() -> None:
    assert judged(on(delivered=0.9, stalled_s=0.0)).quiet.answer is YES


def test_a_slow_dispatcher_is_no_noise() -> None:
    assert judged(on(gap_s=3.0)).quiet.answer is YES


def strange(before_s: float | None, after_s: float) -> NodeUse:
    """A node with a process that is none of the run's; None: it came after the first reading."""
    use = worker(0.5, used_s=1.0)
    first, *between, last = use.readings
    before = {} if before_s is None else {"77": Process("stress", before_s)}
    ends = replace(first, strangers=before), replace(last, strangers={"77": Process("stress", after_s)})
    return replace(use, readings=(ends[0], *between, ends[1]))


@pytest.mark.parametrize(("before_s", "after_s"), [(None, 0.5), (0.0, 0.5), (20.0, 20.5)])
def test_a_stranger_in_a_node_is_not_quiet_and_is_named(before_s: float | None, after_s: float) -> None:
    found = judged(on(use=strange(before_s, after_s))).quiet
    assert found.answer is NO
    assert "stress (process 77) used 0.5 of worker-1's 2 CPU seconds" in found.evidence
    assert found.cure == "./invoke down ends it; then run again"


@pytest.mark.parametrize(("before_s", "after_s"), [(None, 0.03), (20.0, 20.03), (20.0, 20.0)])
def test_a_stranger_that_hardly_used_anything_is_let_be(before_s: float | None, after_s: float) -> None:
    assert judged(on(use=strange(before_s, after_s))).quiet.answer is YES


@pytest.mark.parametrize(("disturbed", "of", "answer"), [(1, 3, YES), (2, 3, NO), (1, 2, NO), (2, 2, NO), (2, 5, YES)])
def test_disturbed_launches_count_when_they_may_move_the_median(disturbed: int, of: int, answer: Answer) -> None:
    found = judged(*[NOISY] * disturbed, *[on()] * (of - disturbed)).quiet
    assert found.answer is answer
    if answer is YES:
        assert f"{disturbed} launch" in found.evidence
        assert "disturbed, which moves no median" in found.evidence


def test_each_case_needs_quiet_launches_of_its_own() -> None:
    assert judge(lab(), [case(on(), on(), on()), case(NOISY, on(), NOISY)], ENVIRONMENT).quiet.answer is NO


def test_where_the_kernel_tells_nothing_quiet_cannot_be_shown() -> None:
    silent = repeat(spans(stalled_s=None), nodes={"head": NodeUse(None), "worker-1": NodeUse(None)})
    found = judged(silent).quiet
    assert (found.answer, found.evidence) == (CANNOT, "the kernel does not say how busy this machine is")


def test_simulated_nodes_can_be_disturbed_too() -> None:
    launch = embedded_run().cases[0].repeats[0]
    assert judged(launch).quiet.answer is YES
    noise = replace(launch, nodes={"head": replace(head(machine(busy=1.0, idle=0.0)), wanted=None, engine=())})
    assert judged(noise).quiet.answer is NO


# reproduced


def it_is_quick(cases: Cases) -> None:
    assert cases["pool(nodes=1)"].measured_s < 100


def it_halves(cases: Cases) -> None:
    raise AssertionError("far too slow\nand more")


def it_says_nothing(cases: Cases) -> None:
    raise AssertionError


def it_divides(cases: Cases) -> None:
    raise ZeroDivisionError("division by zero")


def it_needs_more(cases: Cases) -> None:
    raise CannotBeShown("needs 4 CPUs")


def it_runs_on_eight(cases: Cases) -> None:
    assert cases["pool(nodes=8)"].measured_s < 100


EXPECTATIONS = (it_is_quick, it_halves, it_says_nothing, it_divides, it_needs_more, it_runs_on_eight)


def test_expectations_become_claims() -> None:
    found = judge(lab(*EXPECTATIONS), [case()], ENVIRONMENT)
    assert [(claim.name, claim.answer, claim.why) for claim in found.claims] == [
        ("it is quick", YES, ""),
        ("it halves", NO, "far too slow"),
        ("it says nothing", NO, "its assertion has no message"),
        ("it divides", NO, "ZeroDivisionError: division by zero"),
        ("it needs more", CANNOT, "needs 4 CPUs"),
        ("it runs on eight", CANNOT, "pool(nodes=8) was not run"),
    ]
    assert found.reproduced.answer is NO
    assert found.reproduced.evidence == "it halves: far too slow; and 2 more"


@pytest.mark.parametrize(
    ("expectations", "answer", "words"),
    [
        ([it_is_quick], YES, ["1 of 1 claim"]),
        ([it_is_quick, it_needs_more], YES, ["1 of 2 claims", "it needs more: needs 4 CPUs"]),
        ([it_needs_more, it_runs_on_eight], CANNOT, ["0 of 2 claims", "it needs more: needs 4 CPUs; and 1 more"]),
        ([], CANNOT, []),
    ],
)
def test_reproduced_is_what_could_be_shown(
    expectations: Sequence[object], answer: Answer, words: Sequence[str]
) -> None:
    found = judge(lab(*expectations), [case()], ENVIRONMENT).reproduced
    assert found.answer is answer
    assert all(word in found.evidence for word in words)


@pytest.mark.parametrize(
    "spoiled",
    [NOISY, on(use=worker(limit=0.5)), on(use=replace(worker(), burned=0.1))],
    ids=["not quiet", "not in force", "not delivered"],
)
def test_no_claim_fails_when_the_run_is_not_a_measurement(spoiled: Repeat) -> None:
    found = judge(lab(*EXPECTATIONS), [case(spoiled)], ENVIRONMENT)
    assert not found.is_measurement
    assert {(claim.answer, claim.why) for claim in found.claims} == {(CANNOT, "this is not a measurement")}
    assert found.reproduced.answer is CANNOT


def test_claims_are_judged_where_limits_cannot_be_shown() -> None:
    found = judge(lab(it_halves), embedded_run().cases, {})
    assert (found.held.answer, found.reproduced.answer) == (CANNOT, NO)


def test_no_claim_is_shown_without_a_case() -> None:
    def all_are_quick(cases: Cases) -> None:
        assert all(case.measured_s < 1 for case in cases.values())

    assert judge(lab(all_are_quick), [], ENVIRONMENT).reproduced.answer is CANNOT


# the exit code

WRONG_CASE = case(took(4.0, outcome="wrong", complaint="result 1 is 5"))
WRONG_NOISY_CASE = case(replace(NOISY, outcome="wrong", complaint="result 1 is 5"))


@pytest.mark.parametrize(
    ("made", "checked", "unchecked"),
    [
        (failed_run(), 4, 4),
        (failed_run(WRONG_CASE, exit_code=130), 130, 130),
        (run(WRONG_NOISY_CASE), 1, 1),
        (run(WRONG_CASE), 1, 1),
        (run(case(NOISY)), 3, 0),
        (run(case(), verdict=verdict(held=NO, reproduced=NO)), 3, 0),
        (run(case(), verdict=verdict(quiet=NO, reproduced=CANNOT)), 3, 0),
        (run(case(), verdict=verdict(reproduced=NO)), 1, 0),
        (run(case(), verdict=verdict(held=CANNOT, quiet=CANNOT, reproduced=CANNOT)), 0, 0),
        (run(case()), 0, 0),
        (run(case(raised())), 0, 0),
    ],
)
def test_the_exit_code_is_the_first_that_applies(made: Run, checked: int, unchecked: int) -> None:
    assert exit_code(made, check=True) == checked
    assert exit_code(made, check=False) == unchecked
