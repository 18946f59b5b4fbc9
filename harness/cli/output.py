"""Writing results to standard output, whoever reads it."""

from __future__ import annotations

import contextlib
import os
import sys

import click


def write_result(text: str) -> None:
    """Write ``text`` to standard output; a reader that has gone (``| head``) is no error."""
    try:
        click.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nothing more can be read: what is left in the buffer must not fail again at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def say(text: str) -> None:
    """One line on standard error, which may be closed or full: that must not cost a result."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def open_standard_streams() -> None:
    """Give closed descriptors 0 to 2 a place to go, so that files opened later do not take them."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
