"""Ask every backend, in a worker, what is here: device contexts are never opened in the parent."""

from __future__ import annotations

import contextlib
from multiprocessing.connection import Connection

import msgspec

from backends import REGISTRY as BACKENDS
from backends.base import MissingDevice, TellsMissing
from harness.isolation import isolate
from harness.messages import Event
from harness.supervisor import Limits, Supervisor
from results.errors import BackendUnavailable, ChipmarkError
from results.records import Device

# A GPU driver may take a minute to wake up many cards.
LIMITS = Limits(timeout_s=180.0, progress_timeout_s=180.0)


class BackendReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one backend found: devices, or why it has none, and the devices it knows but cannot use."""

    name: str
    devices: tuple[Device, ...] = ()
    reason: str = ""
    install_hint: str = ""
    missing: tuple[MissingDevice, ...] = ()


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
        report = msgspec.json.encode(ask(name)) + b"\n"
        connection.send_bytes(msgspec.msgpack.encode(Event(payload=report)))
    connection.send_bytes(msgspec.msgpack.encode(Event(status="ok")))
    connection.close()


def ask(name: str) -> BackendReport:
    """What backend ``name`` finds on this machine; never raises."""
    try:
        backend = BACKENDS.get(name)
        devices = tuple(backend.devices())
        missing = tuple(backend.missing()) if isinstance(backend, TellsMissing) else ()
        report = BackendReport(name=name, devices=devices, missing=missing)
        # Through the encoding and back, so that a plugin's odd types are found here, with its name.
        report = msgspec.json.decode(msgspec.json.encode(report, enc_hook=str), type=BackendReport)
        _check_devices(report)
    except BackendUnavailable as error:
        return BackendReport(name=name, reason=error.reason, install_hint=error.install_hint)
    except Exception as error:  # a plugin may raise anything; the others must go on
        text = str(error) if isinstance(error, ChipmarkError) else f"{type(error).__name__}: {error}"
        return BackendReport(name=name, reason=text)
    return report


def _check_devices(report: BackendReport) -> None:
    ids = [device.id for device in report.devices]
    if "" in ids or "auto" in ids or len(set(ids)) < len(ids):
        raise ChipmarkError(f"backend {report.name} names its devices {ids}: each needs an id of its own, not 'auto'")


def discover(supervisor: Supervisor, names: list[str], log_path: str = "") -> list[BackendReport]:
    """Reports of all ``names``, in order. A backend that kills the worker is reported as such."""
    reports: dict[str, BackendReport] = {}
    while left := [name for name in names if name not in reports]:
        request = Request(backends=tuple(left), log_path=log_path)
        ending = supervisor.run(main, msgspec.msgpack.encode(request), LIMITS)
        for line in ending.draft.payload.splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                report = msgspec.json.decode(line, type=BackendReport)
                reports[report.name] = report
        unanswered = next((name for name in left if name not in reports), None)
        if unanswered is not None:  # the one that was being asked when the worker ended
            # The log lies in a folder that is removed when there is nothing to measure.
            why = ending.reason.removesuffix("; see worker.log") or "its answer cannot be read"
            reports[unanswered] = BackendReport(name=unanswered, reason=f"device discovery failed: {why}")
    return [reports[name] for name in names]
