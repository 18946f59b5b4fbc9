"""What a power meter says about one pass: energy with its source, scope, window and uncertainty.

Units are SI: joules, watts, seconds. Uncertainties (``u_*``) are relative half-widths of 95 %
intervals: 0.05 is +-5 %. ``None`` is "not known".
"""

from __future__ import annotations

from typing import Literal

from results.record import Record

Scenario = Literal["throughput", "latency"]

# What a reading covers. Scopes overlap (a module contains its GPU, a wall meter everything), so
# readings of different scope are never added up.
SCOPES = {
    "wall": "everything behind the plug",
    "node": "the whole server, by its management controller",
    "module": "GPU and CPU of one module",
    "gpu_board": "one accelerator board",
    "gpu_package": "the package of one accelerator, without the rest of its board",
    "gpu_memory": "the memory of one accelerator",
    "soc": "a whole system on chip",
    "gpu": "the graphics processor of a chip, without memory",
    "cpu": "the CPU cores of a chip, without memory",
    "cpu_package": "all CPU packages of the machine",
    "dram": "the main memory, by the CPU's own counters",
    "platform": "the whole platform, by the CPU's own counters (psys)",
    "ane": "a neural engine on a chip",
}
# How an energy came about.
#   counter_tick   a counter of joules, from one of its ticks to another, both under load
#   counter_naive  the counter's difference over the window; it ticked too rarely for better
#   integral       power samples times time
METHODS = ("counter_tick", "counter_naive", "integral")


class IdlePower(Record, frozen=True, kw_only=True):
    """Power of a device with its context open and nothing to do, by one meter in one scope."""

    meter: str
    scope: str
    device_id: str | None = None
    power_w: float
    duration_s: float
    u_window: float | None = None


class EnergyReading(Record, frozen=True, kw_only=True):
    """Energy of one pass by one meter in one scope, or ``energy_j=None`` with the reason.

    ``energy_j`` is gross: everything in scope, idle power included. It is ``average_power_w`` times
    ``duration_s``. ``net_energy_j`` is what is left above ``idle_power_w``.
    """

    meter: str | None = None  # the meter's name in the registry
    scenario: Scenario | None = None  # the pass that was metered
    energy_j: float | None = None
    average_power_w: float | None = None
    duration_s: float | None = None
    steps: int | None = None  # within duration_s
    scope: str | None = None
    device_id: str | None = None  # UUID or PCI bus id of the card that was read
    source: str | None = None  # API, field and scope number
    method: str | None = None
    num_samples: int | None = None
    num_windows: int | None = None  # of different phase to the sensor, that the pass was cut into
    poll_s: float | None = None  # usual time between two looks
    max_gap_s: float | None = None  # longest time between two looks
    update_s: float | None = None  # the sensor's own period, as seen
    averaging_s: float | None = None  # the time each power value is an average of
    part_time: bool = False  # the sensor looks at part of each period only, so that loads can resonate with it
    loaded_before_s: float | None = None  # the same load ran for so long before the window
    idle_power_w: float | None = None
    idle_duration_s: float | None = None
    idle_u_window: float | None = None
    net_energy_j: float | None = None
    crosscheck_ratio: float | None = None  # this energy over that of a second source
    crosscheck_source: str | None = None
    peak_power_w: float | None = None
    u_window: float | None = None  # by the window, the polls and the steps
    u_sensor: float | None = None  # by the sensor itself; the same for all readings of one card
    u_total: float | None = None  # root of the sum of squares
    power_limit_w: float | None = None  # enforced
    power_limit_default_w: float | None = None
    driver: str | None = None
    trace: str | None = None  # names of the samples in the side file, separated by spaces, one for each part
    start_ns: int | None = None  # of the window's first span, by the clock of the trace
    end_ns: int | None = None  # of its last span
    remark: str = ""  # what to know of this very reading
    reason: str = ""


def net_of_idle(reading: EnergyReading, idle: IdlePower) -> EnergyReading:
    """``reading`` with the idle power beside it; the net may be negative, which says that idle was not idle."""
    import msgspec

    net = None
    if reading.energy_j is not None and reading.duration_s is not None:
        net = reading.energy_j - idle.power_w * reading.duration_s
    return msgspec.structs.replace(
        reading,
        idle_power_w=idle.power_w,
        idle_duration_s=idle.duration_s,
        idle_u_window=idle.u_window,
        net_energy_j=net,
    )
