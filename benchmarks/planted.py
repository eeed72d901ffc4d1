"""A planted slow-down: does a claim about time fail at twice its tolerance, and hold at half of it?

    .venv/bin/python -m benchmarks.planted [--repeat 10]

Writes a lab whose tasks compute longer than its claim allows for, and runs it on the cluster. At twice the tolerance
every run must say no, with one launch as with five; at half of it, every run of five launches must say yes. Each run
knows of no earlier one. Prints how often each answer came; the exit code is 1 if one is not as it must be.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.course import run_once

TOLERANCE = 0.05
PLANTED = [(2.0, 1, "no"), (2.0, 5, "no"), (0.5, 5, "yes")]  # in tolerances; launches; the answer it must have

LAB = '''"""planted: tasks that compute longer than they should"""

from multiprocessing import get_context

from parlab.lab import Lab, approx, burn

lab = Lab(unit=0.5, nodes=[1], cores=2, speed=1 / 8)


def work(number):
    burn({units})
    return number


@lab.serial
def one_after_another(task=work):
    return [task(number) for number in range(8)]


@lab.case(workers=2, repeat={launches})
def pool(task=work, *, workers):
    with get_context("fork").Pool(workers) as processes:
        return processes.map(task, range(8), chunksize=1)


@lab.expect
def eight_tasks_on_two_cores_take_four_units(cases):
    case = cases.find(pool)
    assert case.units == approx(4, rel={tolerance}), f"{{case.units:.3f}} units"


if __name__ == "__main__":
    lab.main()
'''


def answer(lab: Path) -> tuple[str, str]:
    """Run the lab; return the answer to its claim, and the evidence for it."""
    code, _, run = run_once(str(lab))
    if run is None:
        sys.exit(code or 1)
    (claim,) = run.verdict.claims
    return claim.answer.value, claim.why


def main() -> None:
    """Run each slow-down in turn, so that each is spread over the whole time; report at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=10)
    repeat = parser.parse_args().repeat
    found: list[Counter[str]] = [Counter() for _ in PLANTED]
    with tempfile.TemporaryDirectory() as folder:
        lab = Path(folder, "planted.py")
        for turn in range(1, repeat + 1):
            for (factor, launches, must_be), answers in zip(PLANTED, found, strict=True):
                text = LAB.format(units=1 + factor * TOLERANCE, tolerance=TOLERANCE, launches=launches)
                lab.write_text(text)
                given, why = answer(lab)
                answers[given] += 1
                if given != must_be:
                    print(f"  {turn}: {factor:g} tolerances, {launches} launches: {given}: {why}", flush=True)
    for (factor, launches, must_be), answers in zip(PLANTED, found, strict=True):
        counted = ", ".join(f"{given} {count}" for given, count in answers.items())
        print(f"{factor:g} tolerances, {launches} launches: {counted} (it must be {must_be})")
    sys.exit(any(set(answers) != {must_be} for (*_, must_be), answers in zip(PLANTED, found, strict=True)))


if __name__ == "__main__":
    main()
