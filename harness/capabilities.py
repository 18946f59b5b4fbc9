"""Ask a backend, in a worker, what each of its devices supports, by precision and mode."""

from __future__ import annotations

import contextlib
from multiprocessing.connection import Connection

import msgspec

from backends import REGISTRY as BACKENDS
from harness.discovery import LIMITS
from harness.isolation import isolate
from harness.messages import Event
from harness.supervisor import Supervisor
from results.records import PRECISIONS, CaseSpec, Device, Phase, Precision
from workloads import REGISTRY as WORKLOADS

# The workload whose answers stand for a device: it has both modes, and no key/value cache, which some devices or
# precisions lack that do the rest.
PROBE_WORKLOAD, PROBE_PRESET = "text-encoder", "tiny"
MODES: tuple[tuple[str, Phase], ...] = (("training", "train"), ("inference", "infer"))


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one device, mode and precision."""

    device: str
    mode: str
    precision: Precision
    level: str
    reason: str = ""


def main(connection: Connection, payload: bytes) -> None:
    """Entry point of the child process; ``payload`` is the backend's name."""
    isolate("")
    backend = BACKENDS.get(payload.decode())
    for device in backend.devices():
        for mode, phase in MODES:
            for precision in PRECISIONS:
                answer = _ask(backend.name, device, mode, phase, precision)
                event = Event(payload=msgspec.json.encode(answer) + b"\n")
                connection.send_bytes(msgspec.msgpack.encode(event))
    connection.send_bytes(msgspec.msgpack.encode(Event(status="ok")))
    connection.close()


def _ask(backend_name: str, device: Device, mode: str, phase: Phase, precision: Precision) -> Capability:
    workload = WORKLOADS.get(PROBE_WORKLOAD)
    case = CaseSpec(
        workload=workload.spec.name,
        workload_version=workload.spec.version,
        phase=phase,
        preset=PROBE_PRESET,
        precision=precision,
        batch_size=1,
        shape=workload.spec.presets[PROBE_PRESET].shape,
        backend=backend_name,
        device=device.id,
    )
    try:
        support = BACKENDS.get(backend_name).supports(workload, case, device)
        level, reason = str(support.level), support.reason
    except Exception as error:  # shown, not fatal: the other answers still help
        level, reason = "unknown", f"{type(error).__name__}: {error}"
    return Capability(device=device.id, mode=mode, precision=precision, level=level, reason=reason)


def probe(supervisor: Supervisor, backend_name: str) -> list[Capability]:
    """Every answer of ``backend_name``; those given before a crash if the worker dies."""
    ending = supervisor.run(main, backend_name.encode(), LIMITS)
    answers = []
    for line in ending.draft.payload.splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            answers.append(msgspec.json.decode(line, type=Capability))
    return answers
