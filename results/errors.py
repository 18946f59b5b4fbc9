"""Every error chipmark raises on purpose, and every exit code it returns.

The tree (indentation is inheritance)::

    ChipmarkError                exit 1   something went wrong that is not the user's input
        UsageError               exit 2   what was asked for cannot be done as asked
            UnknownNameError     exit 2   a name no registry knows; carries close matches
            SuiteError           exit 2   a suite file is wrong; carries file and key path
            RunFolderError       exit 2   a run folder is missing, foreign, locked or damaged
            BaselineError        exit 2   a baseline store or entry is missing, foreign or damaged
            OutputError          exit 2   the output folder cannot be written
            PriceError           exit 2   a price table or an instance name is wrong
            DeviceTableError     exit 2   the device table is wrong
            BundleError          exit 2   a bundle is missing, of another format, damaged or altered
            BackendUnavailable   exit 2   a backend cannot work here; carries an install hint

A message says what is wrong, where, and what to do. The command line prints it on one
line without a traceback (``--debug`` shows it).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable


class ExitCode(enum.IntEnum):
    """The exit codes of the ``chipmark`` command, defined here and nowhere else."""

    DONE = 0  # every case ended ok or unsupported; compare: same or faster
    CASE_FAILED = 1  # some case failed, timed out, was killed, ran out of memory, is invalid; a count differs
    USAGE = 2  # bad input or usage
    SLOWER = 3  # compare: slower than the baseline
    INCONCLUSIVE = 4  # compare: nobody could know
    NOT_COMPARABLE = 5  # compare: a comparability key differs
    INTERRUPTED = 130  # Ctrl-C or SIGTERM


class ChipmarkError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command returns."""

    exit_code: ExitCode = ExitCode.CASE_FAILED


class UsageError(ChipmarkError):
    """What the user asked for cannot be done as asked."""

    exit_code = ExitCode.USAGE


class UnknownNameError(UsageError):
    """A name that no registry knows.

    Args:
        kind: what was looked up, for example ``"workload"``.
        name: what the user wrote.
        known: the names that exist.
        where: where the name was read (a file and key, an option), if known.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        place = f"{where}: " if where else ""
        super().__init__(f"{place}unknown {kind} {name!r}{did_you_mean(name, self.known)}")


class SuiteError(UsageError):
    """A suite file is wrong; the message starts with ``file: key path:``."""


class RunFolderError(UsageError):
    """A run folder is missing, is not a run, is locked, or is damaged past reading."""


class BaselineError(UsageError):
    """A baseline store, or an entry of one, is missing, is foreign, is damaged or would be overwritten."""


class OutputError(UsageError):
    """The output folder cannot be created or written."""


class PriceError(UsageError):
    """A price table is wrong or holds no row for what was asked."""


class DeviceTableError(UsageError):
    """The table of devices and their peaks is missing or wrong."""


class BundleError(UsageError):
    """A bundle is missing, of another format, damaged or altered."""


class BackendUnavailable(UsageError):
    """A backend cannot work on this machine.

    Args:
        reason: why, in one line.
        install_hint: the command or setting that would change it, or ``""``.
    """

    def __init__(self, reason: str, install_hint: str = "") -> None:
        self.reason, self.install_hint = reason, install_hint
        super().__init__(f"{reason}; {install_hint}" if install_hint else reason)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The tail of a message about an unknown name: close matches, or what exists."""
    import difflib  # only on the error path

    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(repr(c) for c in close)}?"
    if not names:
        return "; none are available"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; choose from: {shown}"
