"""One run of a user's own program: its folder on the nodes, its ranks under limits, its output, its end.

The limits come on when every rank has booted; with MPI, when every rank has finished MPI_Init. The program's exit code
is that of the rank that failed first, not those of the ranks that failed because of it. Every wait has a deadline.
"""

import json
import secrets
import time
from contextlib import suppress

from parlab.backend.base import Backend
from parlab.backend.engine import FAILURES, describe
from parlab.backend.session import Session
from parlab.errors import EXIT_CLOSED_PIPE, RunError
from parlab.formatting import seconds, size
from parlab.host.background import Turn
from parlab.host.questions import Questions
from parlab.host.signals import undisturbed
from parlab.model.case import PYTHON
from parlab.model.job_events import Ended, Looked
from parlab.model.messages import END, LOOK, START, STOP, Hello, Launch, Ready
from parlab.run import streams
from parlab.run.asked import EXIT_OURS, EXIT_TIMEOUT, Ask, Outcome
from parlab.run.job_talk import JobTalk
from parlab.run.limits import Limits
from parlab.run.mpiexec import OPEN_MPI, mpiexec, scale
from parlab.run.observer import Observer
from parlab.run.tasks import join
from parlab.run.why import deaths, explain, first_to_fail, how, named
from parlab.run.window import Window

HELLO_SECONDS, HELLO_SECONDS_A_NODE = 20.0, 1.0
READY_SECONDS = 10.0  # in a program that starts MPI later, ranks go on without waiting for the others
MUCH_FREE_SECONDS = 2.0  # to import mpi4py; without limits
OTHERS_SECONDS = 1.0  # for further failures after the first one: several ranks may have a traceback
LOOK_SECONDS = 4.0
LIMITS_SECONDS = 2.0  # to read the limits once more, past the deadline
STOP_SECONDS = 5.0
END_SECONDS = 3.0
LOOK_UP_SECONDS = 0.5  # between checks whether anybody still reads the output
READER_SECONDS = 120.0  # for a reader of our output to take some of it, once the program has ended


def run_job(ask: Ask, backend: Backend, observer: Observer, questions: Questions, turn: Turn) -> Outcome:
    """Run a program. The changes in its folder are brought back, whether it fails or not. Raises ParlabError."""
    with backend.hold(f"run {ask.job.name}", observer.say, turn.seconds), backend.ready(observer.say, ask.equipment):
        session = backend.session()
        try:
            session.await_launcher(observer.say, turn.seconds)
            turn.come()
            backend.start(ask.spec, observer.say)
            return _in_session(ask, backend, session, observer, questions)
        finally:
            with undisturbed(), suppress(*FAILURES):
                session.close()


def _in_session(ask: Ask, backend: Backend, session: Session, observer: Observer, questions: Questions) -> Outcome:
    clean = False
    try:
        backend.set_limits(ask.spec, None)
        if ask.memory is not None:
            backend.set_memory(ask.spec, ask.memory)
        folder = backend.share(ask.folder, observer.say)
        try:
            outcome = _Run(ask, backend, session, observer, folder, questions).outcome()
            clean = True
        finally:
            with undisturbed():
                if not clean:  # the first error must be the one that is reported
                    with suppress(*FAILURES):
                        backend.stop()
                    with suppress(*FAILURES):
                        backend.set_limits(ask.spec, None)
                lost = _bring_back(ask, backend)
                if not clean:
                    for line in lost:
                        observer.say(line)
                elif lost:
                    outcome.lose(lost)
    finally:
        with undisturbed(), suppress(*FAILURES):
            backend.set_limits(ask.spec, ask.spec.node_cpus)
        with undisturbed(), suppress(*FAILURES):
            if ask.memory is not None:
                backend.set_memory(ask.spec, None)
    return outcome


def _bring_back(ask: Ask, backend: Backend) -> list[str]:
    """Bring back the folder's new files; return messages about those that could not be brought back, and why."""
    try:
        return backend.bring_back(ask.out)
    except FAILURES as error:
        return [describe(error)]


