"""What must be equal for two numbers to be comparable, and what is told beside a verdict.

``keys`` decide what a number means: a difference is refused. ``context`` may move a number and is
often the very thing that was changed (a driver, a version of torch): a difference is told.
Facts that the processes of one session disagree about are joined with " | ", so that they differ
from a session where all agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from results.comparison import Difference
from results.record import Scalar
from results.records import SCHEMA_VERSION, CaseSpec, Measurement, RunInfo
from results.render import find_device

# Formats that migrate into one another are one format; raise it when an old one no longer does.
SCHEMA_MAJOR = 1
# Keys that say which case it is; the rest says what it really ran on and as.
CASE_KEYS = (
    "workload", "workload_version", "phase", "preset", "precision", "batch_size", "shape", "backend", "options", "seed",
)  # fmt: skip
# Of a step's facts: what was computed and how, as far as the person who asked chose it.
_FACT_KEYS = (
    "num_parameters", "precision_executed", "autocast_dtype", "float32_matmul_precision", "cudnn_allow_tf32",
    "deterministic_algorithms", "cudnn_benchmark", "optimizer", "num_converted_layers", "quantization",
    "graph_optimization", "execution_mode",
)  # fmt: skip
# Facts that a new version of a library may change under the same request.
_FACT_CONTEXT = ("optimizer_fused", "attention_kernel", "conversion", "quantized_nodes", "disabled_optimizers")
FACTS = (*_FACT_KEYS, *_FACT_CONTEXT, "threads", "intra_op_num_threads", "providers")
_MACHINE_KEYS = ("power_limit_w", "mig_mode", "virtualization", "clock_lock")
_MACHINE_CONTEXT = (
    "ecc_mode", "persistence_mode", "compute_mode", "firmware", "instance_type", "cpu_governor", "smt_active",
)  # fmt: skip
MACHINE = (*_MACHINE_KEYS, *_MACHINE_CONTEXT, "driver", "num_threads")
# Options that a machine's size decides rather than the person who compares.
_CONTEXT_OPTIONS = ("threads",)
# Packages that take no part in a timed step.
_IDLE_PACKAGES = frozenset(("numpy", "pandas", "nvidia-ml-py", "onnx", "onnxscript", "nvidia-driver"))


Values = dict[str, Scalar]


def comparability(
    info: RunInfo, measurements: Sequence[Measurement], case: CaseSpec | None = None
) -> tuple[Values, Values]:
    """Keys and context of one case in one session.

    Args:
        info: of the run.
        measurements: of the case; those that ended well, where some did.
        case: needed where there are no measurements.

    Returns:
        (keys, context). ``None`` is "not known". Keys are in order of importance.
    """
    case = case or measurements[0].case
    if measurements and all(_tells_the_same(m, measurements[0]) for m in measurements[1:]):
        measurements = measurements[:1]
    return _keys(info, case, measurements), _context(info, case, measurements)


def differences(base: Mapping[str, Scalar], new: Mapping[str, Scalar]) -> list[Difference]:
    """What differs, in the order of ``new``, then what only ``base`` has."""
    names = dict.fromkeys([*new, *base])
    return [
        Difference(key=name, base=base.get(name), new=new.get(name))
        for name in names
        if base.get(name) != new.get(name)
    ]


def case_keys(case: CaseSpec) -> Values:
    """What was asked for, the device aside."""
    shape = ", ".join(f"{name}={size}" for name, size in sorted(case.shape.items()))
    # An option that is off is the same as one that is not there.
    options = {k: v for k, v in case.options.items() if v not in (None, False) and k not in _CONTEXT_OPTIONS}
    return {
        "workload": case.workload,
        "workload_version": case.workload_version,
        "phase": case.phase,
        "preset": case.preset,
        "precision": case.precision,
        "batch_size": case.batch_size,
        "shape": shape,
        "backend": case.backend,
        "options": ", ".join(f"{name}={_text(value)}" for name, value in sorted(options.items())),
        "seed": case.seed,
    }


def _keys(info: RunInfo, case: CaseSpec, measurements: Sequence[Measurement]) -> Values:
    device = find_device(info.devices, case)
    details = device.details if device else {}
    provider = _agreed(_listed(m.facts.get("providers")) for m in measurements)
    return {
        **case_keys(case),
        "device_kind": device.kind if device else None,
        "device_name": device.name if device else None,
        "device_memory_gib": memory_gib(device.memory_bytes) if device else None,
        "device_units": details.get("multi_processor_count"),  # fewer on a slice of the same chip
        "device_count": 1,  # a case runs on one device; others in the same machine take no part
        **_of_machine(_MACHINE_KEYS, measurements),
        "execution_provider": provider if provider is not None else details.get("execution_provider"),
        "support": _agreed(m.support.level if m.support else None for m in measurements),
        **_of_facts(_FACT_KEYS, measurements),
        "schema_major": SCHEMA_MAJOR if info.schema_version <= SCHEMA_VERSION else info.schema_version,
        "metric_definition": _agreed(m.stats.definition if m.stats else None for m in measurements),
    }


def _context(info: RunInfo, case: CaseSpec, measurements: Sequence[Measurement]) -> Values:
    device, environment, measure = find_device(info.devices, case), info.environment, info.measure
    details = device.details if device else {}
    packages = {k: v for k, v in environment.packages.items() if k not in _IDLE_PACKAGES}
    return {
        **{f"package {name}": version for name, version in sorted(packages.items())},
        **{f"device {name}": details[name] for name in ("cuda", "rocm", "driver_version", "flags") if name in details},
        "driver": _agreed(m.machine.get("driver") for m in measurements) or environment.packages.get("nvidia-driver"),
        **_of_machine(_MACHINE_CONTEXT, measurements),
        **_of_facts(_FACT_CONTEXT, measurements),
        "threads": _agreed(_threads(m) for m in measurements),
        **{f"variable {name}": value for name, value in sorted(environment.variables.items())},
        "python": environment.python_version,
        "platform": environment.platform,
        "container": environment.container,
        "chipmark": environment.chipmark_version,
        "cpu_name": environment.cpu_name,
        "cpu_count": environment.cpu_count_usable or environment.cpu_count_logical,
        "host_memory_gib": memory_gib(environment.memory_bytes),
        "host_id": environment.host_id,
        "scenarios": ", ".join(case.scenarios),
        "min_seconds": measure.min_seconds,
        "min_iterations": measure.min_iterations,
        "max_seconds": measure.max_seconds,
        "half_width": measure.half_width,
    }


def memory_gib(memory_bytes: int | None) -> float | None:
    """Memory in GiB to two significant digits: what is left of it differs a little from boot to boot."""
    if not memory_bytes or memory_bytes < 0:
        return None
    gib = memory_bytes / 2**30
    return round(gib, 1 - math.floor(math.log10(gib)))


def _tells_the_same(one: Measurement, other: Measurement) -> bool:
    """Whether nothing that is read here differs; so it nearly always is."""
    return (
        one.facts == other.facts
        and one.machine == other.machine
        and one.support == other.support
        and (one.stats and one.stats.definition) == (other.stats and other.stats.definition)
    )


def _threads(measurement: Measurement) -> Scalar:
    facts, options = measurement.facts, measurement.case.options
    told = (measurement.machine.get("num_threads"), facts.get("threads"), facts.get("intra_op_num_threads"))
    for value in (*told, options.get("threads")):
        if value is not None:
            return value if isinstance(value, int | str) else str(value)
    return None


def _of_facts(names: Iterable[str], measurements: Sequence[Measurement]) -> Values:
    """Those of the facts that are known at all."""
    return _known(names, [m.facts for m in measurements])


def _of_machine(names: Iterable[str], measurements: Sequence[Measurement]) -> Values:
    return _known(names, [m.machine for m in measurements])


def _known(names: Iterable[str], found: Sequence[Mapping[str, object]]) -> Values:
    told = [name for name in names if any(values.get(name) is not None for values in found)]
    return {name: _agreed(_listed(values.get(name)) for values in found) for name in told}


def _agreed(values: Iterable[Scalar]) -> Scalar:
    """The one value that is known, None if none is, all of them as text if there are several."""
    known = {value: None for value in values if value is not None}
    return next(iter(known), None) if len(known) < 2 else " | ".join(sorted(map(_text, known)))


def _listed(value: object) -> Scalar:
    """A fact as a scalar."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Sequence):
        return ", ".join(map(str, value))
    return str(value)


def _text(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
