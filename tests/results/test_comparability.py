from __future__ import annotations

import msgspec
import pytest

from results.comparability import case_keys, comparability, differences, memory_gib
from results.comparison import Difference
from results.records import Device
from tests.results.example_run import CPU, EMULATED, H100, case, measurement, run_info

SPEC = case("llm-decoder", "prefill", "bf16", device="cuda:0", shape={"b": 2, "a": 1}, options={"compile": True})
FACTS = {
    "precision_executed": "bf16", "num_parameters": 1000, "threads": 8, "attention_kernel": ["flash"],
    "peak_memory_bytes": 12345,
}  # fmt: skip
MACHINE = {"power_limit_w": 700.0, "mig_mode": "disabled", "clock_lock": "default", "ecc_mode": "enabled",
           "driver": "560.1", "temperature_start_celsius": 55.0}  # fmt: skip
RECORD = measurement(SPEC, facts=FACTS, machine=MACHINE)
INFO = run_info([(SPEC, 1)], (H100, CPU))


def keys_of(*records, info=INFO):
    return comparability(info, records or (RECORD,))[0]


def context_of(*records, info=INFO):
    return comparability(info, records or (RECORD,))[1]


def changed_environment(**changes):
    return msgspec.structs.replace(INFO, environment=msgspec.structs.replace(INFO.environment, **changes))


@pytest.mark.parametrize(("changes", "key", "values"), [
    ({"workload": "bert"}, "workload", ("llm-decoder", "bert")),
    ({"workload_version": 2}, "workload_version", (1, 2)),
    ({"phase": "decode"}, "phase", ("prefill", "decode")),
    ({"preset": "large"}, "preset", ("tiny", "large")),
    ({"precision": "fp16"}, "precision", ("bf16", "fp16")),
    ({"batch_size": 9}, "batch_size", (8, 9)),
    ({"shape": {"a": 1, "b": 3}}, "shape", ("a=1, b=2", "a=1, b=3")),
    ({"options": {}}, "options", ("compile=True", "")),
    ({"seed": 1}, "seed", (0, 1)),
])  # fmt: skip
def test_what_was_asked_for_is_a_key(changes, key, values):
    other = msgspec.structs.replace(RECORD, case=msgspec.structs.replace(SPEC, **changes))
    assert differences(keys_of(), keys_of(other)) == [Difference(key=key, base=values[0], new=values[1])]


@pytest.mark.parametrize(("changes", "key"), [
    ({"facts": FACTS | {"precision_executed": "tf32"}}, "precision_executed"),
    ({"facts": FACTS | {"num_parameters": 1001}}, "num_parameters"),
    ({"facts": FACTS | {"num_converted_layers": 3}}, "num_converted_layers"),
    ({"facts": FACTS | {"providers": ["CUDA", "CPU"]}}, "execution_provider"),
    ({"support": EMULATED}, "support"),
    ({"machine": MACHINE | {"power_limit_w": 500.0}}, "power_limit_w"),
    ({"machine": MACHINE | {"mig_mode": "enabled"}}, "mig_mode"),
    ({"machine": MACHINE | {"clock_lock": "application clock 1200 MHz"}}, "clock_lock"),
])  # fmt: skip
def test_what_really_ran_is_a_key(changes, key):
    other = msgspec.structs.replace(RECORD, **changes)
    assert [d.key for d in differences(keys_of(), keys_of(other))] == [key]
    assert context_of() == context_of(other)


@pytest.mark.parametrize(("changes", "key"), [
    ({"name": "NVIDIA H200"}, "device_name"), ({"kind": "rocm"}, "device_kind"),
    ({"memory_bytes": 39 * 2**30}, "device_memory_gib"), ({"details": {"multi_processor_count": 16}}, "device_units"),
])  # fmt: skip
def test_the_device_is_a_key(changes, key):
    other = msgspec.structs.replace(INFO, devices=(msgspec.structs.replace(H100, **changes), CPU))
    assert [d.key for d in differences(keys_of(), keys_of(info=other))] == [key]


