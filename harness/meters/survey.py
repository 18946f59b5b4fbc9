"""Ask every meter, in a worker, what it can read of each device found: drivers are never opened in the parent."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

import msgspec

from harness import meters
from harness.discovery import BackendReport
from harness.isolation import isolate
from harness.messages import Event
from harness.meters.base import Capability
from harness.meters.metered import ask, ordered_names
from harness.supervisor import Limits, Supervisor
from results.errors import UsageError
from results.records import Device

# A driver may take long to wake up; a meter that says nothing for so long hangs.
LIMITS = Limits(timeout_s=180.0, progress_timeout_s=60.0)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Which meters to ask about which devices, and whether to look for entry points that are ignored."""

    meters: tuple[str, ...]
    devices: tuple[Device, ...]
    ignored: bool


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one meter: an answer a device, in their order, or why it cannot be loaded."""

    meter: str
    broken: str = ""
    answers: tuple[Capability, ...] = ()


class Survey(NamedTuple):
    """What the meters said.

    Attributes:
        answers: backend -> device -> meter -> what it can read there, in the meters' order of preference.
        broken: meter -> why it cannot be loaded.
    """

    answers: dict[str, dict[str, dict[str, Capability]]]
    broken: dict[str, str]


def main(connection: Connection, payload: bytes) -> None:
    """Entry point of the child process."""
    request = msgspec.msgpack.decode(payload, type=Request)
    isolate("")

    def send(said: Said) -> None:
        connection.send_bytes(msgspec.msgpack.encode(Event(payload=msgspec.json.encode(said) + b"\n")))

    for name in request.meters:
        send(_asked(name, request.devices))
    if request.ignored:  # those of a taken name
        for name, reason in meters.REGISTRY.broken().items():
            if name not in request.meters:
                send(Said(meter=name, broken=reason))
    connection.send_bytes(msgspec.msgpack.encode(Event(status="ok")))
    connection.close()


def _asked(name: str, devices: Sequence[Device]) -> Said:
    try:
        meters.REGISTRY.get(name)
    except UsageError as error:
        return Said(meter=name, broken=str(error))
    return Said(meter=name, answers=tuple(ask(name, device) for device in devices))


def survey(supervisor: Supervisor, reports: Sequence[BackendReport], limits: Limits = LIMITS) -> Survey:
    """What every meter can read of every device in ``reports``.

    A meter that kills the worker or hangs is said to, for all devices, and the others are asked anew.
    """
    devices = tuple(device for report in reports for device in report.devices)
    names, said = ordered_names(), dict[str, Said]()
    while left := [name for name in names if name not in said]:
        # Looking for them loads every meter, so not after one that kills the worker.
        request = Request(meters=tuple(left), devices=devices, ignored=left == names)
        ending = supervisor.run(main, msgspec.msgpack.encode(request), limits)
        for line in ending.draft.payload.splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                found = msgspec.json.decode(line, type=Said)
                said[found.meter] = found
        silent = next((name for name in left if name not in said), None)
        if silent is not None:  # the one that was being asked when the worker ended
            why = ending.reason.removesuffix("; see worker.log") or "its answer cannot be read"
            lost = Capability(reason=f"asking it failed: {why}")
            said[silent] = Said(meter=silent, answers=(lost,) * len(devices))
    answers: dict[str, dict[str, dict[str, Capability]]] = {}
    k = 0
    for report in reports:
        for device in report.devices:
            of_device = {name: said[name].answers[k] for name in names if not said[name].broken}
            answers.setdefault(report.name, {})[device.id] = of_device
            k += 1
    return Survey(answers, {name: one.broken for name, one in said.items() if one.broken})
