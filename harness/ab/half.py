"""One half of a pair: ``chipmark run`` of one side in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from harness.ab.sides import ReadySide
from harness.isolation import PR_SET_PDEATHSIG
from harness.plan import ENERGY_VARIABLE
from harness.session import ORDER_SEED_VARIABLE
from results.ab_record import AbHalf
from results.store import RUN_FILE

# After Ctrl-C a run stores what it has finished; then it is killed with all it started.
STOP_GRACE_S = 20.0


class HalfTask(NamedTuple):
    """What both sides are asked alike, and where this half's run goes."""

    arguments: Sequence[str]  # of `chipmark run`
    order_seed: int
    folder: Path
    limit_s: float


def measure_half(side: ReadySide, task: HalfTask) -> AbHalf:
    """Run it to its end, its time limit or an interrupt; whatever it was, say how it went.

    Raises:
        BaseException: what interrupted the wait; the run was stopped, and what it stored is kept.
    """
    command = [side.record.python, "-m", "harness", "run", *task.arguments, "--out", str(task.folder)]
    # Windows long enough for energy would take most of the time; whoever wants them says "on".
    energy = os.environ.get(ENERGY_VARIABLE, "off")
    environment = side.environment() | {ORDER_SEED_VARIABLE: str(task.order_seed), ENERGY_VARIABLE: energy}
    started_at, start = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                start_new_session=True, preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )  # fmt: skip
        except OSError as error:
            return AbHalf(
                run=None, exit_code=None, reason=f"cannot be started: {error.strerror}", started_at=started_at,
                elapsed_s=time.monotonic() - start,
            )  # fmt: skip
        try:
            exit_code: int | None = process.wait(task.limit_s)
        except subprocess.TimeoutExpired:
            stop(process)
            exit_code = None
        except BaseException:
            stop(process)
            raise
        reason = _reason(exit_code, task.limit_s, said)
    return AbHalf(
        run=task.folder.name if (task.folder / RUN_FILE).exists() else None,
        exit_code=exit_code,
        reason=reason,
        started_at=started_at,
        elapsed_s=time.monotonic() - start,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would, so that the run stores what it has; after a while, or asked again, the hard way."""
    try:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        process.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # it began its own session: its id is its group's
        process.wait()


_libc: Any = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork


def _die_with_parent() -> None:
    """In the child: end as on Ctrl-C when the comparison is killed without a chance to say so."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _reason(exit_code: int | None, limit_s: float, said: Any) -> str:
    """What went wrong, in one line; nothing if nothing did."""
    if exit_code == 0:
        return ""
    said.seek(max(0, said.seek(0, os.SEEK_END) - 4096))
    lines = said.read().decode("utf-8", "replace").strip().splitlines()
    last = lines[-1].removeprefix("chipmark: error: ") if lines else "it said nothing"
    if exit_code is None:
        return f"not done within {limit_s:.0f} s, stopped; {last}"
    if exit_code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-exit_code).name}; {last}"
    return f"exit code {exit_code}: {last}"
