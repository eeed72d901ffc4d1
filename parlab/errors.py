"""What can go wrong, by exit code. Each message says what happened, where, and what to do next."""

EXIT_WRONG, EXIT_NOT_A_MEASUREMENT, EXIT_CLAIM_FAILED = 1, 3, 1  # of runs that went through (parlab/judge/verdict.py)


class ParlabError(Exception):
    """A failure that is told in words, without a traceback."""

    exit_code = 4


class UsageError(ParlabError):
    """Bad input, or a thing that is not there: nothing was started."""

    exit_code = 2


class RunError(ParlabError):
    """A launch crashed, hung, or lost a node. `details` are too long for a screen: a traceback, or all stacks."""

    exit_code = 4

    def __init__(self, text: str, details: str = "") -> None:
        super().__init__(text)
        self.details = details


class LimitError(ParlabError):
    """A node's limit is not the one that was asked for."""

    exit_code = EXIT_NOT_A_MEASUREMENT


class Interrupted(BaseException):
    """Ctrl-C, SIGTERM or a lost terminal; like KeyboardInterrupt, nothing that handles failures may catch it."""

    exit_code = 130


EXIT_INTERNAL = 70  # a fault of parlab's own; EX_SOFTWARE of sysexits.h
EXIT_CLOSED_PIPE = 141  # as a shell tells of a program that SIGPIPE ended


class ChecksFailed(ParlabError):
    """A linter, type checker or test said no."""

    exit_code = 1
