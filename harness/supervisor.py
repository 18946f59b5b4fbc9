"""Start one worker, wait for it without using CPU, and say how it ended.

On Linux workers are forked from a fork server that has the frameworks imported already (a
fresh interpreter importing torch costs seconds per case, a fork some tens of milliseconds);
no device context is ever opened in the server. Elsewhere each worker is a fresh interpreter.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any, NamedTuple

import msgspec

from harness.isolation import output_to
from harness.messages import Draft, Event
from harness.oom import OomCounter
from harness.preload import PRELOAD_VARIABLE
from results.errors import UsageError
from results.records import Status

# For a machine where a framework's libraries do not survive being forked.
START_METHOD_VARIABLE = "CHIPMARK_START_METHOD"
# After its last word a worker gets this long to leave before it is killed.
EXIT_GRACE_S = 10.0
# What multiprocessing reports for a worker whose fork server is no more.
FORK_SERVER_GONE = 255
CRASH_SIGNALS = {
    name for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS") if hasattr(signal, name)
}


class Limits(NamedTuple):
    """Wall time of a whole worker, and the longest silence, in seconds; ``beside`` says what was added to them."""

    timeout_s: float
    progress_timeout_s: float
    beside: str = ""


class Ending(NamedTuple):
    """How a worker ended. ``draft`` holds all it reported."""

    status: Status
    reason: str
    draft: Draft


class Supervisor:
    """Runs workers one after another.

    Args:
        preload: modules that the fork server imports for all workers.
        log_path: where the server's own output goes, for example a library's warnings at import.
    """

    def __init__(self, preload: Sequence[str] = (), log_path: str = "") -> None:
        with output_to(log_path):
            self._context = _context(preload)

    def run(
        self,
        target: Callable[..., None],
        payload: bytes,
        limits: Limits,
        on_event: Callable[[Draft], None] = lambda draft: None,
    ) -> Ending:
        """Run ``target(connection, payload)`` in a worker until it ends or a limit is reached.

        ``on_event`` is called after each message. Whatever exception interrupts the wait
        (Ctrl-C), the worker's whole process group is killed before it is passed on.
        """
        receiver, sender = self._context.Pipe(duplex=False)
        counter = OomCounter()
        process = self._context.Process(target=target, args=(sender, payload))  # type: ignore[attr-defined]
        process.start()
        sender.close()
        draft = Draft()
        try:
            ending = _watch(process, receiver, draft, limits, on_event)
        except BaseException:
            kill_group(process)
            raise
        finally:
            receiver.close()
        if ending is None:
            process.join(EXIT_GRACE_S)
            if process.exitcode is None:
                kill_group(process)
            ending = _ending(process.exitcode, draft, counter)
        kill_group(process)  # what the worker started and left behind
        process.close()
        return ending


def _context(preload: Sequence[str]) -> BaseContext:
    method = os.environ.get(START_METHOD_VARIABLE) or ("forkserver" if sys.platform == "linux" else "spawn")
    if method not in ("forkserver", "spawn"):
        raise UsageError(f"{START_METHOD_VARIABLE}={method}: must be forkserver or spawn")
    if method == "spawn":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    os.environ[PRELOAD_VARIABLE] = ",".join(preload)  # the server is told by its environment
    context.set_forkserver_preload(["harness.preload"])
    # Started now, not with the first worker, because they inherit the output they start with. The
    # tracker would otherwise report the semaphores of killed workers on the user's terminal.
    resource_tracker.ensure_running()
    forkserver.ensure_running()
    return context


def _watch(
    process: Any, receiver: Connection, draft: Draft, limits: Limits, on_event: Callable[[Draft], None]
) -> Ending | None:
    """Merge events until the worker is gone (None) or a limit is passed (the Ending)."""
    started = heard = time.monotonic()
    while True:
        now = time.monotonic()
        left = min(started + limits.timeout_s, heard + limits.progress_timeout_s) - now
        ready = wait([receiver, process.sentinel], timeout=max(left, 0.0))
        if receiver in ready:
            try:
                draft.merge(msgspec.msgpack.decode(receiver.recv_bytes(), type=Event))
            except (EOFError, OSError):
                return None
            except (msgspec.MsgspecError, ValueError) as error:
                # A plugin's nonsense costs its own case; what it had reported before is kept.
                kill_group(process)
                return Ending("failed", f"the backend reported what cannot be stored: {error}", draft)
            heard = time.monotonic()
            on_event(draft)
        elif ready:
            return None
        elif draft.status is None:
            kill_group(process)
            return _timed_out(time.monotonic() - started, limits, draft)
        else:
            return None


def _timed_out(elapsed_s: float, limits: Limits, draft: Draft) -> Ending:
    if elapsed_s >= limits.timeout_s:
        reason = f"not done within {limits.timeout_s:g} s (measure.timeout_seconds{limits.beside})"
    else:
        reason = f"no progress for {limits.progress_timeout_s:g} s (measure.progress_timeout_seconds{limits.beside})"
    return Ending("timeout", f"{reason}; the worker was killed", draft)


def _ending(exitcode: int | None, draft: Draft, counter: OomCounter) -> Ending:
    if draft.status is not None:
        return Ending(draft.status, str(draft.fields.get("reason", "")), draft)
    if exitcode is not None and exitcode < 0:
        name = _signal_name(-exitcode)
        if name == "SIGKILL" and counter.increased():
            return Ending("out_of_memory", "killed by the kernel: out of memory", draft)
        if name in CRASH_SIGNALS:
            return Ending("failed", f"the worker crashed with {name}; see worker.log", draft)
        return Ending("killed", f"the worker was killed by {name}, not by chipmark", draft)
    if exitcode == FORK_SERVER_GONE:
        return Ending("killed", "the fork server was killed, and the worker with it, not by chipmark", draft)
    return Ending("failed", f"the worker exited with code {exitcode} without a result; see worker.log", draft)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def kill_group(process: Any) -> None:
    """SIGKILL the worker (a stopped one too) and everything in its process group; reap it."""
    pid = process.pid
    if pid is not None and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if process.exitcode is not None or os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
    if process.exitcode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.join(EXIT_GRACE_S)
        if process.exitcode is None:
            _kill_fork_server()  # it was stopped, and would never report the end
            process.join()


def _kill_fork_server() -> None:
    """End a fork server that does not answer; the next worker starts another."""
    pid = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
