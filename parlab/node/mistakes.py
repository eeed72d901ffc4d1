"""Mistakes without a Python error: found in the source code of a case and its task, once something is wrong."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from parlab.lab import Declared, Lab
from parlab.model.job_events import Frame
from parlab.node.traces import defined_at, definition, line_at

SCOPES = (  # each has names of its own
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
CHANGES = ("append", "add", "extend", "insert", "update", "setdefault", "pop", "remove", "clear", "discard")


class MistakeError(Exception):
    """A mistake, as text: its line, if known, and the remedy."""

    def __init__(self, said: str, line: Frame | None, advice: str = "") -> None:
        super().__init__(said)
        self.said, self.lines, self.advice = said, [] if line is None else [line], advice


def no_task(declared: Declared, *, began: bool) -> MistakeError:
    """No task of a case has left a span: the case called another function instead, or did not wait for its tasks.

    `began` is whether a task may have been handed on.
    """
    name = declared.case.name
    file = getattr(getattr(declared.function, "__code__", None), "co_filename", "")
    instead = getattr(task_of(declared), "__name__", "")
    written = definition(declared.function)
    body = [node for statement in written.body for node in ast.walk(statement)] if written is not None else []
    used = {node.id: node.lineno for node in reversed(body) if isinstance(node, ast.Name)}
    if began and "task" in used:
        said = f"{name} ended before a task of it came back"
        return MistakeError(said, line_at(file, used["task"]), "Wait for the results: get(), result() or join()")
    if instead in used:
        cure = f"Hand `task` to map, not `{instead}`"
        return MistakeError(_never(name), line_at(file, used[instead]), cure)
    return MistakeError(_never(name), defined_at(declared.function), "Hand `task` to the workers, or call it")


def _never(case: str) -> str:
    return f"{case} never called its parameter `task`"


def is_nothing(result: Any) -> bool:
    """Whether a result is None, or a non-empty list or tuple of nothing but None."""
    return result is None or (isinstance(result, list | tuple) and bool(result) and all(one is None for one in result))


def suspect(declared: Declared, lab: Lab, result: Any, serial: Any, *, elsewhere: bool) -> tuple[Frame | None, str]:
    """The line that may cause a wrong result, and the remedy; (None, '') if no line is suspicious.

    `elsewhere` is whether processes other than the case's own ran the tasks.
    """
    task = task_of(declared)
    if is_nothing(result) or is_nothing(serial):
        both = is_nothing(result) and is_nothing(serial)  # they have the task in common
        one = task if both else declared.function if is_nothing(result) else lab.serial_solution
        return defined_at(one), "Is a `return` missing?"
    if elsewhere and (found := next(_changed_globals(task), None)):
        line, name = found
        return line, f"Each process has a `{name}` of its own, and the tasks changed theirs: return the value instead"
    return None, ""


def task_of(declared: Declared) -> Any:
    """The plain function that a case's tasks call."""
    return inspect.signature(declared.function).parameters["task"].default


def _changed_globals(task: Any) -> Iterator[tuple[Frame, str]]:
    """The lines where a function changes module-level variables, and their names, in the order of the lines."""
    written = definition(task)
    if written is None:
        return
    file, own = task.__code__.co_filename, {*task.__code__.co_varnames, *task.__code__.co_freevars}
    for node in sorted(_own_nodes(written), key=lambda node: getattr(node, "lineno", 0)):
        name = _changed(node)
        if name in task.__globals__ and name not in own and _is_plain(task.__globals__[name]):
            yield line_at(file, node.lineno), name  # type: ignore[attr-defined]


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The pieces of a function's own code: names within functions and comprehensions inside it are theirs."""
    left: list[ast.AST] = list(function.body)
    for node in left:  # which grows meanwhile
        yield node
        left += [] if isinstance(node, SCOPES) else ast.iter_child_nodes(node)


def _is_plain(value: Any) -> bool:
    """Whether each process has its own copy of a value: no module, and nothing that processes share."""
    return type(value).__module__ in ("builtins", "collections") and not inspect.ismodule(value)


def _changed(node: ast.AST) -> str:
    """The name that a piece of code assigns, or whose value it changes; '' if it does neither."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            return name
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in CHANGES:
            return name
    return ""
