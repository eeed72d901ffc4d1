"""Whether the host had the CPU to give: made-up readings of machines that had it, and of such that had not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from parlab.host.places import COMMAND
from parlab.judge.noise import undelivered
from parlab.model.reading import Busiest, Process
from parlab.model.span import LOCK_HELD, LOCK_WAIT, Phase, Span
from parlab.results.record import Answer, NodeRecord, Repeat
from tests.unit.samples import (
    ENVIRONMENT,
    SPEC,
    case,
    embedded_run,
    head,
    judge,
    judged,
    lab,
    machine,
    noisy_repeat,
    on,
    readings,
    repeat,
    span,
    spans,
    worker,
)

YES, NO, CANNOT = Answer.YES, Answer.NO, Answer.CANNOT
NOISY = noisy_repeat()


def test_an_idle_host_is_quiet_and_says_how_idle() -> None:
    found = judged(on(head(machine(busy=0.2, idle=0.8)))).quiet
    assert found.answer is YES
    assert "the host was 80 % idle" in found.evidence


def test_a_host_that_others_filled_is_not_quiet() -> None:
    found = judged(on(head(machine(busy=1.0, idle=0.0)))).quiet
    assert found.answer is NO
    assert "something else used 1.7 of the host's 2 CPUs; none was idle in 100 % of the time" in found.evidence
    assert found.cure == "close other programs on the host, and run again"


@pytest.mark.parametrize(
    ("cpu_s", "said"), [(6.0, ", stress (process 77) 1.5 of them; none was idle"), (0.1, "CPUs; none was idle")]
)
def test_who_used_most_of_it_is_named_where_it_is_known_and_was_much(cpu_s: float, said: str) -> None:
    noisy = replace(on(head(machine(busy=1.0, idle=0.0))), busiest=Busiest(77, "stress", cpu_s))
    assert said in judged(noisy).quiet.evidence


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


@pytest.mark.parametrize(("share", "answer"), [(0.01, YES), (0.05, NO)])
def test_a_machine_that_stands_still_is_not_quiet(share: float, answer: Answer) -> None:
    made = on()
    own = tuple(replace(one, held_up_s=share * one.cpu_s) for one in made.spans)
    found = judged(replace(made, spans=own)).quiet
    assert found.answer is answer
    if answer is NO:
        assert "the machine stood still while tasks computed, for 5.0 % of their CPU time" in found.evidence


def test_cpu_that_was_owed_and_not_delivered_is_not_quiet() -> None:
    found = judged(on(delivered=0.9, run_delay_s=0.1)).quiet
    assert found.answer is NO
    assert "10.0 % of the CPU time that tasks were owed was not delivered" in found.evidence


@pytest.mark.parametrize(
    ("own", "share"),
    [
        (spans(), 0.0),
        (spans(delivered=0.9, run_delay_s=0.1), 0.1),
        (spans(delivered=0.9, run_delay_s=0.04), 0.04),  # what they lacked otherwise, they were not ready to take
        (spans(delivered=0.9, run_delay_s=0.5), 0.1),
        (spans(tasks=2, gap_s=1.0, delivered=0.8, run_delay_s=0.3), 0.2),
        ([span(cpu_s=0.0625, waited_s=0.5, run_delay_s=0.1)], 0.0),  # half a second was not owed
        ([span(cpu_s=0.05, waited_s=0.5, run_delay_s=0.5)], 0.2),
        ([span(cpu_s=0.05, phases=(Phase(LOCK_WAIT, 10.2, 10.7),), run_delay_s=0.5)], 0.2),
        ([span(cpu_s=0.05, phases=(Phase(LOCK_HELD, 10.2, 10.7),), run_delay_s=0.5)], 0.5),
        ([span(pid=pid, cpu_s=0.0625, run_delay_s=0.5) for pid in (1, 2, 3, 4)], 0.0),  # four on two cores
        ([span(pid=pid, cpu_s=0.05, run_delay_s=0.6) for pid in (1, 2, 3, 4)], 0.2),
        ([span("node-1", cpu_s=0.1, run_delay_s=0.2), span("node-2")], 0.1),
        ([replace(span(cpu_s=0.03, run_delay_s=0.7), thread=n, process_cpu_s=0.125) for n in range(4)], 0.0),
        ([replace(span(cpu_s=0.02, run_delay_s=0.7), thread=n, process_cpu_s=0.1) for n in range(4)], 0.2),
        ([span(run_delay_s=None)], None),
    ],
)
def test_what_was_not_delivered_is_a_share_of_what_was_owed(own: Sequence[Span], share: float | None) -> None:
    assert undelivered(repeat(own, nodes={}), SPEC) == pytest.approx(share)


def test_quiet_tells_how_much_was_delivered() -> None:
    found = judged(on(delivered=0.99, run_delay_s=0.01)).quiet
    assert found.answer is YES
    assert "99.0 % of the CPU owed was delivered" in found.evidence


def test_a_slice_of_a_very_short_case_is_no_noise() -> None:
    def lacking(seconds: float) -> Repeat:
        own = [span(seconds=seconds, cpu_s=0.95 * seconds / 8, run_delay_s=0.05 * seconds)]
        return repeat(own, nodes={"head": head()})

    assert judged(lacking(0.3)).quiet.answer is YES
    assert judged(lacking(3.0)).quiet.answer is NO


def test_a_node_at_its_limit_got_what_the_host_owed_it() -> None:
    own_processes = worker(used_s=1.0)  # the tasks got 0.9 of it; MPI, say, the rest
    assert judged(on(use=own_processes, delivered=0.9, run_delay_s=0.1)).quiet.answer is YES


def test_what_tasks_lack_without_being_ready_to_run_is_not_the_hosts_doing() -> None:
    assert judged(on(delivered=0.9, run_delay_s=0.0)).quiet.answer is YES


def test_a_slow_dispatcher_is_no_noise() -> None:
    assert judged(on(gap_s=3.0)).quiet.answer is YES


def strange(before_s: float | None, after_s: float) -> NodeRecord:
    """A node with a process that is none of the run's; None: it came after the first reading."""
    use = worker(0.5, used_s=1.0)
    first, *between, last = use.readings
    before = {} if before_s is None else {"77": Process("stress", before_s)}
    ends = replace(first, foreign=before), replace(last, foreign={"77": Process("stress", after_s)})
    return replace(use, readings=(ends[0], *between, ends[1]))