class _Run:
    """The run itself: its steps, in order."""

    def __init__(
        self, ask: Ask, backend: Backend, session: Session, observer: Observer, folder: str, questions: Questions
    ) -> None:
        self._ask, self._backend, self._folder, self._questions = ask, backend, folder, questions
        self._talk = JobTalk(backend, session, ask.spec, ask.job.case, observer)
        self._limits = Limits(backend, ask.spec, self._talk, self._talk.collected, on=ask.limits)
        self._output = streams.Output(self._tag if ask.tag else None, alone=self._talk.ranks == 1)
        self._talk.output = self._output
        self._born = time.monotonic()  # the time when its Pythons have started
        self._window = Window(self._widest_tag() if ask.tag else 0)

    def outcome(self) -> Outcome:
        """Start the program, follow it to its end, and return its outcome."""
        began, well = time.monotonic(), False
        try:
            self._start()
            started = time.monotonic()
            self._output.until = started + self._ask.seconds
            outcome = self._to_the_end(self._output.until)
            well = outcome.code == 0
        except BaseException:
            with undisturbed(), suppress(*FAILURES):  # while supervisors live, they know all processes to end
                self._stop()
            raise
        finally:
            self._output.finish(READER_SECONDS, restore=not well)
        if self._output.failure and not self._output.lost:
            outcome.lose([self._output.failure])
        if self._output.lost:
            outcome.lose([f"{size(self._output.lost)} of output are lost: nobody has read them"])
        outcome.ended = sorted(self._talk.ended.values(), key=lambda end: end.rank)
        outcome.startup_s, outcome.wall_s = self._born - began, time.monotonic() - self._born
        if outcome.ended:
            outcome.wall_s = max(end.at for end in outcome.ended) - min(end.began for end in outcome.ended)
        if self._ask.limits and (free_s := started - self._born) > MUCH_FREE_SECONDS:
            late = "some rank imported mpi4py late, or not at all"
            outcome.said.append(f"there were no limits in its first {seconds(free_s)}: {late}")
        outcome.limits, outcome.nodes = self._limits, self._talk.collected.node_of
        if self._ask.trace:
            outcome.tasks = join(self._talk.logs, outcome.nodes)
        for end in outcome.ended:
            if end.left and not end.stopped:
                left = ", ".join(sorted(set(end.left)))
                outcome.said.append(f"{named(end.rank, self._talk.node)} left {left} running; it was ended")
        return outcome

    def _start(self) -> None:
        ask, talk, case = self._ask, self._talk, self._ask.job.case
        placement = self._backend.placement(ask.spec.nodes)
        own = {
            "PARLAB_FOLDER": json.dumps(self._folder),  # its name may not be UTF-8, which messages must be
            "PARLAB_RUN": secrets.token_hex(8),
            "PARLAB_ENV": json.dumps({**self._window.variables, **ask.job.env}),  # mpiexec must keep its own PATH
            **self._window.told,
        }
        if self._waits():
            own["PARLAB_WAITS"] = "1"
        if ask.trace:
            own["PARLAB_TRACE"] = "1"
        env = {**OPEN_MPI, **scale(ask.spec, case), **placement.env, **own}
        when = PYTHON if ask.job.launch == PYTHON else "mpi4py.MPI"
        rank = ("-m", "parlab.node.supervisor", when, *ask.job.command)
        talk.send(Launch(mpiexec(placement, ask.spec, case, (*env, "PARLAB_CONTROL"), rank), env))
        talk.gather(Hello, talk.ranks, HELLO_SECONDS + HELLO_SECONDS_A_NODE * ask.spec.nodes, "starting the ranks")
        self._born = time.monotonic()
        talk.listen()
        talk.gather_or_go_on(Ready, talk.ranks, READY_SECONDS)
        self._limits.put_on(burn=False)
        talk.say(START)

    def _waits(self) -> bool:
        """Whether ranks that wait in MPI yield the CPU to others (docker/waiting.c): all of them, or none."""
        held = any(node.limit is not None for node in self._backend.nodes(self._ask.spec))
        return held and self._ask.limits and not self._ask.spin and self._ask.job.launch != PYTHON

    def _to_the_end(self, until: float) -> Outcome:
        """Wait until all ranks have ended, one has failed, the deadline is over, or nobody reads any more."""
        talk = self._talk
        while len(talk.ended) < talk.ranks and not self._failed() and not self._output.closed:
            event = talk.next_event(min(until, time.monotonic() + LOOK_UP_SECONDS))
            if time.monotonic() >= until and len(talk.ended) < talk.ranks:
                return self._out_of_time()
            if (reply := self._questions.next()) is not None:
                reply(self._look())
            if (word := self._window.resized()) is not None:
                talk.say(word)
            if event is None and talk.exit is not None:
                talk.await_ends(STOP_SECONDS)
                if len(talk.ended) < talk.ranks and not self._failed():
                    raise talk.failed(
                        f"{talk.starter} ended with exit code {talk.exit}, not all ranks have told of theirs"
                    )
        if self._output.closed:
            self._stop()
            self._finish()
            if self._output.failure:
                return Outcome(EXIT_OURS, "parlab's")
            return Outcome(EXIT_CLOSED_PIPE, "parlab's: the reader of its output has gone")
        if self._failed():
            talk.await_ends(OTHERS_SECONDS)
        first = first_to_fail(self._failed())
        self._stop()
        self._finish()
        return Outcome(0, "the program's") if first is None else self._failure(first)

    def _failed(self) -> list[Ended]:
        """The ranks that failed by themselves. A rank that ended without a goodbye has failed, unless all ended."""
        all_over = len(self._talk.ended) == self._talk.ranks
        ended = [end for end in self._talk.ended.values() if not end.stopped]
        return [end for end in ended if end.code != 0 or (not end.goodbye and not all_over)]

    def _failure(self, first: Ended) -> Outcome:
        code = 128 - first.code if first.code < 0 else first.code or 1
        said = deaths(self._talk.ended.values(), self._talk.node)
        others = [end for end in self._failed() if end.rank != first.rank]
        said += [f"{named(end.rank, self._talk.node)} ended after it {how(end)}" for end in others]
        return Outcome(code, f"the program's: {named(first.rank, self._talk.node)} ended {how(first)}", said)

    def _out_of_time(self) -> Outcome:
        with suppress(RunError, *FAILURES):
            self._limits.end(LIMITS_SECONDS)  # processes that wait for CPU must answer, too
        said = self._look()
        self._stop()
        self._finish()
        why = f"parlab's: it had not ended after {self._ask.seconds:g} s, and was ended"
        return Outcome(EXIT_TIMEOUT, why, said.splitlines())

    def _look(self) -> str:
        """A description of the current activities of all ranks."""
        talk = self._talk
        living = [rank for rank in range(talk.ranks) if rank not in talk.ended]
        talk.forget(Looked)  # late answers to an earlier question
        talk.say(LOOK)
        looked = talk.gather_or_go_on(Looked, len(living), LOOK_SECONDS)
        answered = {one.rank for one in looked}
        silent = [rank for rank in living if rank not in answered and rank not in talk.ended]
        return explain(looked, list(talk.ended.values()), silent, talk.node)

    def _stop(self) -> None:
        """End the ranks that still run."""
        if len(self._talk.ended) < self._talk.ranks:
            self._talk.say(STOP)
            self._talk.await_ends(STOP_SECONDS)

    def _finish(self) -> None:
        """Read the limits once more, and let mpiexec end; processes that do not end are ended with the session."""
        talk = self._talk
        with suppress(RunError, *FAILURES):
            self._limits.end()
        talk.say(END)
        until = time.monotonic() + END_SECONDS
        while talk.exit is None and talk.next_event(until) is not None:
            pass
        if talk.exit is None or len(talk.ended) < talk.ranks:
            with suppress(*FAILURES):
                self._backend.stop()

    def _widest_tag(self) -> int:
        names = (node.name for node in self._backend.nodes(self._ask.spec))
        return len(f"[{max(names, key=len)}:{self._talk.ranks - 1}] ")

    def _tag(self, rank: int) -> bytes:
        return f"[{self._talk.node(rank) or 'spawned'}:{rank}] ".encode() if rank >= 0 else b"[spawned] "
