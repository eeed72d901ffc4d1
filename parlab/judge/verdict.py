"""The verdict: four questions, each answered yes, no, undecided, or cannot be shown here, with its evidence.

    correct      each case gave the serial results, or its declared outcome
    held         the limits were in force and delivered
    quiet        the host had enough CPU (parlab/judge/noise.py)
    reproduced   the lab's expectations hold (parlab/judge/claims.py), or there are too few launches to tell

A run that is not held or not quiet is not a measurement: its claims are not judged, so noise never makes one fail. A
wrong result is wrong in any noise.
"""

import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from parlab.errors import (
    EXIT_CLAIM_FAILED,
    EXIT_CLOSED_PIPE,
    EXIT_NOT_A_MEASUREMENT,
    EXIT_WRONG,
    Interrupted,
    RunError,
)
from parlab.formatting import decimal, percent, plural
from parlab.host.places import COMMAND
from parlab.judge.noise import disturbances, disturbed, load, undelivered, used_s
from parlab.model.declaration import ClaimDeclared
from parlab.model.spec import PERIOD
from parlab.results.record import Answer, Claim, Finding, MeasuredCase, NodeRecord, Run, Verdict
from parlab.thresholds import AGAIN, BURN_TICK, BURN_WITHIN, LIMIT_EXACT, LIMIT_PERIODS, LIMIT_SLACK, LIMIT_SLACK_S

TAMPERED = (
    f"something else changes limits, or this engine ignores them. {COMMAND} status shows those that the engine has; "
    f"{COMMAND} down, then run again"
)
LAUNCH_AGAIN = f"launch again: --repeat {AGAIN}, or more, tells more of it"
BUSY = "the host did not have that much CPU to give: close other programs on it, and run again"


def judge(
    declared: Sequence[ClaimDeclared],
    cases: Sequence[MeasuredCase],
    environment: Mapping[str, Any],
    try_claims: Callable[[], tuple[Claim, ...]],
    *,
    broke_off: bool = False,
) -> Verdict:
    """Answer the four questions from the measurements.

    `try_claims` tries the claims on the cases, in the place where the lab's file may run (judge/claims.py). It is not
    called for a run that is no measurement, or that broke off.
    """
    if not cases:
        nothing = Finding(Answer.CANNOT, "no case was measured")
        return Verdict(nothing, nothing, nothing, nothing, _unjudged(declared, nothing.evidence))
    held, quiet = _held(cases, environment), _quiet(cases)
    why_not = "the run broke off" if broke_off else ""
    if Answer.NO in (held.answer, quiet.answer):
        why_not = "this is not a measurement"
    claims = _unjudged(declared, why_not) if why_not else try_claims()
    return Verdict(_correct(cases), held, quiet, _reproduced(claims, why_not), claims)


def exit_code(run: Run, *, check: bool) -> int:
    """The first code that applies; without `check`, only for a run that broke off or gave wrong results."""
    if run.failure is not None:
        return run.failure.exit_code
    if run.wrong:
        return EXIT_WRONG
    if not check:
        return 0
    if not run.verdict.is_measurement:
        return EXIT_NOT_A_MEASUREMENT
    codes = {Answer.NO: EXIT_CLAIM_FAILED, Answer.UNDECIDED: EXIT_NOT_A_MEASUREMENT}
    return codes.get(run.verdict.reproduced.answer, 0)


def worst(runs: Sequence[Run], *, check: bool) -> int:
    """The exit code of several runs together: the first that applies to any of them, in the order for one run."""
    codes = [exit_code(run, check=check) for run in runs]
    # Exit code 1 is for a wrong result, which comes before 3, and for a claim that does not hold, which comes after 3.
    wrong = [EXIT_WRONG for run in runs if run.failure is None and run.wrong]
    order = (Interrupted.exit_code, EXIT_CLOSED_PIPE, RunError.exit_code, *wrong, EXIT_NOT_A_MEASUREMENT)
    return next((code for code in order if code in codes), max(codes, default=0))