@pytest.mark.parametrize(("before_s", "after_s"), [(None, 0.5), (0.0, 0.5), (20.0, 20.5)])
def test_a_stranger_in_a_node_is_not_quiet_and_is_named(before_s: float | None, after_s: float) -> None:
    found = judged(on(use=strange(before_s, after_s))).quiet
    assert found.answer is NO
    assert "stress (process 77) used 0.5 of node-1's 2 CPU seconds" in found.evidence
    assert found.cure == f"{COMMAND} down ends it; then run again"


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
    silent = repeat(spans(run_delay_s=None), nodes={"head": NodeRecord(None), "node-1": NodeRecord(None)})
    found = judged(silent).quiet
    assert (found.answer, found.evidence) == (CANNOT, "the kernel does not say how busy this machine is")


def test_simulated_nodes_can_be_disturbed_too() -> None:
    launch = embedded_run().cases[0].repeats[0]
    assert judged(launch).quiet.answer is YES
    noise = replace(launch, nodes={"head": replace(head(machine(busy=1.0, idle=0.0)), wanted=None, engine=())})
    assert judged(noise).quiet.answer is NO


@pytest.mark.parametrize(("ours", "answer"), [(1.0, YES), (0.5, NO)])
def test_what_a_launch_on_simulated_nodes_used_beside_its_tasks_is_its_own(ours: float, answer: Answer) -> None:
    hosts = [replace(host, ours_s=ours * host.busy_s) for host in machine(busy=1.0, idle=0.0)]
    use = NodeRecord(None, readings=readings(None, used_s=None, periods=None, hosts=hosts))
    assert judged(repeat(nodes={"simulated-1": use})).quiet.answer is answer
