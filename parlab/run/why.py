"""Explains why a program hangs, or how it ended, from the observations of its ranks' supervisors."""

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence

from parlab.formatting import at_line, ending, percent, plural
from parlab.model.job_events import ANY, ELSEWHERE, NOBODY, Died, Ended, Frame, Looked, MpiCall, Seen

BUSY = 0.05  # host CPUs in the last second: a process that uses less is asleep
READY = 0.5  # of the time, runnable: such a process computes, however little CPU a node's limit leaves it
EXIT_LOST = 14  # of a rank that Open MPI ends because it has lost another rank
NOTICED_SECONDS = 0.5  # between the end of a rank and the end of one that has lost it, in either order
MOST_FRAMES = 8  # of a stack, the innermost
MOST_PAIRS = 8  # of waiting ranks and their peers, in the sentence
MOST_PIDS = 8  # of processes at the same line
HELPERS = ("resource_tracker",)  # in the commands of processes that are not workers
START = "multiprocessing/process.py", "_bootstrap"  # the first frame of a worker's stack
LOOPS = {  # functions in which a pool's worker waits for work
    "worker": ("multiprocessing/pool.py",),
    "_process_worker": ("concurrent/futures/process.py", "loky/process_executor.py"),
}
TO = ("Send", "Ssend", "Rsend", "Send of Sendrecv")  # calls to a peer; all other calls with a peer are from it
Where = Callable[[int], str]  # names the node of a rank


def explain(
    looked: Sequence[Looked], ended: Sequence[Ended], silent: Sequence[int], where: Where, gone: Sequence[int] = ()
) -> str:
    """A sentence about each rank, then one about its child processes; below them every process with its stacks."""
    return "\n".join([*in_short(looked, ended, silent, where, gone), *stacks(looked, where)])


def stacks(looked: Sequence[Looked], where: Where) -> Iterator[str]:
    """Every process of the ranks, with its stacks."""
    for one in sorted(looked, key=lambda one: one.rank):
        yield from _processes(one, where)


def own_line(looked: Sequence[Looked]) -> str:
    """The program's own line that is most likely to blame: computing before sleeping processes, workers before ranks.

    '' if no process is in a line of the program's own.
    """
    found = [
        (not _busy(seen), number == 0, one.rank, at_line(at.file, at.line, at.text))
        for one in looked
        for number, seen in enumerate(one.processes)
        for at in _since_its_start(_frames(seen))
        if at.own
    ]
    return min(found, default=(False, False, 0, ""), key=lambda place: place[:3])[-1]


def in_short(
    looked: Sequence[Looked], ended: Sequence[Ended], silent: Sequence[int], where: Where, gone: Sequence[int] = ()
) -> list[str]:
    """A sentence about each rank, then one about its child processes."""
    looked = sorted(looked, key=lambda one: one.rank)
    places: dict[tuple[str, str], list[Looked]] = {}
    finished = [one.rank for one in looked if one.goodbye and not (one.processes and _frames(one.processes[0]))]
    for one in looked:
        if one.rank in finished:
            continue
        call = _waits(one)
        places.setdefault((_place(one.processes), "" if call is None else call.name), []).append(one)
    parts = [
        f"{_ranks([one.rank for one in group], where)} {_waiting(group, place) if call else _doing(group, place)}"
        for (place, call), group in places.items()
    ]
    if finished:
        others = ", and MPI_Finalize waits for the others" if len(looked) + len(ended) + len(silent) > 1 else ""
        parts.append(f"{_ranks(finished, where)} {'is' if len(finished) == 1 else 'are'} through the program{others}")
    parts += [f"{named(end.rank, where)} has ended {how(end)}" for end in sorted(ended, key=lambda end: end.at)]
    parts += [f"{named(rank, where)} is gone" for rank in gone]
    parts += [f"{named(rank, where)} does not answer" for rank in silent]
    deaths = (line for one in looked for line in _deaths(one.died, named(one.rank, where), one.why))
    return [sentence for sentence in ("; ".join(parts), *_children(looked, where), *deaths) if sentence]


def how(end: Ended) -> str:
    """How a rank ended, and the reason if it is known."""
    told = _ending(end.code)
    if end.code == 0 and not end.goodbye:
        told += " in the middle of its work, without a word (os._exit?)"
    return f"{told}: {end.why}" if end.why else told


