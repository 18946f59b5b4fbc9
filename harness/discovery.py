"""Ask every backend, in a worker, what is here: device contexts are never opened in the parent."""

from __future__ import annotations

import contextlib
from multiprocessing.connection import Connection

import msgspec

from backends import REGISTRY as BACKENDS
from harness.isolation import isolate
from harness.messages import Event
from harness.supervisor import Limits, Supervisor
from results.errors import BackendUnavailable, ChipmarkError
from results.records import Device

# A GPU driver may take a minute to wake up many cards.
LIMITS = Limits(timeout_s=180.0, progress_timeout_s=180.0)


class BackendReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one backend found: devices, or why it has none."""

    name: str
    devices: tuple[Device, ...] = ()
    reason: str = ""
    install_hint: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Which backends to ask."""

    backends: tuple[str, ...]
    log_path: str


def main(connection: Connection, payload: bytes) -> None:
    """Entry point of the child process."""
    request = msgspec.msgpack.decode(payload, type=Request)
    isolate(request.log_path)
    for name in request.backends:
        connection.send_bytes(msgspec.msgpack.encode(Event(detail=name)))
        report = msgspec.json.encode(ask(name), enc_hook=str) + b"\n"
        connection.send_bytes(msgspec.msgpack.encode(Event(payload=report)))
    connection.send_bytes(msgspec.msgpack.encode(Event(status="ok")))
    connection.close()


def ask(name: str) -> BackendReport:
    """What backend ``name`` finds on this machine; never raises."""
    try:
        return BackendReport(name=name, devices=tuple(BACKENDS.get(name).devices()))
    except BackendUnavailable as error:
        return BackendReport(name=name, reason=error.reason, install_hint=error.install_hint)
    except Exception as error:  # a plugin may raise anything; the others must go on
        text = str(error) if isinstance(error, ChipmarkError) else f"{type(error).__name__}: {error}"
        return BackendReport(name=name, reason=text)


def discover(supervisor: Supervisor, names: list[str], log_path: str = "") -> list[BackendReport]:
    """Reports of all ``names``, in order. A backend that kills the worker is reported as such."""
    reports: list[BackendReport] = []
    left = list(names)
    while left:
        request = Request(backends=tuple(left), log_path=log_path)
        ending = supervisor.run(main, msgspec.msgpack.encode(request), LIMITS)
        for line in ending.draft.payload.splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                reports.append(msgspec.json.decode(line, type=BackendReport))
        left = names[len(reports) :]
        if left:
            reports.append(BackendReport(name=left.pop(0), reason=f"device discovery failed: {ending.reason}"))
    return reports
