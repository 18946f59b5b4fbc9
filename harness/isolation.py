"""What a worker process does to itself before it touches a device."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def isolate(log_path: str) -> None:
    """Own process group, own log, dies with its parent, first choice of the OOM killer."""
    if hasattr(os, "setsid"):
        with contextlib.suppress(OSError):
            os.setsid()  # one kill ends the worker and whatever it started; Ctrl-C stays the parent's
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _redirect_output(log_path)
    faulthandler.enable()
    if sys.platform == "linux":
        _release_fork_server()
        # The parent of a forked worker is the fork server, which ends when chipmark does, even by SIGKILL.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _release_fork_server() -> None:
    """Close the worker's copy of the descriptor whose closing tells the fork server to end.

    A worker is given one so that it could fork through the server itself. Kept, it would keep the
    server alive, and with it a worker that hangs, after chipmark was killed.
    """
    server = getattr(forkserver, "_forkserver", None)
    alive = getattr(server, "_forkserver_alive_fd", None)
    if server is not None and alive is not None:
        with contextlib.suppress(OSError):
            os.close(alive)
        server._forkserver_alive_fd = None


def _redirect_output(log_path: str) -> None:
    """Send fd 1 and 2 to the log: tables and JSON on the terminal stay clean."""
    sys.stdout.flush()
    sys.stderr.flush()
    target = os.open(log_path or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)


@contextlib.contextmanager
def output_to(log_path: str) -> Iterator[None]:
    """Within the block, fd 1 and 2 (and what child processes inherit of them) go to the log."""
    saved = os.dup(1), os.dup(2)
    try:
        _redirect_output(log_path)
        yield
    finally:
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def reset_peak_memory() -> None:
    """Start the process's peak memory afresh (Linux; elsewhere nothing)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int | None:
    """Peak resident memory of this process in bytes since the last reset, or None."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
