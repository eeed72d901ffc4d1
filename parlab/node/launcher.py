"""Starts ranks with mpiexec, relays between them and the host, and leaves none behind.

It runs on the head (embedded: on this machine) for the length of one invocation. The host writes commands to its
standard input and reads events from its standard output (model/messages.py). It passes on messages of ranks and reads
only their kind. Standard input ends when the host is done, was interrupted or died: then everything that the launcher
started is ended.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from parlab.model.event import Event
from parlab.model.messages import (
    CLOCK,
    FEED,
    AllLooked,
    AnyCommand,
    Ask,
    ClocksRead,
    ClockTold,
    CompareClocks,
    Exit,
    Feed,
    Join,
    Launch,
    Listening,
    Look,
    Output,
    Probe,
    Probed,
    Say,
    from_line,
    is_clock,
    to_line,
)
from parlab.node.ask import ask
from parlab.node.elsewhere import run_on
from parlab.node.kernel import boot_id
from parlab.node.processes import end_processes

LOOPBACK = "127.0.0.1"
GRACE_SECONDS = 2
PROBE_SECONDS = 8
LOOK_SECONDS = 12.0  # on a node of 1/64 core the look itself takes several seconds
EXCHANGES = 16  # of times, with one rank: the quickest exchange counts
OUTPUT_BYTES = 64 * 1024  # of mpiexec's output, in one message
LINE_LIMIT = 64 * 1024 * 1024  # bytes; one message may hold all the spans of half a second


@dataclass
class Rank:
    """A rank that has a connection: its number, and its pid if it is on this node."""

    number: int
    pid: int | None = None


class Launcher:
    """One mpiexec at a time, and the control connections of its ranks."""

    def __init__(self, host: str) -> None:
        self.host = host  # the name under which ranks reach this process
        self._token = secrets.token_hex(16)
        self._ranks: dict[asyncio.StreamWriter, Rank] = {}
        self._times: asyncio.Queue[float] = asyncio.Queue()
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._scratch: str | None = None
        self._run = b""

    def tell(self, event: Event) -> None:
        """Send the host an event."""
        self._pass_on(to_line(event))

    def _pass_on(self, line: bytes) -> None:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    async def serve(self) -> None:
        """Obey commands until standard input ends; then end everything that is left."""
        listen = LOOPBACK if self.host == LOOPBACK else None
        server = await asyncio.start_server(self._hear_rank, listen, 0, limit=LINE_LIMIT, family=socket.AF_INET)
        self._port = server.sockets[0].getsockname()[1]
        commands = asyncio.StreamReader(limit=LINE_LIMIT)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        self.tell(Listening(boot_id()))
        aside: set[asyncio.Task[None]] = set()  # slow commands: a hang-up must not wait for them
        try:
            while line := await commands.readline():
                match command := from_line(line, AnyCommand):
                    case Launch(argv, env):
                        await self.launch(argv, env)
                    case Say(word):
                        self.say(word)
                    case Feed(data):
                        self.feed(data)
                    case Probe(nodes, argv):
                        aside.add(asyncio.create_task(self.probe(nodes, argv)))
                    case Ask():
                        aside.add(asyncio.create_task(self.answer(command)))
                    case Look(hosts, argv, env):
                        aside.add(asyncio.create_task(self.look(hosts, argv, env)))
                    case CompareClocks(ranks):
                        aside.add(asyncio.create_task(self.clocks(ranks)))
        finally:
            for task in aside:
                task.cancel()
            await asyncio.gather(*aside, return_exceptions=True)
            await self.end()

    async def launch(self, argv: list[str], env: dict[str, str]) -> None:
        """Start mpiexec; the event `exit` follows when it ends."""
        await self.end()
        self._run = env.get("PARLAB_RUN", "").encode()
        env = env | self._scratch_env() | {"PARLAB_CONTROL": f"{self.host}:{self._port}:{self._token}"}
        self._process = await asyncio.create_subprocess_exec(
            *argv,
            env=self._inherited() | env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # the host handles a Ctrl-C at the terminal
            limit=LINE_LIMIT,
        )
        self._watch = asyncio.create_task(self._watch_process(self._process))

    def _inherited(self) -> dict[str, str]:
        """This process's environment. The user's own machine must not be taken for a node: nodes are swept."""
        own = () if self.host != LOOPBACK else ("PARLAB_OWN_NODE",)
        return {name: value for name, value in os.environ.items() if name not in own}

    def _scratch_env(self) -> dict[str, str]:
        """On the user's own machine, a folder for leftovers of killed ranks: session files, shared memory.

        A node is swept instead (parlab/backend/cluster.py, stop): its ranks share no folder with the head's.
        """
        if self.host != LOOPBACK:
            return {}
        self._scratch = tempfile.mkdtemp(prefix="parlab-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        return {"TMPDIR": self._scratch, "OMPI_MCA_btl_sm_backing_directory": self._scratch}

    def _remove_scratch(self) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def _watch_process(self, process: asyncio.subprocess.Process) -> None:
        async def relay(stream: asyncio.StreamReader | None, name: str) -> None:
            assert stream is not None
            rest = b""
            while piece := await stream.read(OUTPUT_BYTES):  # all that has come by now: one message for many lines
                lines, _, rest = (rest + piece).rpartition(b"\n")
                if len(rest) >= OUTPUT_BYTES:  # a line without an end
                    lines, rest = lines + b"\n" * bool(lines) + rest, b""
                if lines:
                    self.tell(Output(name, lines.decode(errors="replace")))
            if rest:
                self.tell(Output(name, rest.decode(errors="replace")))

        await asyncio.gather(relay(process.stdout, "stdout"), relay(process.stderr, "stderr"))
        self.tell(Exit(await process.wait()))

    async def _hear_rank(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ValueError):  # a peer that does not speak like a rank is not one
            join: Join = from_line(await reader.readline(), Join)
            if not secrets.compare_digest(join.token.encode(), self._token.encode()):
                raise ValueError("not a rank of this launch")
            self._ranks[writer] = Rank(join.rank, join.pid if join.host == socket.gethostname() else None)
            while line := await reader.readline():
                if is_clock(line):
                    self._times.put_nowait(from_line(line, ClockTold).at)
                else:
                    self._pass_on(line)
        self._ranks.pop(writer, None)
        writer.close()

    def say(self, word: str) -> None:
        """Pass a word on to every rank."""
        for writer in self._ranks:
            writer.write(word.encode() + b"\n")

    def feed(self, data: bytes) -> None:
        """Pass standard input on to rank 0; the host limits the amount that rank 0 has not taken yet."""
        for writer, rank in self._ranks.items():
            if rank.number == 0:
                writer.write(f"{FEED} ".encode() + b64encode(data) + b"\n")

    async def clocks(self, ranks: list[int]) -> None:
        """Ask ranks for their time, one after another; the host computes offsets from it (parlab/model/clocks.py)."""
        exchanges: dict[int, list[tuple[float, float, float]]] = {}
        for writer, rank in list(self._ranks.items()):
            if rank.number in ranks:
                found = exchanges[rank.number] = []
                for _ in range(EXCHANGES):
                    sent = time.monotonic()
                    writer.write(f"{CLOCK}\n".encode())
                    at = await self._times.get()
                    found.append((sent, at, time.monotonic()))
        self.tell(ClocksRead(exchanges))

    async def answer(self, question: Ask) -> None:
        """Answer a question about a lab's file, while no launch runs."""
        self.tell(await ask(question))

    async def probe(self, nodes: list[str], argv: list[str]) -> None:
        """Try a command on every node at once; report each node's error, '' if there was none."""

        async def complaint(node: str) -> str:
            return (await run_on(node, argv, PROBE_SECONDS, {}))[1]

        complaints = await asyncio.gather(*map(complaint, nodes))
        self.tell(Probed(dict(zip(nodes, complaints, strict=True))))

    async def look(self, hosts: list[str], argv: list[str], env: dict[str, str]) -> None:
        """Have every host of the launch looked at; reports about its ranks there are passed on unread."""
        env = env | {"PARLAB_RUN": self._run.decode()}

        async def complaint(host: str) -> str:
            here = host == self.host or self.host == LOOPBACK
            told, wrong = await run_on(None if here else host, argv, LOOK_SECONDS, env)
            self._pass_on(told if not wrong else b"")
            return wrong

        complaints = await asyncio.gather(*map(complaint, hosts))
        self.tell(AllLooked(dict(zip(hosts, complaints, strict=True))))

    async def end(self) -> None:
        """End mpiexec and with it its ranks: by SIGTERM, then by SIGKILL; at last this node's ranks one by one."""
        process, self._process = self._process, None
        if process is None:
            self._remove_scratch()  # mpiexec could not be started
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.returncode is None:
                process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), GRACE_SECONDS)
        for writer, rank in self._ranks.items():  # a rank that has ended has hung up, and is not listed
            if rank.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank.pid, signal.SIGKILL)
            writer.close()
        self._ranks.clear()
        end_processes(lambda launch: launch == self._run)  # processes that a killed rank has started: a pool's workers
        self._remove_scratch()
        if self._watch is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._watch, GRACE_SECONDS)


def main() -> None:
    """Serve one host. Arguments: the name under which ranks reach this process; a folder to remove at the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(Launcher(sys.argv[1]).serve())
    finally:
        for folder in sys.argv[2:]:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
