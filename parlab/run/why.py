"""Why a program hangs, or of what it ended: in words, from what the supervisors of its ranks have seen."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from parlab.formatting import ending, percent, plural
from parlab.model.job_events import ANY, ELSEWHERE, NOBODY, Died, Ended, Frame, Looked, MpiCall, Seen

BUSY = 0.05  # host CPUs in the last second: less is asleep
EXIT_LOST = 14  # of a rank that Open MPI ends, since it has lost another one
NOTICED_SECONDS = 0.5  # between the end of a rank, and of one that has lost it, in either order
MOST_FRAMES = 8  # of a stack, the innermost
MOST_PAIRS = 8  # of ranks and whom they wait for, in the sentence
TO = ("Send", "Ssend", "Rsend", "Send of Sendrecv")  # and from, in all other calls with a peer
Where = Callable[[int], str]  # names the node of a rank


def explain(looked: Sequence[Looked], ended: Sequence[Ended], silent: Sequence[int], where: Where) -> str:
    """What each rank is at, in a sentence; below it every process with its stacks."""
    looked = sorted(looked, key=lambda one: one.rank)
    places: dict[tuple[str, str], list[Looked]] = {}
    for one in looked:
        call = _waits(one)
        places.setdefault((_place(one.processes), "" if call is None else call.name), []).append(one)
    parts = [
        f"{_ranks([one.rank for one in group], where)} {_waiting(group, place) if call else _doing(group, place)}"
        for (place, call), group in places.items()
    ]
    parts += [f"{named(end.rank, where)} has ended {how(end)}" for end in sorted(ended, key=lambda end: end.at)]
    parts += [f"{named(rank, where)} does not answer" for rank in silent]
    deaths = (_death(died, f"of {named(one.rank, where)}") for one in looked for died in one.died)
    lines = [sentence for sentence in ("; ".join(parts), *deaths) if sentence]
    for one in looked:
        lines += _processes(one, where)
    return "\n".join(lines)


def how(end: Ended) -> str:
    """How a rank ended, and why, as far as is known."""
    told = _ending(end.code)
    if end.code == 0 and not end.goodbye:
        told += " in the middle of its work, without a word (os._exit?)"
    return f"{told}: {end.why}" if end.why else told


def first_to_fail(failed: Sequence[Ended]) -> Ended | None:
    """The rank that failed before all others.

    Open MPI ends a rank that has lost another one, and the supervisor of the lost one may be the later of the two to
    notice: then it is that one.
    """
    if not failed:
        return None
    first = min(failed, key=lambda end: end.at)
    before = [end for end in failed if end.code < 0 and end.at < first.at + NOTICED_SECONDS]
    return min(before, key=lambda end: end.at, default=first) if first.code == EXIT_LOST else first


def deaths(ended: Iterable[Ended], where: Where) -> list[str]:
    """A line for each child of a rank that a signal ended: whoever waits for it may not have said so."""
    return [_death(died, f"of {named(end.rank, where)}") for end in ended for died in end.died if died.code < 0]


def _death(died: Died, whose: str) -> str:
    return f"a child {whose}, process {died.pid}, ended {_ending(died.code)}"


def _ending(code: int) -> str:
    """As everywhere, with a signal's number before its name: that is what users search for."""
    return ending(code) if code >= 0 else f"by signal {-code}, {ending(code).removeprefix('by ')}"


def _place(processes: Sequence[Seen]) -> str:
    """Where a rank is: the line of the program's own that its main thread is in."""
    if not processes:
        return "no process any more"
    frames = processes[0].stacks[0].frames if processes[0].stacks else []
    own = next((frame for frame in frames if frame.own), frames[0] if frames else None)
    if own is None:
        return f"{processes[0].command}, which shows no Python stack"
    return f"{own.file}:{own.line}" + (f" ({own.text})" if own.text else "")


def _waits(one: Looked) -> MpiCall | None:
    """What the rank's main thread waits for in MPI, where that is known."""
    return one.processes[0].stacks[0].waits if one.processes and one.processes[0].stacks else None


def _waiting(group: Sequence[Looked], place: str) -> str:
    """In which call ranks wait, for whom, and for how long all of them have."""
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
    """For whom a call waits, in words: ' from rank 0, tag 5,'; of a collective, its root."""
    if call.peer == NOBODY:
        return ""
    if call.tag == NOBODY:
        return f" with root {_peer(call.peer).removeprefix('rank ')}"
    return f" {_way(call)} {_peer(call.peer)}, {'any tag' if call.tag == ANY else f'tag {call.tag}'},"


def _peer(rank: int) -> str:
    return {ANY: "any rank", ELSEWHERE: "a rank of another MPI_COMM_WORLD"}.get(rank, f"rank {rank}")


def _doing(group: Sequence[Looked], place: str) -> str:
    """Whether ranks at one place sleep or use CPU: who waits in MPI may do either."""
    used = sorted(one.processes[0].cpu for one in group if one.processes)
    verb = "is" if len(group) == 1 else "are"
    if not used or used[-1] < BUSY:
        return f"{verb} asleep in {place}"
    low, high = (percent(share, 0) for share in (used[0], used[-1]))
    return f"{verb} busy ({low if low == high else f'{low} to {high}'} of a host core) in {place}"


def _ranks(ranks: Sequence[int], where: Where) -> str:
    if len(ranks) == 1:
        return named(ranks[0], where)
    in_row = ranks[-1] - ranks[0] == len(ranks) - 1
    return f"rank {ranks[0]} to rank {ranks[-1]}" if in_row else ", ".join(f"rank {rank}" for rank in ranks)


def _of_interest(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Without the frames of whoever started the program: those outside of its outermost own."""
    own = [number for number, frame in enumerate(frames) if frame.own]
    return frames[: own[-1] + 1] if own else frames


def named(rank: int, where: Where) -> str:
    """A rank and its node, in words."""
    return f"rank {rank}" + (f" on {node}" if (node := where(rank)) else "")


def _processes(looked: Looked, where: Where) -> Iterator[str]:
    for seen in looked.processes:
        state = "runs" if seen.cpu >= BUSY else "sleeps"
        yield f"{named(looked.rank, where)}, process {seen.pid}, {state}, {seen.cpu:.2f} CPU: {seen.command}"
        for number, stack in enumerate(seen.stacks):
            if number and stack.waits is None and not any(frame.own for frame in stack.frames):
                continue  # a thread of a library's
            if number:
                yield "    another thread:"
            if stack.waits is not None:
                yield f"    in MPI_{stack.waits.name}{_whom(stack.waits)} for {stack.waits.seconds:.1f} s"
            frames = _of_interest(stack.frames)
            for frame in frames[:MOST_FRAMES]:
                yield f"    {_in_words(frame)}"
            if len(frames) > MOST_FRAMES:
                yield f"    and {plural(len(frames) - MOST_FRAMES, 'frame')} further out"


def _in_words(frame: Frame) -> str:
    return f"{frame.file}:{frame.line} in {frame.function}" + (f": {frame.text}" if frame.text else "")
