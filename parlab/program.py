"""invoke's program with our own error messages, for `./invoke` and for `parlab`.

An unknown task or option, a superfluous word and a missing value are bad input: they raise UsageError, with one line
that suggests similar names. invoke itself would exit with 1, the code of a failed claim, and drop a task named twice.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from difflib import get_close_matches
from typing import NoReturn

from invoke import program
from invoke.collection import Collection
from invoke.completion.complete import print_completion_script
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext

from parlab.commands.jobs import OWN, WORDS
from parlab.commands.sites import EXPORT, names_a_program
from parlab.errors import UsageError
from parlab.host.places import COMMAND

# invoke's other options concern shell commands run by invoke. Our tasks run none: `--dry lab.mpi` would run the lab.
CORE = ("complete", "debug", "help", "list", "list-depth", "list-format", "print-completion-script", "version")
FORMATS = ("flat", "nested", "json")
LAB = "lab."  # prefix of a lab's task
UNKNOWN = re.compile(r"No idea what (['\"])(?P<word>.*)\1 is!", re.DOTALL)  # invoke's wording
WITHOUT_VALUE = re.compile(r"Flag <Argument: (?P<name>\S+?)[ >].* needed value")
NO_FOLDER = re.compile(r"Sub-collection '(?P<word>.*)' not found!", re.DOTALL)


class Program(program.Program):
    """Runs the tasks of a namespace, under the command name that the user types."""

    def __init__(self, version: str, namespace: Collection, groups: Callable[[], Mapping[str, Sequence[str]]]) -> None:
        names = [COMMAND] if COMMAND == "parlab" else [COMMAND, "invoke"]
        super().__init__(version, namespace, name="parlab", binary=COMMAND, binary_names=names)
        self._groups = groups  # the names of the tasks in the order of the menu, by heading

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Parse the command line and run its tasks. Raises UsageError before any task has started."""
        try:
            self.create_config()
            self.parse_core(argv)
            self.parse_collection()
            self.parse_tasks()
            self.parse_cleanup()
        except ParseError as error:
            raise UsageError(self._explain(str(error), error.context)) from error
        except Exit as end:  # after --list and similar options
            if end.message:
                raise UsageError(self._explain(end.message, None)) from end
            return
        self.update_config()
        self.execute()

    def core_args(self) -> list[Argument]:
        """Those of invoke's options that are useful here."""
        kept = [argument for argument in super().core_args() if argument.name in CORE]
        for argument in kept:
            if argument.name == "list-depth":
                argument.kind = _depth
            elif argument.name == "debug":
                argument.help = "Show the traceback of an internal error."
        return kept

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse invoke's own options, and handle those that need no task."""
        self.normalize_argv(argv)
        self.argv, self._words = self._cut(list(self.argv))
        self.argv = _with_help_first([self._spelled(word) for word in self.argv])
        self.parse_core_args()
        if self.args.version.value:
            self.print_version()
            raise Exit
        if shell := self.args["print-completion-script"].value:
            print_completion_script(shell=shell, names=self.binary_names)
            raise Exit

    def update_config(self, merge: bool = True) -> None:
        """Let a task that is named twice run twice."""
        self.config.load_overrides({"tasks": {"dedupe": False}, WORDS: self._words}, merge=merge)

    def parse_tasks(self) -> None:
        """Parse the tasks. Unlike invoke, refuse unknown options; invoke would take one for the name of a run."""
        super().parse_tasks()
        for context in self.tasks:
            if stray := _stray(context):
                raise UsageError(_no_option(stray, context))

    def parse_cleanup(self) -> None:
        """Check the list format, then do as invoke does; invoke alone would fail on an unknown format."""
        wanted = self.args["list-format"].value
        if wanted not in FORMATS:
            raise UsageError(f"--list-format takes {', '.join(FORMATS)}, not {wanted!r}")
        super().parse_cleanup()

    def no_tasks_given(self) -> NoReturn:
        """Show the menu, and fail: in a script, a variable for the task may be empty."""
        self.list_tasks()
        sys.stdout.flush()
        raise UsageError(f"Name a task, such as {COMMAND} labs. {COMMAND} --help TASK shows its options.")

    def list_flat(self) -> None:
        """Print the whole menu in groups; print a part of it as invoke does."""
        if self.list_root is not None or self.list_depth:
            super().list_flat()
            return
        texts = dict(self._make_pairs(self.scoped_collection))
        width = max(map(len, texts))
        for heading, names in self._groups().items():
            if rows := [(name.ljust(width), texts[name]) for name in names if name in texts]:
                print(heading)
                self.print_columns(rows)

    def task_list_opener(self, extra: str = "") -> str:
        """The heading of the menu."""
        return "Tasks" if self.list_root is None else f"Tasks of {self.list_root}"

    def _spelled(self, word: str) -> str:
        """The name of a task as its file is called: `lab.two_words` for `lab.two-words`, which is invoke's spelling."""
        name = word.replace("-", "_")
        return name if self.namespace is not None and name in self.namespace.task_names else word

    def _cut(self, argv: list[str]) -> tuple[list[str], list[str]]:
        """Split the command line into ours and the program's own words.

        The options of `run` end where PROGRAM begins, those of `exec` where the command does; so do those of `export`,
        unless it exports a chart.
        """
        at = next((at for at, word in enumerate(argv[1:], 1) if not word.startswith("-")), 0)
        if not at or argv[at] not in (*OWN, EXPORT):
            return argv, []
        assert self.namespace is not None
        name = argv[at]
        asked = copy(self.namespace[name])  # a copy: get_arguments removes the help texts
        asked.help = dict(asked.help)
        flags = ParserContext(name, args=asked.get_arguments()).flags
        at += 1
        while at < len(argv) and argv[at].startswith("-"):
            word = argv[at]
            if word in ("-m", "--module") and "--module" in flags:
                return [*argv[:at], "--module", *argv[at + 1 : at + 2]], argv[at + 2 :]
            if word == "--":
                return argv[:at], argv[at + 1 :]
            takes_value = word in flags and flags[word].takes_value
            at += 2 if takes_value else 1
        if name == EXPORT and not any(map(names_a_program, argv[at : at + 1])):
            return argv, []
        return argv[:at], argv[at:]

    def _explain(self, message: str, context: ParserContext | None) -> str:
        """Our message about a wrong command line, made from invoke's message."""
        if context is not None and (stray := _stray(context)):
            return _no_option(stray, context)
        if found := UNKNOWN.fullmatch(message):
            return self._unknown(found["word"], context)
        if found := NO_FOLDER.fullmatch(message):
            groups = self.collection.collections
            known = _or(near(found["word"], groups), f"There are {' and '.join(groups)}.")
            return f"No group of tasks {found['word']!r}{known}"
        if context is not None and (found := WITHOUT_VALUE.match(message)):
            argument = context.args.get(found["name"]) or self.initial_context.args[found["name"]]
            return f"--{found['name']} needs a value: {argument.help}"
        if context is not None and context.missing_positional_args:
            needed = [f"{str(one.name).upper()} ({one.help})" for one in context.missing_positional_args]
            return f"{context.name} needs {' and '.join(needed)}"
        return message[0].lower() + message[1:]

    def _unknown(self, word: str, context: ParserContext | None) -> str:
        task = None if context is None else context.name
        if context is not None and word.startswith("-"):
            return _no_option(word, context, self.initial_context)
        if context is not None and (option := self._option_before(word, context)) is not None:
            twice = context.flags[option].takes_value
            return f"{option} is given twice" if twice else f"{option} takes no value, found {word!r}"
        names = list(self.parser.contexts)
        if any(name.startswith(f"{word}.") for name in names):
            return f"{word} is a group of tasks. {COMMAND} --list {word} names them."
        if word.startswith(LAB):
            short = word.removeprefix(LAB)
            likely = near(short, [name for name in names if name.startswith(LAB)])
            return f"No lab {short}{_or(likely, f'{COMMAND} labs lists them.')}"
        known = _or(near(word, names), f"{COMMAND} --list names them all.")
        return f"{f'No task {word!r}' if task is None else f'{task} takes no {word!r}, and it is no task'}{known}"

    def _option_before(self, word: str, context: ParserContext) -> str | None:
        """The task's option before a word that is not one of the option's values; None if there is no such option."""
        words = [part for typed in self.argv for part in (typed.split("=", 1) if typed.startswith("-") else [typed])]
        before = words[words.index(word) - 1] if word in words else ""
        return before if before in context.flags else None


