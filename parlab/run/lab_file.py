"""Questions to a lab's file. It runs in a node or, without an engine, in its own process; never in this one."""

import linecache
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from parlab.backend.base import Placement
from parlab.backend.session import Session
from parlab.errors import RunError, UsageError
from parlab.formatting import at_line, ending
from parlab.judge.claims import Question, Tried
from parlab.judge.uncertainty import Known
from parlab.model.advice import BOOTSTRAPPING, GUARD, sentences
from parlab.model.case import cores_per_task
from parlab.model.declaration import Declaration
from parlab.model.messages import Answered, Ask, Read, from_line, to_line
from parlab.node.traces import last_in
from parlab.results.record import Answer, Claim, MeasuredCase
from parlab.run.mpiexec import OPEN_MPI
from parlab.run.plan import Chosen, Plan
from parlab.run.request import Request

READ_SECONDS = 60.0  # to run a file up to lab.main(): its imports, and its code at module level
JUDGE_SECONDS = 120.0
MOST_CHARACTERS = 30_000_000  # of a question: some 80 000 spans; a message may have twice that
ANSWER_SECONDS = 15.0  # more, for the answer to arrive
LAST_LINES = 8


@dataclass(frozen=True)
class LabFile:
    """A lab's file in the folder that a session has made for the run: read once; later questions find it unchanged."""

    session: Session
    placement: Placement
    name: str  # of the file

    def declaration(self, request: Request) -> Declaration:
        """Its declaration for this request. Raises UsageError for a file that is no lab, in one line with the place."""
        told = {
            "PARLAB_SPEED": None if request.speed is None else str(float(request.speed)),
            "PARLAB_UNIT": None if request.unit is None else str(request.unit),
            "PARLAB_CORES": None if request.cores is None else str(request.cores),
        }
        env = {name: value for name, value in told.items() if value is not None}
        text = self.ask("parlab.node.declare", env, "", READ_SECONDS, "did not get to lab.main()")
        read = self._decode(text, Read)
        if read.declaration is None:
            raise UsageError(read.refusal)
        declaration: Declaration = read.declaration
        return declaration

    def claims(self, plan: Plan, measured: Sequence[tuple[Chosen, MeasuredCase]], known: Known) -> tuple[Claim, ...]:
        """The results of its claims. If the file cannot be asked any more, none of its claims holds."""
        cases = [Tried(chosen.number, chosen.overrides, case) for chosen, case in measured]
        question = to_line(Question(cases, list(known.spreads.items()), plan.overridden)).decode()
        if len(question) > MOST_CHARACTERS:
            why = "the run has too many spans to be sent to where claims are tried"
            return tuple(Claim(claim.name, Answer.CANNOT, why, claim.required) for claim in plan.lab.claims)
        spec, seed = plan.largest, str(plan.lab.seed)
        env = {
            "PARLAB_SEED": seed,
            "PYTHONHASHSEED": seed,
            **spec.environment(),
            **cores_per_task([chosen.case for chosen in plan.cases], spec.cores),
        }
        try:
            text = self.ask("parlab.node.claims", env, question, JUDGE_SECONDS, "did not judge its claims")
        except UsageError as error:  # the measurements must not be lost because of it
            return tuple(Claim(claim.name, Answer.NO, str(error), claim.required) for claim in plan.lab.claims)
        claims: tuple[Claim, ...] = self._decode(text, tuple[Claim, ...])
        return claims

    def ask(self, module: str, env: Mapping[str, str], text: str, seconds: float, otherwise: str) -> str:
        """A program's answer about the file; the program is a module of this package.

        Raises UsageError if the file prevents the answer: `otherwise` then says what the file did. Raises RunError if
        the launcher is gone.
        """
        argv = [self.placement.python, "-m", module, f"{self.session.labs}/{self.name}"]
        alone = {"OMPI_MCA_btl": "self"}  # an MPI of one process shares no memory, so none is left behind
        run = {"PARLAB_RUN": f"asks-{secrets.token_hex(8)}"}
        self.session.send(Ask(argv, {**OPEN_MPI, **alone, **self.placement.env, **env, **run}, text, seconds))
        answer = self._answer(seconds)
        if answer.code == 0 and answer.text:
            return answer.text
        how = f"in {seconds:g} s" if answer.code is None else f"and ended {ending(answer.code)}"
        said = "\n".join(answer.said)
        at = next((at for at in last_in(answer.stack or said) if Path(at.file).name == self.name), None)
        cure = GUARD if re.search(BOOTSTRAPPING, said) else ""
        if at is not None and (cure or answer.code is None):
            source = linecache.getline(at.file, at.line).strip()
            told = sentences(f"it {otherwise} {how}", cure).removesuffix(".")
            raise UsageError(f"{at_line(self.name, at.line, source)}: {told}")
        last = "".join(f"\n  {line}" for line in answer.said[-LAST_LINES:])
        raise UsageError(f"{self.name} {otherwise} {how}{':' if last else ''}{last}")

    def _answer(self, seconds: float) -> Answered:
        until = time.monotonic() + seconds + ANSWER_SECONDS
        try:
            while not isinstance(event := self.session.next_event(until), Answered):
                pass
        except (TimeoutError, EOFError):
            raise RunError(f"{self.name}: the launcher on the head has gone, or gives no answer") from None
        return event

    def _decode(self, text: str, kind: Any) -> Any:
        try:
            return from_line(text, kind)
        except msgspec.MsgspecError as error:
            raise RunError(f"{self.name}: its answer cannot be read: {error}") from error
