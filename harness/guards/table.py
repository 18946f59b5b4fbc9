"""Every guard and its thresholds, declared once; the documents and the verdicts derive from it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Applies = Literal["every device", "CPU", "NVIDIA GPU", "metered device"]


class GuardSpec(NamedTuple):
    """One guard.

    ``warn`` and ``fail`` are the largest values that are still fine (None: no such verdict);
    with ``below``, the smallest. ``unit``: share (of the window, 0 to 1), ratio, count, flag
    (0 or 1), bytes, celsius or seconds. A limit may be a multiple of what is known only while
    measuring: then ``warn_of`` or ``fail_of`` names that, and the guard works out the limit.
    """

    name: str
    what: str
    unit: Literal["share", "ratio", "count", "flag", "bytes", "celsius", "seconds"]
    warn: float | None
    fail: float | None
    source: str
    applies: Applies = "every device"
    below: bool = False
    warn_of: str = ""
    fail_of: str = ""


GUARDS: tuple[GuardSpec, ...] = (
    GuardSpec("run_queue_wait", "share of the passes that the worst thread of the worker was ready but had no CPU",
              "share", 0.02, 0.10, "/proc/self/task/*/schedstat"),
    GuardSpec("cpu_pressure", "share of the passes in which some task of the machine waited for a CPU",
              "share", 0.05, 0.20, "/proc/pressure/cpu"),
    GuardSpec("steal", "share of CPU time that the hypervisor gave to others",
              "share", 0.005, 0.02, "/proc/stat"),
    GuardSpec("cgroup_throttled", "periods in which the CPU quota of a control group stopped the worker",
              "count", None, 0, "cpu.stat of the own group and its parents, cgroup v1 or v2"),
    GuardSpec("load_before", "load average before chipmark began, or threads runnable just then if fewer, over CPUs",
              "ratio", 0.3, 1.0, "/proc/loadavg, read by the parent before anything else"),
    GuardSpec("cpu_time_share", "CPU time of the measuring thread over the passes' time (several threads: WARN only)",
              "share", None, 0.95, "the thread's CPU clock", "CPU", below=True),
    GuardSpec("governor", "usable CPUs whose frequency governor is not `performance`",
              "count", 0, None, "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"),
    GuardSpec("smt", "whether simultaneous multithreading is active",
              "flag", 0, None, "/sys/devices/system/cpu/smt/active"),
    GuardSpec("affinity", "whether the worker may run on every CPU (nothing pins it)",
              "flag", 0, None, "the scheduler's affinity and /sys/devices/system/cpu/online"),
    GuardSpec("thread_count", "threads of the framework over usable CPUs (affinity and CPU quota)",
              "ratio", 1.0, None, "the step's facts", "CPU"),
    GuardSpec("foreign_processes", "compute processes on the card that are not the worker",
              "count", None, 0, "nvmlDeviceGetComputeRunningProcesses", "NVIDIA GPU"),
    GuardSpec("foreign_memory", "memory in use that no listed process and not the worker explains",
              "bytes", 2**30, None, "nvmlDeviceGetMemoryInfo", "NVIDIA GPU"),
    GuardSpec("throttle_hw", "share of the passes with hardware slowdown: heat, power brake",
              "share", 0, 0.01, "clock event counters, else the event bits at marks", "NVIDIA GPU"),
    GuardSpec("throttle_sw_thermal", "share of the passes with clocks lowered for heat by software",
              "share", 0, 0.05, "field 75, else the event bits at marks", "NVIDIA GPU"),
    GuardSpec("throttle_sw_power", "share of the passes with clocks lowered by the power limit",
              "share", 0.05, None, "field 74, else the event bits at marks", "NVIDIA GPU"),
    GuardSpec("sm_clock_spread", "95th less 5th percentile of the SM clock at marks, over the median",
              "ratio", 0.02, 0.05, "nvmlDeviceGetClockInfo", "NVIDIA GPU"),
    GuardSpec("temperature_drift", "change of the GPU temperature from start to end of the passes",
              "celsius", 3, 8, "nvmlDeviceGetTemperature", "NVIDIA GPU"),
    GuardSpec("power_limit", "share by which the enforced power limit lies below the default",
              "share", 0, None, "nvmlDeviceGetEnforcedPowerLimit", "NVIDIA GPU"),
    GuardSpec("mig_vgpu", "whether the device is a share of a card: MIG or a virtual GPU",
              "flag", 0, None, "nvmlDeviceGetMigMode, nvmlDeviceGetVirtualizationMode", "NVIDIA GPU"),
    GuardSpec("ecc", "uncorrected memory errors during the passes, and changes of the ECC mode",
              "count", None, 0, "nvmlDeviceGetEccMode, nvmlDeviceGetTotalEccErrors", "NVIDIA GPU"),
    GuardSpec("driver_change", "driver, persistence or compute mode changed since the run began or during the passes",
              "count", None, 0, "nvmlSystemGetDriverVersion and modes", "NVIDIA GPU"),
    GuardSpec("step_slope", "median step time of the last quarter against the first, either way",
              "ratio", 0.01, 0.03, "the latency samples"),
    GuardSpec("step_spread", "relative standard deviation of step times",
              "ratio", 0.02, 0.05, "the latency samples"),
    GuardSpec("step_tail", "99th percentile over the median of step times",
              "ratio", 1.2, 2.0, "the latency samples"),
    GuardSpec("flops", "FLOPs that torch counts in a step over the analytic count; may differ from 1 by this much",
              "ratio", 0.01, None, "torch.utils.flop_counter, in an untimed step after the passes"),
    GuardSpec("energy_window", "length of the main pass's energy window",
              "seconds", 10, 50, "the readings", "metered device", below=True, fail_of="update periods"),
    GuardSpec("energy_gap", "longest time between two looks at the sensor",
              "seconds", 2, 5, "the readings", "metered device", warn_of="poll intervals", fail_of="update periods"),
    GuardSpec("energy_crosscheck", "energy over that of a second source of the same scope, away from 1",
              "ratio", 0.05, 0.15, "a second field of the sensor, such as power beside a counter", "metered device"),
    GuardSpec("energy_range", "share by which the average power is below 0.8 x idle or above 1.1 x the power limit",
              "share", None, 0, "the readings, idle power and the enforced limit", "metered device"),
    GuardSpec("energy_resonance", "step period's distance from 1 to 10 times, or 1/2 to 1/10 of, the sensor's period",
              "ratio", 0.03, None, "the readings of sensors that see part of each period", "metered device",
              below=True),
)  # fmt: skip

GUARD: dict[str, GuardSpec] = {spec.name: spec for spec in GUARDS}
