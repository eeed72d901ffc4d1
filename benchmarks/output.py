"""Output: the cost of 80 000 printed lines for a run; it may at most double the run's time.

    .venv/bin/python -m benchmarks.output [--repeat 3] [--lines 80000]

The same lab, silent and printing, in turn, on the cluster: eight tasks of one unit on two workers, from command to
exit.
"""

import argparse
import statistics
import sys

from benchmarks.startup import seconds
from parlab.host.places import LABS, ROOT

LAB = '''"""{name}: eight tasks that print {lines} lines together"""
from multiprocessing import Pool
from parlab.lab import Lab, burn
lab = Lab(unit=0.2, cores=2)
def work(number):
    for line in range({lines} // 8):
        print(f"line {{line}} of task {{number}}, and some words to fill it up")
    burn(1)
    return number
@lab.serial
def one_after_another(task=work):
    return [task(number) for number in range(8)]
@lab.case(workers=2)
def pool(task=work, *, workers):
    with Pool(workers) as processes:
        return processes.map(task, range(8), chunksize=1)
if __name__ == "__main__":
    lab.main()
'''
MOST = 2.0


def main() -> None:
    """Time both in turn and print the ratio of the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--lines", type=int, default=80_000)
    options = parser.parse_args()
    labs = {"silent": LABS / "zz_silent.py", "loud": LABS / "zz_loud.py"}
    commands = {name: [str(ROOT / "invoke"), f"lab.{path.stem}", "--quiet"] for name, path in labs.items()}
    times: dict[str, list[float]] = {name: [] for name in labs}
    try:
        for name, path in labs.items():
            path.write_text(LAB.format(name=path.stem, lines=options.lines if name == "loud" else 0))
        seconds(commands["silent"])  # the cluster is up
        for _ in range(options.repeat):
            for name in labs:
                times[name].append(seconds(commands[name]))
    finally:
        for path in labs.values():
            path.unlink(missing_ok=True)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["loud"] / medians["silent"]
    print(f"silent {medians['silent']:.2f} s, {options.lines} lines {medians['loud']:.2f} s: {ratio:.2f} times as long")
    sys.exit(ratio > MOST)


if __name__ == "__main__":
    main()