def _with_help_first(argv: list[str]) -> list[str]:
    """Turn `TASK --help` into `--help TASK`: for tasks such as `compare`, invoke takes `--help` for an argument."""
    asked = next((at for at, word in enumerate(argv) if word in ("--help", "-h")), 0)
    if asked < 2 or argv[1].startswith("-"):
        return argv
    return [argv[0], "--help", argv[1]]


def _depth(text: str) -> int:
    if not re.fullmatch("[0-9]{1,3}", text):
        raise UsageError(f"--list-depth takes a whole number, not {text!r}")
    return int(text)


def _stray(context: ParserContext) -> str | None:
    """The first option among the task's positional arguments; None if there is none."""
    words = (str(argument.value) for argument in context.positional_args if argument.value is not None)
    return next((word for word in words if word.startswith("-")), None)


def _no_option(word: str, context: ParserContext, *others: ParserContext) -> str:
    flags = {flag: None for one in (context, *others) for flag in one.flags if flag.startswith("--")}
    who = COMMAND if context.name is None else context.name
    told = f"{COMMAND} --help" if context.name is None else f"{COMMAND} {context.name} --help"
    return f"{who} has no option {word!r}{_or(near(word, flags), f'{told} lists them.')}"


def _or(likely: Iterable[str], otherwise: str) -> str:
    return f". Did you mean {' or '.join(likely)}?" if likely else f". {otherwise}"


def near(word: str, names: Iterable[str]) -> list[str]:
    """Names that the user may have meant, the likeliest first: `lab.lock` for `lock`, `lab.mpi` for `lab.mip`."""
    ends: dict[str, list[str]] = {}
    for name in names:
        ends.setdefault(name.rpartition(".")[2], []).append(name)
    word = word.lower()
    if word in ends:
        return ends[word]
    whole = get_close_matches(word, [name for group in ends.values() for name in group], cutoff=0.75)
    return whole or [name for end in get_close_matches(word, ends, cutoff=0.65) for name in ends[end]]