def _correct(cases: Sequence[MeasuredCase]) -> Finding:
    wrong = [f"{case.name}: {case.complaint}" for case in cases if case.complaint]
    if wrong:
        cure = "correct the case, or the serial solution that it is compared with"
        return Finding(Answer.NO, _first_of(wrong, "case"), "" if _tells_the_line(cases) else cure)
    launches = sum(len(case.repeats) for case in cases)
    return Finding(Answer.YES, f"{plural(launches, 'launch')} of {plural(len(cases), 'case')} came out as declared")


def _tells_the_line(cases: Sequence[MeasuredCase]) -> bool:
    """Whether the first complaint begins with the learner's own line: then it ends with the remedy."""
    first = next(case.complaint for case in cases if case.complaint)
    return re.match(r"\S+:[0-9]+ \(", first) is not None


def _held(cases: Sequence[MeasuredCase], environment: Mapping[str, Any]) -> Finding:
    uses = [
        (f"{case.name}: {node}", use)
        for case in cases
        for repeat in case.repeats
        for node, use in repeat.nodes.items()
        if use.wanted is not None
    ]
    if not uses:
        lifted = "the lab has its limits lifted" if "engine" in environment else "no kernel limits these nodes"
        return Finding(Answer.CANNOT, f"{lifted}: pacing alone holds a process to its virtual core")
    found = [f"{name}: {complaint}" for name, use in uses for complaint in _breaches(use, _allowed(use, environment))]
    if found:
        return Finding(Answer.NO, _first_of(found, "finding"), TAMPERED)
    if missing := [f"{name}: {short}" for name, use in uses if (short := _shortfall(use, _allowed(use, environment)))]:
        return Finding(Answer.NO, _first_of(missing, "burn"), BUSY)
    if uncounted := [name for name, use in uses if used_s(use.readings) is None]:
        return Finding(Answer.CANNOT, f"{uncounted[0]}: its kernel does not count what it uses")
    readings = sum(len(use.readings) + len(use.engine) for _, use in uses)
    burns = [use.burned / _allowed(use, environment) for _, use in uses if use.burned is not None]
    evidence = f"read {readings} times, each limit as asked for"
    if rounded := sum(_rounded_meanwhile(use, environment) for _, use in uses):
        evidence += f"; systemd has rounded {plural(rounded, 'limit')} up to a whole percent meanwhile"
    if burns:
        got = " to ".join(dict.fromkeys(f"{100 * burn:.0f}" for burn in (min(burns), max(burns))))
        evidence += f"; a burn without pacing got {got} % of a node's limit"
    return Finding(Answer.YES, evidence)


def _allowed(use: NodeRecord, environment: Mapping[str, Any]) -> float:
    """Host CPUs that the kernel must enforce.

    With the systemd driver, recent engines round up to whole percents (opencontainers/cgroups, for CPUQuotaPerSecUSec);
    with older engines systemd itself rounds up, once it is reloaded. So either value may be in force.
    """
    wanted = use.wanted or 0.0
    if environment.get("cgroup_driver") == "systemd":
        rounded = _rounded(wanted)
        if any(_is(reading.limit, rounded) for reading in use.readings):
            return rounded
    return wanted


def _rounded(wanted: float) -> float:
    return ceil(100 * wanted - LIMIT_EXACT) / 100


def _rounded_meanwhile(use: NodeRecord, environment: Mapping[str, Any]) -> bool:
    """Whether systemd has rounded the limit in mid-run: it does so at its next reload, for any unit or container."""
    limits = [reading.limit for reading in use.readings]
    allowed = _allowed(use, environment)
    return allowed != use.wanted and not all(_is(limit, allowed) for limit in limits)


def _breaches(use: NodeRecord, allowed: float) -> Iterator[str]:
    """Messages about a node's limit that was not in force."""
    wanted = use.wanted or 0.0
    for found in use.engine:
        if not _is(found, wanted):
            yield f"the engine says {_cpus(found)}, asked for was {_cpus(wanted)}"
    for reading in use.readings:
        if not (_is(reading.limit, allowed) or _is(reading.limit, wanted)):
            yield f"its cgroup says {_cpus(reading.limit)}, asked for was {_cpus(wanted)}"
    if use.burned is not None and use.burned > allowed + _burn_slack(allowed):
        yield f"a burn without pacing got {_cpus(use.burned)}, asked for was {_cpus(wanted)}"
    used = used_s(use.readings)
    if used is None:  # no proof either way; _held says so
        return
    first, last = use.readings[0], use.readings[-1]
    most = allowed * (last.at - first.at + LIMIT_PERIODS * PERIOD)
    if used > most * (1 + LIMIT_SLACK) + LIMIT_SLACK_S:
        yield f"it used {decimal(used)} CPU seconds where its limit allows {decimal(most)}"
    if used > allowed * PERIOD and last.periods == first.periods:
        yield f"it used {decimal(used)} CPU seconds, and its kernel counted no quota period"