def first_to_fail(failed: Sequence[Ended]) -> Ended | None:
    """The rank that failed before all others.

    Open MPI ends a rank that has lost another one. The supervisor of the lost rank may notice its end later: the lost
    rank is still the first.
    """
    if not failed:
        return None
    first = min(failed, key=lambda end: end.at)
    before = [end for end in failed if end.code < 0 and end.at < first.at + NOTICED_SECONDS]
    return min(before, key=lambda end: end.at, default=first) if first.code == EXIT_LOST else first


def deaths(ended: Iterable[Ended], where: Where) -> list[str]:
    """A line for each child of a rank that was ended by a signal: its parent may not have reported that."""
    killed = ((end, [died for died in end.died if died.code < 0]) for end in ended)
    return [line for end, died in killed for line in _deaths(died, named(end.rank, where))]


def _deaths(died: Iterable[Died], whose: str, why: str = "") -> Iterator[str]:
    """A line for each group of a rank's failed children that ended in the same way."""
    by_code: dict[int, list[int]] = {}
    for one in died:
        by_code.setdefault(one.code, []).append(one.pid)
    for code, pids in by_code.items():
        reason = f": {why}" if why and code == -signal.SIGKILL else ""
        if len(pids) == 1:
            yield f"a child of {whose}, process {pids[0]}, ended {_ending(code)}{reason}"
        else:
            yield f"{len(pids)} children of {whose}, {_numbers(pids)}, ended {_ending(code)}{reason}"


def _numbers(pids: Sequence[int]) -> str:
    shown = ", ".join(map(str, pids[:MOST_PIDS]))
    return f"{'process' if len(pids) == 1 else 'processes'} {shown}{', ...' if len(pids) > MOST_PIDS else ''}"


def _ending(code: int) -> str:
    """The usual text, but with a signal's number before its name: users search for the number."""
    return ending(code) if code >= 0 else f"by signal {-code}, {ending(code).removeprefix('by ')}"


def _place(processes: Sequence[Seen]) -> str:
    """The place of a rank: the program's own line that its main thread is in."""
    return _line(processes[0], _frames(processes[0])) if processes else "no process any more"


def _frames(seen: Seen) -> Sequence[Frame]:
    """The stack of a process's main thread."""
    return seen.stacks[0].frames if seen.stacks else ()


def _line(seen: Seen, frames: Sequence[Frame]) -> str:
    at = next((frame for frame in frames if frame.own), frames[0] if frames else None)
    if at is None:
        return f"{seen.command}, which shows no Python stack"
    return at_line(at.file, at.line, at.text)


def _children(looked: Sequence[Looked], where: Where) -> Iterator[str]:
    """The activities of the ranks' child processes, one line for all processes at the same place."""
    places: dict[tuple[str, bool], list[tuple[int, Seen]]] = {}
    for one in looked:
        for seen in one.processes[1:]:
            if not any(helper in seen.command for helper in HELPERS):
                frames = _since_its_start(_frames(seen))
                places.setdefault((_line(seen, _at_work(frames)), _busy(seen)), []).append((one.rank, seen))
    for (place, _), group in places.items():
        ranks = list(dict.fromkeys(rank for rank, _ in group))
        pids = [seen.pid for _, seen in group]
        who = f"{len(pids)} children of {_ranks(ranks, where)}" if pids[1:] else f"a child of {_ranks(ranks, where)}"
        yield f"{who}, {_numbers(pids)}, {_state([seen for _, seen in group])} in {place}"


def _since_its_start(frames: Sequence[Frame]) -> Sequence[Frame]:
    """A forked process's own frames: without its parent's frames, which are below them."""
    file, function = START
    begins = (number for number, at in enumerate(frames) if at.function == function and at.file.endswith(file))
    return frames[: next(begins, len(frames))]


def _at_work(frames: Sequence[Frame]) -> Sequence[Frame]:
    """For a pool's worker without work from the program: the frames from the line on where it waits for work."""
    if any(frame.own for frame in frames):
        return frames
    loops = (number for number, at in enumerate(frames) if at.file.endswith(LOOPS.get(at.function, ("\0",))))
    return frames[next(loops, 0) :]


def _waits(one: Looked) -> MpiCall | None:
    """The MPI call in which the rank's main thread waits, if it is known."""
    return one.processes[0].stacks[0].waits if one.processes and one.processes[0].stacks else None


