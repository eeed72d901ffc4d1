"""Runs a command on another node over ssh, or directly on this one."""

import asyncio
import os
import shlex
from collections.abc import Mapping, Sequence


async def run_on(node: str | None, argv: Sequence[str], seconds: float, env: Mapping[str, str]) -> tuple[bytes, str]:
    """Run a command on a node (None: this one). Returns its standard output and an error text, '' if it exited with 0.

    After `seconds` it is killed. Over ssh only the ssh client is killed: the command needs its own deadline.
    """
    if node is None:
        words = list(argv)
    else:
        words = ["ssh", node, shlex.join(["env", *(f"{name}={value}" for name, value in env.items()), *argv])]
    process = await asyncio.create_subprocess_exec(
        *words,
        env=os.environ | env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, said = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        return b"", f"no answer{'' if node is None else ' over ssh'} in {seconds:g} s"
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode == 0:
        return output, ""
    return output, (output + said).decode(errors="replace").strip() or f"exit code {process.returncode}"
