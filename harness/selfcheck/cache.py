"""The last full self-check of this host, so that every run can store it without making one.

One file for each host, chipmark version and Python version, in chipmark's cache folder. Whatever is
wrong with it, a run goes on: it then stores a short check made on the spot, and says why.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from backends.onnx_cache import cache_root
from harness.environment import host_id
from harness.selfcheck.check import loops_check, version
from results.selfcheck_record import SelfCheck

FOLDER = "selfcheck"
# A machine changes: its neighbours, kernel and firmware. An older check is still told, with its age.
OLD_S = 30 * 86_400.0


class Found(NamedTuple):
    """A self-check and where it is from; ``check`` is None only if none could be made at all."""

    check: SelfCheck | None
    reason: str


def cache_file() -> Path:
    """Where the full self-check of this host, chipmark and Python is kept."""
    return cache_root() / FOLDER / f"{host_id()}-{version()}-{platform.python_version()}.json"


def keep(check: SelfCheck) -> str:
    """Put ``check`` into the cache; returns why that failed, or ``""``."""
    file = cache_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
        try:
            with os.fdopen(number, "wb") as stream:
                stream.write(msgspec.json.encode(check))
            os.replace(name, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        return f"{file}: cannot be written: {error.strerror}"
    return ""


def for_run() -> Found:
    """The self-check that a run stores. Never raises: a run must not fail by it."""
    try:
        cached, trouble = _cached()
        if cached is not None:
            return Found(cached, _age(cached))
        return Found(loops_check(), trouble)
    except Exception as error:  # whatever it is, it must not cost the run
        return Found(None, f"no self-check: {type(error).__name__}: {error}")


def _cached() -> tuple[SelfCheck | None, str]:
    """The cached check, or None and why there is none."""
    file = cache_file()
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None, "a short check made for this run: there is no full self-check of this host yet"
    except OSError as error:
        return None, f"a short check made for this run: {file}: cannot be read: {error.strerror}"
    try:
        check = msgspec.json.decode(content, type=SelfCheck)
        fault = _fault(check)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        fault = str(error)
    if fault:
        return None, f"a short check made for this run: the cached one was ignored: {file}: {fault}"
    return check, ""


def _fault(check: SelfCheck) -> str:
    """What is wrong with a cached check that could be read, or ``""``."""
    if check.host_id != host_id():
        return f"it is of another host ({check.host_id})"
    if check.chipmark_version != version():
        return f"it is of chipmark {check.chipmark_version}"
    numbers = [value for value in msgspec.structs.astuple(check) if isinstance(value, float)]
    if not all(map(math.isfinite, numbers)):
        return "a number is not finite"
    when = datetime.fromisoformat(check.measured_at)
    if when.tzinfo is None:
        return f"its time {check.measured_at} is of no zone"
    return f"it is of the future ({check.measured_at})" if when > datetime.now(UTC) else ""


def _age(check: SelfCheck) -> str:
    age_s = (datetime.now(UTC) - datetime.fromisoformat(check.measured_at)).total_seconds()
    days = age_s / 86_400
    text = f"{days:.1f} days" if days >= 1 else f"{age_s / 3600:.1f} hours"
    warning = "; it is old: run `chipmark selfcheck` again" if age_s > OLD_S else ""
    return f"made {text} before this run by `chipmark selfcheck`{warning}"
