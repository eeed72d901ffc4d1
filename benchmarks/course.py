"""The course: does the answer to any claim change between runs, and how far do the metrics spread?

    .venv/bin/python -m benchmarks.course [--repeat 10] [--lab reduce ...]

Runs every lab, or the named ones, with `--check`, repeatedly. The goal: exit code 0 each time, and the same answer to
each claim each time. Prints each lab's answers per claim. For each case it prints the minimum and the maximum of the
difference from its ideal, or, if it has none, of its measured time, and of its metrics. If interrupted, it prints
this for the runs so far.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

from parlab.commands.course import handouts
from parlab.formatting import number
from parlab.host.places import ROOT
from parlab.results.record import Answer, Run
from parlab.results.store import kept, read_json


def run_once(*words: str) -> tuple[int, float, Run | None]:
    """Run a lab, or a lab's file, by these words; return the exit code, the seconds, and the record, if there is one.

    It knows of no earlier run: its record is the only one in a folder of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "parlab", *words],
            cwd=ROOT,
            env=os.environ | {"PARLAB_RESULTS": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        took_s = time.monotonic() - began
        records = kept(Path(folder))
        if not records:
            print(done.stderr.rstrip(), flush=True)
        return done.returncode, took_s, read_json(records[0]) if records else None


def spread(values: list[float], unit: str = "", factor: float = 1.0) -> str:
    """The minimum and the maximum, as in `0.3 to 1.2 %`."""
    low, high = (number(factor * value) for value in (min(values), max(values)))
    return f"{low} to {high}{unit}"


def answers_to(runs: list[Run]) -> dict[str, Counter[str]]:
    """Counts of the answers to each claim, in the runs that are measurements."""
    measured = [run.verdict for run in runs if run.verdict.is_measurement]
    return {
        claim.name: Counter(verdict.claims[index].answer.value for verdict in measured)
        for index, claim in enumerate(runs[0].verdict.claims)
    }


def report(lab: str, runs: list[Run]) -> None:
    """Print the results of a lab's runs."""
    for claim, answers in answers_to(runs).items():
        counted = ", ".join(f"{answer} {count}" for answer, count in answers.items())
        print(f"  {lab}: {claim}: {counted}", flush=True)
    for index, case in enumerate(runs[0].cases):
        cases = [run.cases[index] for run in runs if run.verdict.is_measurement and len(run.cases) > index]
        timed = [one for one in cases if one.times]
        parts = [spread([one.off_by for one in timed], " % off", 100)] if timed and case.ideal_s else []
        parts += [spread([one.measured_s for one in timed], " s")] if timed and not case.ideal_s else []
        figures = defaultdict(list)
        for one in cases:
            for name, value in one.metrics.items():
                figures[name].append(value)
        parts += [f"{spread(values)} {name}" for name, values in figures.items()]
        print(f"    {case.name}: {'; '.join(parts)}", flush=True)


def main() -> None:
    """Run the labs in turn, so that each lab's runs are spread over the whole time; report at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--lab", nargs="*", default=[handout.name for handout in handouts()])
    options = parser.parse_args()
    runs: dict[str, list[Run]] = defaultdict(list)
    codes: dict[str, Counter[int]] = defaultdict(Counter)
    with suppress(KeyboardInterrupt):
        for turn in range(1, options.repeat + 1):
            taken = 0.0
            for lab in options.lab:
                code, took_s, run = run_once(f"lab.{lab}", "--check", "--quiet")
                codes[lab][code] += 1
                taken += took_s
                if run is not None:
                    runs[lab].append(run)
                if code:
                    findings = run.verdict.findings().values() if run else ()
                    noes = [found.evidence for found in findings if found.answer is Answer.NO]
                    print(f"  {turn}: lab.{lab} exit {code}: {'; '.join(noes)}", flush=True)
            print(f"turn {turn} of {options.repeat}: {taken:.0f} s", flush=True)
    for lab in runs:
        report(lab, runs[lab])
    for lab in options.lab:
        counted = ", ".join(f"exit {code} {count} of {codes[lab].total()}" for code, count in codes[lab].items())
        print(f"lab.{lab}: {counted}")
    answers = [answers for lab in runs for answers in answers_to(runs[lab]).values()]
    steady = all(len(given) <= 1 and Answer.NO.value not in given for given in answers)
    sys.exit(not steady or any(set(codes[lab]) != {0} for lab in options.lab))


if __name__ == "__main__":
    main()
