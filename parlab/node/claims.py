"""Tries a lab's claims: `python -m parlab.node.claims LAB.py`, with the measurements on standard input.

The file runs as it did when its declarations were read. Each case has again the settings that the lab wrote, including
functions and arrays.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from parlab.judge.claims import Question, Tried, try_claims
from parlab.judge.uncertainty import Known
from parlab.lab import Lab
from parlab.model.messages import from_line, to_line
from parlab.node.ask import watch
from parlab.node.declare import private_output, read_lab
from parlab.results.record import MeasuredCase


def in_full(tried: Tried, lab: Lab) -> MeasuredCase:
    """The measured case with the settings that the lab wrote, and the overrides."""
    return replace(tried.measured, settings=lab.cases[tried.number].settings | tried.overrides)


def main() -> None:
    """Answer with the claims, each with its result."""
    question: Question = from_line(sys.stdin.buffer.read(), Question)
    answer = private_output()
    watch()
    lab = read_lab(Path(sys.argv[1]))
    cases = [in_full(tried, lab) for tried in question.cases]
    known = Known(dict(question.spreads))
    answer.write(to_line(try_claims(lab, cases, known, overridden=question.overridden)))
    answer.close()
    sys.stdout.flush()
    os._exit(0)  # as in parlab/node/declare.py


if __name__ == "__main__":
    main()
