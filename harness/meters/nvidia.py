"""Power and energy of NVIDIA cards by NVML: the energy counter, else the best power value.

A card is found by UUID or PCI bus id (``harness.guards.nvml.Card``). Where a part of it is the device
(MIG, vGPU) nothing is read, for NVML tells the power of the whole card only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from harness.error_text import one_line
from harness.guards.base import Unreadable
from harness.guards.gpu_state import SHARED_MODES, VIRTUALIZATION_MODES
from harness.guards.nvml import (
    DRIVER_NOT_LOADED,
    GPU_IS_LOST,
    LIBRARY_NOT_FOUND,
    NO_PERMISSION,
    Card,
    NotSupported,
    NvmlFault,
)
from harness.meters.base import Capability, not_for
from harness.meters.channel import Channel, Domain
from harness.meters.nvidia_sensors import Sensor, Sensors, parse_capability, sensors_of
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import SAMPLER, Sampler
from results.records import Device

# NVML_FI_DEV_POWER_AVERAGE, NVML_FI_DEV_POWER_INSTANT in nvml.h; values in mW.
AVERAGE, INSTANT = 185, 186
# NVML_POWER_SCOPE_*, and what they are called in nvml.h.
GPU, MODULE, MEMORY = 0, 1, 2
SCOPES = {GPU: "gpu_board", MODULE: "module", MEMORY: "gpu_memory"}
SCOPE_NAMES = {GPU: "GPU", MODULE: "MODULE", MEMORY: "MEMORY"}
FIELD_NAMES = {AVERAGE: "POWER_AVERAGE", INSTANT: "POWER_INSTANT"}
ENERGY, USAGE = "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage"
LIMITS = ("nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerManagementDefaultLimit")
LEAST_UW = 1000
MILLI = 1e-3  # NVML's units are mJ and mW

_CONTAINER = "in a container, start it with --gpus all and NVIDIA_DRIVER_CAPABILITIES=compute,utility"
_REMEDIES = {
    LIBRARY_NOT_FOUND: f"install the NVIDIA driver's libnvidia-ml; {_CONTAINER}",
    DRIVER_NOT_LOADED: "load the driver: modprobe nvidia",
    NO_PERMISSION: f"let this user read the card (ls -l /dev/nvidia*); {_CONTAINER}",
    GPU_IS_LOST: "reset the card (nvidia-smi --gpu-reset) or restart the machine",
    18: "the driver was updated while it was loaded: restart the machine",  # NVML_ERROR_LIB_RM_VERSION_MISMATCH
}
NOTES = ("sensor +-5 % by NVIDIA's word; up to 11 % were seen against an external meter",)
WINDOW_NOT_KNOWN = "sensor window not known for this generation: taken as a part of each period"
COUNTER_NOT_KNOWN = (
    "what feeds the energy counter is not known: it is taken to see a part of each period, as the sensor does or may; "
    "see the cross-check"
)


class _Plan(NamedTuple):
    """What is read of one card: scope -> channels of energy and check, the main one first."""

    card: Card
    uuid: str
    driver: str
    parts: dict[int, tuple[Channel, Channel | None]]
    notes: tuple[str, ...]


class NvidiaMeter(SampledMeter):
    """Meter ``nvidia``. NVML stays open from a probe that found something until the process ends."""

    def __init__(self, sampler: Sampler = SAMPLER) -> None:
        super().__init__(sampler)
        self._plans: dict[str, _Plan] = {}

    def probe(self, device: Device) -> Capability:
        """See ``Meter``."""
        if device.kind != "cuda":
            return not_for("NVIDIA GPUs")
        self._forget(device)
        card = Card(device)
        try:
            reason = shared_reason(card)
            if reason:
                card.close()
                return Capability(reason=reason)
            plan = _plan(card, device)
        except Unreadable as error:
            card.close()
            return Capability(reason=one_line(error), remedy=_remedy(error))
        self._plans[_key(device)] = plan
        (scope, (main, _)), *others = plan.parts.items()
        is_counter = main.kind == "counter"
        return Capability(
            source=main.source,
            scope=SCOPES[scope],
            device_id=plan.uuid,
            resolution_j=MILLI if is_counter else None,
            resolution_w=None if is_counter else MILLI,
            update_s=main.update_s,
            averaging_s=main.averaging_s,
            part_time=main.part_time,
            beside=tuple(SCOPES[other] for other, _ in others),
            notes=plan.notes,
        )

    def domains(self, device: Device) -> Sequence[Domain]:
        """See ``SampledMeter``."""
        if _key(device) not in self._plans:
            answer = self.probe(device)
            if answer.reason:
                raise Unreadable(answer.reason)
        plan = self._plans[_key(device)]
        limits = [
            _limit_w(plan.card, f"nvmlDeviceGet{name}Limit") for name in ("EnforcedPower", "PowerManagementDefault")
        ]
        return [
            Domain(
                scope=SCOPES[scope],
                device_id=plan.uuid,
                parts=(main,),
                check=check,
                # The limits are of the GPU; a module has others, which NVML does not tell.
                power_limit_w=limits[0] if scope == GPU else None,
                power_limit_default_w=limits[1] if scope == GPU else None,
                driver=plan.driver,
            )
            for scope, (main, check) in plan.parts.items()
        ]

    def _forget(self, device: Device) -> None:
        plan = self._plans.pop(_key(device), None)
        if plan is not None:
            plan.card.close()


def _key(device: Device) -> str:
    """Not the id alone: two backends may give the same one to different cards."""
    return f"{device.id} {sorted(device.details.items())}"


def shared_reason(card: Card) -> str:
    """Why the card's power is not the device's; empty if it is.

    Raises:
        Unreadable: the card is not to be reached, or does not tell whether it is shared.
    """
    try:
        card.open()
    except Unreadable:
        if not card.is_mig_part:
            raise
    try:
        mig = card.is_mig_part or bool(card.ask("nvmlDeviceGetMigMode")[0])
    except NotSupported:
        mig = False
    if mig:
        return "shared_device: MIG is enabled, and the power is of the whole card"
    try:
        number = int(card.ask("nvmlDeviceGetVirtualizationMode"))
    except NotSupported:
        return ""
    mode = VIRTUALIZATION_MODES.get(number)
    if mode is None:
        return f"the virtualization mode {number} is not known, and the power may be of more than this device"
    shared = mode in SHARED_MODES
    return f"shared_device: virtualization is {mode}, and the power is of the whole card" if shared else ""


def _plan(card: Card, device: Device) -> _Plan:
    """What to read; raises Unreadable if there is nothing."""
    capability = _capability(card, device)
    sensors = sensors_of(capability)
    notes = [*NOTES, *([] if sensors.is_known else [WINDOW_NOT_KNOWN])]
    refused: list[Unreadable] = []
    parts: dict[int, tuple[Channel, Channel | None]] = {}
    power = _power(card, GPU, sensors, refused)
    counter = _counter(card, sensors.behind_counter, refused)
    by_scope = {scope: _power(card, scope, sensors, refused) for scope in (MODULE, MEMORY)}
    if counter and (power or not by_scope[MODULE]):
        parts[GPU] = (counter, power)
        if counter.part_time:
            notes.append(COUNTER_NOT_KNOWN)
    elif power:
        parts[GPU] = (power, None)
    elif counter:
        notes.append("the energy counter is not used: only the module tells power, and of what it counts is not known")
    for scope, channel in by_scope.items():
        if channel and not _repeats_gpu(card, scope):
            parts[scope] = (channel, None)
    if not parts or set(parts) == {MEMORY}:
        told = next((error for error in refused if not isinstance(error, NotSupported)), None)
        raise told or NotSupported(f"the card tells neither energy nor power (driver {card.driver()})")
    notes += [f"not used: {one_line(error)}" for error in refused if not isinstance(error, NotSupported)]
    return _Plan(card, card.uuid(), card.driver(), parts, tuple(notes))


def _capability(card: Card, device: Device) -> tuple[int, int] | None:
    try:
        major, minor = card.ask("nvmlDeviceGetCudaComputeCapability")
        return int(major), int(minor)
    except NotSupported:
        return parse_capability(device.details.get("compute_capability"))


def _counter(card: Card, sensor: Sensor, refused: list[Unreadable]) -> Channel | None:
    def read() -> int:
        return int(card.ask(ENERGY)) * 1000

    # 0 would be a card that does not count: it counts from when the driver was loaded.
    return Channel("counter", read, ENERGY, None, *_of(sensor)) if _answers(read, refused) else None


def _power(card: Card, scope: int, sensors: Sensors, refused: list[Unreadable]) -> Channel | None:
    """The best power value of a scope; part-time sensors only where there is nothing else.

    Of those an average comes first that is known to reach over many periods.
    """
    found = [
        channel
        for channel in (
            _field(card, INSTANT, scope, sensors.instant),
            _field(card, AVERAGE, scope, sensors.average),
            *([_usage(card, sensors.usage)] if scope == GPU else []),
        )
        if _answers(channel.read, refused if scope == GPU else [])
    ]
    return min(found, key=lambda channel: (channel.part_time, channel.averaging_s is None), default=None)


def _field(card: Card, field: int, scope: int, sensor: Sensor) -> Channel:
    source = f"nvmlDeviceGetFieldValues field {field} {FIELD_NAMES[field]} scope {scope} {SCOPE_NAMES[scope]}"
    return Channel("power", partial(_field_uw, card, field, scope), source, None, *_of(sensor), LEAST_UW)


def _field_uw(card: Card, field: int, scope: int) -> int:
    return card.ask_field(field, scope) * 1000


def _usage(card: Card, sensor: Sensor) -> Channel:
    return Channel("power", lambda: int(card.ask(USAGE)) * 1000, USAGE, None, *_of(sensor), LEAST_UW)


def _of(sensor: Sensor) -> tuple[float | None, bool, float | None]:
    return sensor.averaging_s, sensor.part_time, sensor.update_s


def _answers(read: Callable[[], int], refused: list[Unreadable]) -> bool:
    """Does it tell more than 0? No card draws none; what went wrong goes to ``refused``."""
    try:
        return read() > 0
    except Unreadable as error:
        refused.append(error)
        return False


def _repeats_gpu(card: Card, scope: int) -> bool:
    """A driver without scopes tells the GPU's power in every scope."""
    for field in (INSTANT, AVERAGE):
        try:
            # Either side of it, for a new value may come in between.
            before, other, after = (card.ask_field(field, s) for s in (GPU, scope, GPU))
        except Unreadable:
            continue
        if other in (before, after):
            return True
    return False


def _limit_w(card: Card, function: str) -> float | None:
    try:
        return float(card.ask(function)) * MILLI
    except Unreadable:
        return None


def _remedy(error: Unreadable) -> str:
    if isinstance(error.__cause__, ImportError):
        return "pip install nvidia-ml-py"
    return _REMEDIES.get(error.code or 0, "") if isinstance(error, NvmlFault) else ""
