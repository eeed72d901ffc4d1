"""The packages that a program requires: from `--requirements FILE`, or from its own metadata (PEP 723).

Every reader raises UsageError, which names the file and the error in it.
"""

import platform
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from parlab.backend.packages import Packages
from parlab.errors import UsageError

NODE_PYTHON = "3.13"  # of the nodes' image: docker/Dockerfile
FIRST = "requirements.txt"  # docker/packages.Dockerfile installs this one
INCLUDES = re.compile(r"\s*(-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(\S+)\s*")
LOCAL = re.compile(r"\s*(-e\b|--editable\b|(\S+\s*@\s*)?(\.{0,2}/|file:)|(?!\S*://)\S+\.(whl|zip|tar\.gz)\s*$)")
Read = Callable[[Path, str], str]
START, END = "# /// script", "# ///"


def read_packages(requirements: str | None, program: Path | None) -> Packages | None:
    """The packages of both sources together; None if neither requires any."""
    found = _files(Path(requirements)) if requirements is not None else {}
    own = _own(program) if program is not None else []
    if not found and not own:
        return None
    source = " and ".join(filter(None, (requirements, str(program) if own else "")))
    first = found.pop(FIRST, "")
    return Packages(source, ((FIRST, "\n".join((*own, first))), *sorted(found.items())))


def _files(path: Path) -> dict[str, str]:
    """A requirements file and the files that it includes, each under a new name; the first is FIRST."""
    names: dict[Path, str] = {}
    texts: dict[str, str] = {}

    def read(path: Path, option: str) -> str:
        path = path.resolve()
        if path not in names:
            name = names[path] = FIRST if not names else f"{len(names)}.txt"
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{option}: {path} cannot be read: {error}") from error
            texts[name] = "".join(_line(line, path, read) for line in text.splitlines(keepends=True))
        return names[path]

    read(path, "--requirements")
    return texts


def _line(line: str, path: Path, read: Read) -> str:
    """A line of a requirements file, as written for the image."""
    if found := INCLUDES.match(line):
        if "://" in found[2]:
            return line
        return f"{found[1]} {read(path.parent / found[2], f'--requirements: {path.name}')}\n"
    _see_that_it_is_not_local(line, f"--requirements: {path.name}")
    return line


def _see_that_it_is_not_local(wanted: str, where: str) -> None:
    if LOCAL.match(wanted):
        raise UsageError(
            f"{where} asks for {wanted.strip()!r}: nodes are made without this machine's files. What lies in the "
            "program's folder can be imported as it is"
        )


def _metadata(program: Path) -> dict[str, Any]:
    """The content of a program's block of metadata; {} without a block."""
    try:
        text = program.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # Python will report the error
        return {}
    blocks = list(_blocks(text))
    if len(blocks) > 1:
        raise UsageError(f"{program} has {len(blocks)} blocks `{START}`: one may hold its metadata")
    try:
        return tomllib.loads(blocks[0]) if blocks else {}
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{program}: its metadata (`{START}`) is no TOML: {error}") from None


def _own(program: Path) -> list[str]:
    """The dependencies in a program's own metadata; [] without any."""
    wanted = _metadata(program).get("dependencies", [])
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        raise UsageError(f"{program}: `dependencies` of its metadata are a list of strings, not {wanted!r}")
    for one in wanted:
        try:
            Requirement(one)
        except InvalidRequirement as error:
            raise UsageError(f"{program}: {one!r} of its metadata is no requirement: {error}".splitlines()[0]) from None
        _see_that_it_is_not_local(one, str(program))
    return wanted


def see_to_python(program: Path, *, embedded: bool) -> None:
    """Check that a program's metadata allows the Python that will run it."""
    asked = _metadata(program).get("requires-python", "")
    there = platform.python_version() if embedded else NODE_PYTHON
    try:
        fits = SpecifierSet(str(asked)).contains(there if embedded else f"{there}.99", prereleases=True)  # the newest
    except InvalidSpecifier:
        raise UsageError(f"{program}: requires-python of its metadata is no version specifier: {asked!r}") from None
    if not fits:
        where = "this" if embedded else "the nodes'"
        raise UsageError(f"{program} requires Python {asked}; {where} Python is {there}")


def _blocks(text: str) -> Iterator[str]:
    """The TOML of each block of metadata: comment lines from START to the last END among them."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.rstrip() != START:
            continue
        inside: list[str] = []
        end = None
        for line in lines:
            if line != "#" and not line.startswith("# "):
                break
            if line.rstrip() == END:
                end = len(inside)
            inside.append(line)
        if end is not None:
            yield "\n".join(line[2:] for line in inside[:end])
