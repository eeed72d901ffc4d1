"""All failures, by exit code. Each message says what happened, where, and what to do next."""

EXIT_WRONG, EXIT_NOT_A_MEASUREMENT, EXIT_CLAIM_FAILED = 1, 3, 1  # of completed runs (parlab/judge/verdict.py)


class ParlabError(Exception):
    """A failure reported in words, without a traceback."""

    exit_code = 4


class UsageError(ParlabError):
    """Bad input, or a missing thing: nothing was started."""

    exit_code = 2


class RunError(ParlabError):
    """A launch crashed, hung, or lost a node. `details` is text too long for a screen: a traceback, or all stacks."""

    exit_code = 4

    def __init__(self, text: str, details: str = "") -> None:
        super().__init__(text)
        self.details = details


class LimitError(ParlabError):
    """A node's limit is not the requested one."""

    exit_code = EXIT_NOT_A_MEASUREMENT


class Interrupted(BaseException):
    """Ctrl-C, SIGTERM or a lost terminal; as with KeyboardInterrupt, handlers of failures must not catch it."""

    exit_code = 130


EXIT_INTERNAL = 70  # a fault in parlab itself; EX_SOFTWARE of sysexits.h
EXIT_CLOSED_PIPE = 141  # a shell's code for a program that SIGPIPE ended


class ChecksFailed(ParlabError):
    """A linter, type checker or test failed."""

    exit_code = 1