def _waiting(group: Sequence[Looked], place: str) -> str:
    """The call in which ranks wait, their peers, and how long all of them have waited."""
    calls = {one.rank: call for one in group if (call := _waits(one)) is not None}
    first = next(iter(calls.values()))
    if len({(call.peer, call.tag) for call in calls.values()}) == 1:
        whom = _whom(first)
    else:
        way = _way(first)
        waits = {rank: call.peer for rank, call in calls.items() if call.peer != NOBODY}
        pairs = [f"{rank} {way} {_peer(peer).removeprefix('rank ')}" for rank, peer in waits.items()]
        whom = f" ({', '.join(pairs[:MOST_PAIRS])}{', ...' if len(pairs) > MOST_PAIRS else ''})"
    seconds = min(call.seconds for call in calls.values())
    return f"{'waits' if len(calls) == 1 else 'wait'} in {first.name}{whom} at {place} for {seconds:.1f} s"


def _way(call: MpiCall) -> str:
    return "to" if call.name in TO else "from"


def _whom(call: MpiCall) -> str:
    """The peer of a waiting call, as text: ' from rank 0, tag 5,'; for a collective, its root."""
    if call.peer == NOBODY:
        return ""
    if call.tag == NOBODY:
        return f" with root {_peer(call.peer).removeprefix('rank ')}"
    return f" {_way(call)} {_peer(call.peer)}, {'any tag' if call.tag == ANY else f'tag {call.tag}'},"


def _peer(rank: int) -> str:
    return {ANY: "any rank", ELSEWHERE: "a rank of another MPI_COMM_WORLD"}.get(rank, f"rank {rank}")


def _doing(group: Sequence[Looked], place: str) -> str:
    """Whether ranks at one place sleep or use CPU: a rank that waits in MPI may do either."""
    return f"{_state([one.processes[0] for one in group if one.processes], len(group))} in {place}"


def _busy(seen: Seen) -> bool:
    """Whether a process computes, or would compute with more CPU."""
    return seen.cpu >= BUSY or seen.cpu + seen.held_back >= READY


def _state(group: Sequence[Seen], count: int = 0) -> str:
    verb = "is" if (count or len(group)) == 1 else "are"
    if not any(map(_busy, group)):
        return f"{verb} asleep"
    used = [seen.cpu for seen in group]
    low, high = (percent(share, 0) for share in (min(used), max(used)))
    return f"{verb} busy ({low if low == high else f'{low} to {high}'} of a host core)"


def _ranks(ranks: Sequence[int], where: Where) -> str:
    if len(ranks) == 1:
        return named(ranks[0], where)
    in_row = ranks[-1] - ranks[0] == len(ranks) - 1
    return f"rank {ranks[0]} to rank {ranks[-1]}" if in_row else ", ".join(f"rank {rank}" for rank in ranks)


def _of_interest(frames: Sequence[Frame]) -> Sequence[Frame]:
    """The frames without those of the program's starter, i.e. those outside the program's outermost own frame."""
    own = [number for number, frame in enumerate(frames) if frame.own]
    return frames[: own[-1] + 1] if own else frames


def named(rank: int, where: Where) -> str:
    """A rank and its node, as text."""
    return f"rank {rank}" + (f" on {node}" if (node := where(rank)) else "")


def _processes(looked: Looked, where: Where) -> Iterator[str]:
    for seen in looked.processes:
        state = "runs" if _busy(seen) else "sleeps"
        yield f"{named(looked.rank, where)}, process {seen.pid}, {state}, {seen.cpu:.2f} CPU: {seen.command}"
        for number, stack in enumerate(seen.stacks):
            if number and stack.waits is None and not any(frame.own for frame in stack.frames):
                continue  # a library's thread
            if number:
                yield "    another thread:"
            if stack.waits is not None:
                yield f"    in MPI_{stack.waits.name}{_whom(stack.waits)} for {stack.waits.seconds:.1f} s"
            frames = _of_interest(_since_its_start(stack.frames) or stack.frames)
            for frame in frames[:MOST_FRAMES]:
                yield f"    {_in_words(frame)}"
            if len(frames) > MOST_FRAMES:
                yield f"    and {plural(len(frames) - MOST_FRAMES, 'frame')} further out"


def _in_words(frame: Frame) -> str:
    return f"{frame.file}:{frame.line} in {frame.function}" + (f": {frame.text}" if frame.text else "")