@pytest.mark.parametrize(("changes", "key"), [
    ({"facts": FACTS | {"attention_kernel": ["math"]}}, "attention_kernel"),
    ({"facts": FACTS | {"threads": 4}}, "threads"),
    ({"machine": MACHINE | {"driver": "570.1"}}, "driver"),
    ({"machine": MACHINE | {"ecc_mode": "disabled"}}, "ecc_mode"),
])  # fmt: skip
def test_what_is_told_and_refuses_nothing(changes, key):
    other = msgspec.structs.replace(RECORD, **changes)
    assert [d.key for d in differences(context_of(), context_of(other))] == [key]
    assert keys_of() == keys_of(other)


@pytest.mark.parametrize(("changes", "key"), [
    ({"packages": {**INFO.environment.packages, "torch": "2.14.0"}}, "package torch"), ({"host_id": "ba9"}, "host_id"),
    ({"python_version": "3.12.1"}, "python"), ({"chipmark_version": "0.2.0"}, "chipmark"),
    ({"variables": {"OMP_NUM_THREADS": "4"}}, "variable OMP_NUM_THREADS"), ({"container": "docker"}, "container"),
    ({"cpu_name": "Other CPU"}, "cpu_name"), ({"cpu_count_usable": 4}, "cpu_count"),
])  # fmt: skip
def test_the_software_and_the_host_are_told(changes, key):
    info = changed_environment(**changes)
    assert [d.key for d in differences(context_of(), context_of(info=info))] == [key]
    assert keys_of() == keys_of(info=info)


def test_what_takes_no_part_is_not_told():
    info = changed_environment(packages={**INFO.environment.packages, "pandas": "9.9"})
    hotter = msgspec.structs.replace(RECORD, machine=MACHINE | {"temperature_start_celsius": 80.0})
    heavier = msgspec.structs.replace(RECORD, facts=FACTS | {"peak_memory_bytes": 1})
    assert comparability(info, [hotter]) == comparability(INFO, [heavier]) == comparability(INFO, [RECORD])


def test_threads_are_an_option_that_is_only_told():
    spec = msgspec.structs.replace(SPEC, options={"compile": True, "threads": 4, "tf32": False})
    assert case_keys(spec) == case_keys(SPEC)  # and an option that is off is none
    bare = measurement(spec)
    assert context_of(bare)["threads"] == 4
    assert context_of(measurement(SPEC))["threads"] is None


def test_processes_that_disagree_match_no_session_that_agrees():
    lower = msgspec.structs.replace(RECORD, machine=MACHINE | {"power_limit_w": 500.0})
    found = differences(keys_of(), keys_of(RECORD, lower, RECORD))
    assert found == [Difference(key="power_limit_w", base=700.0, new="500 | 700")]
    silent = msgspec.structs.replace(RECORD, machine={})
    assert keys_of(RECORD, silent) == keys_of()


def test_memory_may_differ_by_what_the_firmware_takes():
    of_host = [33_570_000_000, 33_569_123_456]
    assert memory_gib(of_host[0]) == memory_gib(of_host[1]) == 31.0
    assert memory_gib(79 * 2**30) == 79.0 != memory_gib(40 * 2**30)
    assert memory_gib(512 * 2**20) == 0.5
    assert (memory_gib(None), memory_gib(0), memory_gib(-1)) == (None, None, None)


def test_a_case_without_a_measurement_or_a_known_device():
    lost = case("llm-decoder", "prefill", "bf16", device="cuda:7")
    keys, context = comparability(INFO, [], lost)
    assert (keys["device_name"], keys["device_kind"], keys["support"], keys["workload"]) == (
        None,
        None,
        None,
        "llm-decoder",
    )
    assert context["host_id"] == "0123456789ab"


def test_onnxruntime_tells_its_provider_by_its_facts_or_its_device():
    device = Device(
        id="cpu", backend="onnxruntime", kind="cpu", name="C", details={"execution_provider": "CPUExecutionProvider"}
    )
    spec = case("resnet", "infer", "fp32", backend="onnxruntime")
    info = run_info([(spec, 1)], (device,))
    assert keys_of(measurement(spec), info=info)["execution_provider"] == "CPUExecutionProvider"
    both = measurement(spec, facts={"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]})
    assert keys_of(both, info=info)["execution_provider"] == "CUDAExecutionProvider, CPUExecutionProvider"


def test_keys_survive_being_stored():
    keys = keys_of()
    assert msgspec.json.decode(msgspec.json.encode(keys)) == keys