def _shortfall(use: NodeRecord, allowed: float) -> str:
    """A message about a node's limit that was not delivered; '' if it was."""
    if use.burned is None or use.burned >= allowed - _burn_slack(allowed):
        return ""
    return f"a burn without pacing got no more than {_cpus(use.burned)} of {_cpus(use.wanted)}"


def _burn_slack(allowed: float) -> float:
    """Host CPUs by which a burn may differ from a limit that holds."""
    return max(BURN_WITHIN * allowed, BURN_TICK)


def _is(found: float | None, wanted: float) -> bool:
    return found is not None and abs(found - wanted) <= LIMIT_EXACT


def _cpus(value: float | None) -> str:
    return "no limit" if value is None else f"{decimal(value)} CPU"


def _quiet(cases: Sequence[MeasuredCase]) -> Finding:
    noise = [found for case in cases for found in disturbed(case)]
    if noise:
        return Finding(Answer.NO, _first_of([found.what for found in noise], "disturbance"), noise[0].cure)
    repeats = [(repeat, case.spec) for case in cases for repeat in case.repeats]
    loads = [found for repeat, _ in repeats if (found := load(repeat)) is not None]
    if not loads:
        return Finding(Answer.CANNOT, "the kernel does not say how busy this machine is")
    idle, others = (
        statistics.median(values) for values in zip(*((found.idle, found.others) for found in loads), strict=True)
    )
    lacking = [share for repeat, spec in repeats if (share := undelivered(repeat, spec)) is not None]
    delivered = f"; {percent(1 - statistics.median(lacking))} of the CPU owed was delivered" if lacking else ""
    spoiled = sum(any(disturbances(repeat, spec)) for repeat, spec in repeats)
    aside = f"; {plural(spoiled, 'launch')} disturbed, which moves no median" if spoiled else ""
    return Finding(
        Answer.YES, f"the host was {percent(idle, 0)} idle, others used {percent(others, 0)} of it{delivered}{aside}"
    )


def _unjudged(declared: Sequence[ClaimDeclared], why_not: str) -> tuple[Claim, ...]:
    return tuple(Claim(claim.name, Answer.CANNOT, why_not, claim.required) for claim in declared)


def _reproduced(claims: Sequence[Claim], why_not: str) -> Finding:
    if not claims:
        return Finding(Answer.NO_CLAIMS, "a function under @lab.expect would be one")
    if why_not:
        return Finding(Answer.CANNOT, f"no claim is judged: {why_not}")
    failed = [f"{claim.name}: {claim.why}" for claim in claims if claim.answer is Answer.NO]
    if failed:
        return Finding(Answer.NO, _first_of(failed, "claim"), "look where the time went")
    unshown = [f"{claim.name}: {claim.why}" for claim in claims if claim.answer is Answer.CANNOT]
    undecided = [f"{claim.name}: {claim.why}" for claim in claims if claim.answer is Answer.UNDECIDED]
    shown = f"{len(claims) - len(unshown) - len(undecided)} of {plural(len(claims), 'claim')} shown"
    if undecided:
        return Finding(Answer.UNDECIDED, f"{shown}; {_first_of(undecided, 'claim')}", LAUNCH_AGAIN)
    if not unshown:
        return Finding(Answer.YES, shown)
    answer = Answer.YES if len(unshown) < len(claims) else Answer.CANNOT
    return Finding(answer, f"{shown}; not to be shown here: {_first_of(unshown, 'claim')}")


def _first_of(found: Sequence[str], what: str) -> str:
    return found[0] if len(found) == 1 else f"{found[0]} (and {plural(len(found) - 1, f'more {what}')})"
