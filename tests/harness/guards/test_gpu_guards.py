"""Guards of NVIDIA cards: the real pynvml over a compiled stub of the driver's library."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.guards.guard_set import NVIDIA
from tests.nvml_stub.build import ROOT, Machine

UUID = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
S, GIB = 1_000_000_000, 2**30
PROBE = "tests.harness.guards.gpu_probe:watch"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("nvml"))
    yield made
    made.close()


def healthy(pid: int, card: int = 0) -> dict[str, object]:
    """A card on which every guard passes, used by ``pid`` only."""
    values = {
        "uuid": f"GPU-{UUID}", "pci": "0000:17:00.0", "sm_clock": 1980, "temperature": 55, "power_limit_mw": 700_000,
        "power_limit_default_mw": 700_000, "persistence_mode": 1, "compute_mode": 0, "virtualization_mode": 0,
        "application_clock": 1980, "application_clock_default": 1980, "mig_mode": 0, "ecc_mode": 1, "ecc_errors": 0,
        "event_bits": 0, "memory_used": 3 * GIB, "processes": f"{pid}/{3 * GIB}", "field.74": "u64:500",
        "field.75": "u64:500", "field.252": "u64:500", "field.253": "u64:0", "field.270": "u32:1", "field.271": "u32:0",
    }  # fmt: skip
    return {"driver": "580.65.06", **{f"card.{card}.{key}": value for key, value in values.items()}}


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(machine: Machine) -> Ask:
    """The verdict of one guard when these values of the healthy card are changed (None: not supported)."""

    def call(name: str, changes: dict[str, object] | None = None, **arguments: object) -> dict[str, Any]:
        state = healthy(machine.pid) | {f"card.0.{key}": value for key, value in (changes or {}).items()}
        state = {key: value for key, value in state.items() if value is not None}
        found = machine.call(PROBE, state, **{"details": {"uuid": UUID}, **arguments})
        return {**found["guards"][name], "machine": found["machine"]}

    return call


def test_a_healthy_card_passes_every_guard_and_tells_its_state(machine: Machine) -> None:
    found = machine.call(PROBE, healthy(machine.pid), details={"uuid": UUID}, driver="580.65.06")
    assert {name: guard["verdict"] for name, guard in found["guards"].items()} == dict.fromkeys(NVIDIA, "PASS")
    expected = {
        "power_limit_w": 700.0, "power_limit_default_w": 700.0, "mig_mode": "disabled", "virtualization": "none",
        "clock_lock": "default", "ecc_mode": "enabled", "driver": "580.65.06", "persistence_mode": "enabled",
        "compute_mode": "default", "temperature_start_celsius": 55, "temperature_end_celsius": 55,
        "sm_clock_median_hz": 1.98e9, "sm_clock_p5_hz": 1.98e9, "sm_clock_p95_hz": 1.98e9, "num_sm_clock_samples": 8,
    }  # fmt: skip
    assert expected.items() <= found["machine"].items()


def test_every_fact_is_documented_and_no_other(machine: Machine) -> None:
    section = (ROOT / "docs" / "guards.md").read_text().split("\n## What the machine's facts are")[1]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = set(re.findall(r"`(\w+)`", "".join(cells)))
    found = set(machine.call(PROBE, healthy(machine.pid), details={"uuid": UUID})["machine"])
    of_cpus = {"cpu_time_share", "num_threads", "num_usable_cpus"}
    assert documented == found | of_cpus | {"clock_lock_reason"}


@pytest.mark.parametrize(
    ("name", "changes", "value", "verdict"),
    [
        # 20 ms and 20.1 ms of 2 s are 1 %: counters of drivers up to 580, then those of newer ones.
        ("throttle_hw", {"field.252": ["u64:0", "u64:0", f"u64:{S // 50}"]}, 0.01, "WARN"),
        ("throttle_hw", {"field.253": ["u64:0", "u64:0", f"u64:{S // 10}"]}, 0.05, "FAIL"),
        ("throttle_hw", {"field.252": "u32:1", "field.253": "u32:1", "field.271": "u64:9",
                         "field.270": ["u64:0", "u64:0", f"u64:{S // 10}"]}, 0.05, "FAIL"),
        # Both pairs answer like counters: neither is believed, the event bits decide.
        ("throttle_hw", {"field.270": ["u64:0", "u64:0", f"u64:{S}"], "field.271": "u64:0"}, 0.0, "PASS"),
        ("throttle_hw", {"field.252": None, "event_bits": [0, 0, 0, 0x8, 0]}, None, "FAIL"),
        # A counter that stands still while the bits say otherwise is not believed.
        ("throttle_hw", {"event_bits": 0x40}, 1.0, "FAIL"),
        ("throttle_hw", {"event_bits": 0x25}, 0.0, "PASS"),  # other causes
        ("throttle_sw_thermal", {"field.75": ["u64:0", "u64:0", f"u64:{S // 50}"]}, 0.01, "WARN"),
        ("throttle_sw_thermal", {"field.75": ["u64:0", "u64:0", f"u64:{S // 5}"]}, 0.1, "FAIL"),
        ("throttle_sw_thermal", {"field.75": "error:3", "event_bits": 0x20}, 1.0, "FAIL"),
        ("throttle_sw_power", {"field.74": ["u64:0", "u64:0", f"u64:{S // 20}"]}, 0.025, "PASS"),
        ("throttle_sw_power", {"field.74": ["u64:0", "u64:0", f"u64:{S * 2}"]}, 1.0, "WARN"),
        # It advanced by more than the time that passed: not nanoseconds.
        ("throttle_sw_power", {"field.74": ["u64:0", "u64:0", f"u64:{S * 9}"]}, 0.0, "PASS"),
        ("sm_clock_spread", {"sm_clock": [1980, 1980, 1950, 1980]}, 30 / 1980, "PASS"),
        ("sm_clock_spread", {"sm_clock": [1980, 1980, 1920, 1980]}, 60 / 1980, "WARN"),
        ("sm_clock_spread", {"sm_clock": [1980, 1980, 1200, 1980]}, 780 / 1980, "FAIL"),
        ("temperature_drift", {"temperature": [55, 58]}, 3, "PASS"),
        ("temperature_drift", {"temperature": [59, 55]}, 4, "WARN"),
        ("temperature_drift", {"temperature": [50, 59]}, 9, "FAIL"),
        ("power_limit", {"power_limit_mw": 350_000}, 0.5, "WARN"),
        ("power_limit", {"power_limit_mw": 800_000}, 0.0, "PASS"),
        ("mig_vgpu", {"mig_mode": 1}, 1, "WARN"),
        ("mig_vgpu", {"mig_mode": None}, 0, "PASS"),
        ("mig_vgpu", {"virtualization_mode": 1}, 0, "PASS"),
        ("mig_vgpu", {"virtualization_mode": 2}, 1, "WARN"),
        ("ecc", {"ecc_mode": 0, "ecc_errors": None}, None, "UNKNOWN"),  # nothing counts them
        ("ecc", {"ecc_errors": [4, 6]}, 2, "FAIL"),
        ("ecc", {"ecc_mode": [1, 0]}, 1, "FAIL"),
        ("driver_change", {"compute_mode": [0, 3]}, 1, "FAIL"),
        ("driver_change", {"persistence_mode": None, "compute_mode": None}, 0, "PASS"),
        ("foreign_memory", {"memory_used": 5 * GIB}, 2 * GIB, "WARN"),
        ("foreign_memory", {"memory_used": 4 * GIB}, GIB, "PASS"),
    ],
)  # fmt: skip
def test_both_ways(ask: Ask, name: str, changes: dict[str, object], value: float | None, verdict: str) -> None:
    guard = ask(name, changes)
    assert guard["verdict"] == verdict, guard
    if value is not None:
        assert guard["value"] == pytest.approx(value)
    assert guard["reason"]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("sm_clock_spread", {"sm_clock": None}), ("sm_clock_spread", {"sm_clock": [1980, "error:15"]}),
        ("temperature_drift", {"temperature": None}), ("power_limit", {"power_limit_mw": None}),
        ("power_limit", {"power_limit_default_mw": None}), ("mig_vgpu", {"mig_mode": "error:4"}),
        ("mig_vgpu", {"virtualization_mode": None}), ("ecc", {"ecc_mode": None}), ("ecc", {"ecc_errors": None}),
        ("foreign_processes", {"processes": "error:4"}), ("foreign_memory", {"memory_used": None}),
        ("throttle_hw", {"field.252": None, "event_bits": None}), ("throttle_sw_thermal", {"field.75": None, "event_bits": None}),
        ("throttle_sw_power", {"field.74": "u32:0", "event_bits": "error:999"}),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_unknown_and_the_other_guards_go_on(
    ask: Ask, name: str, missing: dict[str, object]
) -> None:
    guard = ask(name, missing)
    assert (guard["verdict"], guard["value"]) == ("UNKNOWN", None)
    assert "nvml" in guard["reason"] or "NVML" in guard["reason"]
    assert guard["machine"]["driver"] == "580.65.06"


def test_few_samples_of_the_clock_are_unknown_but_told(ask: Ask) -> None:
    guard = ask("sm_clock_spread", {}, marks=2)
    assert (guard["verdict"], guard["machine"]["num_sm_clock_samples"]) == ("UNKNOWN", 4)


def test_a_driver_that_changed_since_the_run_began_fails(ask: Ask) -> None:
    guard = ask("driver_change", {}, driver="570.1")
    assert (guard["verdict"], guard["value"]) == ("FAIL", 1)
    assert guard["reason"] == "driver: 570.1 then, 580.65.06 now"


# ---- who is on the card


def processes(*entries: str) -> dict[str, object]:
    return {"processes": ",".join(entries) or "-"}


def test_foreign_processes(ask: Ask, machine: Machine) -> None:
    own = f"{machine.pid}/{GIB}"
    assert ask("foreign_processes", processes(own))["verdict"] == "PASS"
    guard = ask("foreign_processes", processes(own, "999999/1024"))
    assert (guard["verdict"], guard["value"]) == ("FAIL", 1)
    came_later = ask("foreign_processes", {"processes": [own, f"{own},999999/1024"]})
    assert came_later["verdict"] == "FAIL"


def test_in_a_pid_namespace_the_list_cannot_be_trusted(ask: Ask) -> None:
    hidden = ask("foreign_processes", processes())
    assert (hidden["verdict"], hidden["value"]) == ("UNKNOWN", None)
    assert "PID namespace" in hidden["reason"]
    itself = ask("foreign_processes", processes("999999/1024"))  # the worker, by the host's number
    assert itself["verdict"] == "UNKNOWN"
    two = ask("foreign_processes", processes("999998/1024", "999999/1024"))
    assert (two["verdict"], two["value"]) == ("FAIL", 1)


def test_memory_of_somebody_hidden_shows(ask: Ask) -> None:
    seen = ask("foreign_memory", {"memory_used": 9 * GIB, **processes()}, own_bytes=6 * GIB)
    assert (seen["verdict"], seen["value"]) == ("WARN", 2 * GIB)
    assert ask("foreign_memory", {"memory_used": 7 * GIB, **processes()}, own_bytes=6 * GIB)["verdict"] == "PASS"
    nobody_knows = ask("foreign_memory", processes())
    assert nobody_knows["verdict"] == "UNKNOWN"


def test_a_process_whose_memory_is_not_told_does_not_explain_any(ask: Ask, machine: Machine) -> None:
    guard = ask("foreign_memory", {"memory_used": 9 * GIB, **processes(f"{machine.pid}/none")}, own_bytes=2 * GIB)
    assert (guard["verdict"], guard["value"]) == ("WARN", 6 * GIB)


# ---- which card


def test_cards_are_found_by_uuid_and_not_by_index(machine: Machine) -> None:
    hot = healthy(0, card=0) | {
        "card.0.uuid": f"GPU-{OTHER}",
        "card.0.pci": "0000:01:00.0",
        "card.0.temperature": [50, 90],
    }
    state = hot | healthy(machine.pid, card=1)
    assert machine.call(PROBE, state, details={"uuid": UUID})["guards"]["temperature_drift"]["verdict"] == "PASS"
    assert machine.call(PROBE, state, details={"uuid": OTHER})["guards"]["temperature_drift"]["verdict"] == "FAIL"


def test_without_a_uuid_the_bus_id_finds_the_card(machine: Machine) -> None:
    found = machine.call(PROBE, healthy(machine.pid), details={"pci_bus_id": "0000:17:00.0"})
    assert found["guards"]["temperature_drift"]["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("details", "reason"),
    [({}, "neither UUID nor PCI bus id"), ({"uuid": OTHER}, f"no card with UUID {OTHER}"),
     ({"pci_bus_id": "0000:99:00.0"}, "PCI bus id 0000:99:00.0")],
)  # fmt: skip
def test_a_card_that_is_not_found_is_unknown_throughout(machine: Machine, details: dict[str, str], reason: str) -> None:
    another = {key: value for key, value in healthy(machine.pid, card=1).items() if key != "driver"}
    another |= {"card.1.uuid": "GPU-77777777-2222-3333-4444-555555555555", "card.1.pci": "0000:98:00.0"}
    found = machine.call(PROBE, healthy(machine.pid) | another, details=details)
    assert {guard["verdict"] for guard in found["guards"].values()} == {"UNKNOWN"}
    assert all(reason in guard["reason"] for guard in found["guards"].values())


def test_a_mig_slice_is_tagged_and_its_clocks_are_the_cards(machine: Machine) -> None:
    part = "77777777-2222-3333-4444-555555555555"
    slice_of_it = {"mig.0.uuid": f"MIG-{part}", "mig.0.parent": 0, "mig.0.memory_used": GIB}
    slice_of_it["mig.0.processes"] = f"{machine.pid}/{GIB}"
    state = healthy(machine.pid) | slice_of_it | {"card.0.mig_mode": 1, "card.0.virtualization_mode": "error:3"}
    found = machine.call(PROBE, state, details={"uuid": part})
    verdicts = {name: guard["verdict"] for name, guard in found["guards"].items()}
    assert verdicts == dict.fromkeys(NVIDIA, "PASS") | {"mig_vgpu": "WARN"}
    assert found["machine"]["mig_mode"] == "enabled"
    assert "whole card" in found["guards"]["mig_vgpu"]["reason"]


@pytest.mark.parametrize(
    ("changes", "lock"),
    [({}, "default"), ({"application_clock": 1410}, "application clock 1410 MHz"),
     ({"application_clock": None}, "no application clocks"), ({"application_clock": "error:4"}, None)],
)  # fmt: skip
def test_clock_lock_policy(ask: Ask, changes: dict[str, object], lock: str | None) -> None:
    facts = ask("sm_clock_spread", changes)["machine"]
    assert facts["clock_lock"] == lock
    assert ("clock_lock_reason" in facts) == (lock is None)


# ---- other versions of the library


def test_functions_that_a_driver_lacks_are_unknown(tmp_path_factory: pytest.TempPathFactory) -> None:
    lacking = ["nvmlDeviceGetClockInfo", "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetFieldValues",
               "nvmlDeviceGetMigMode", "nvmlDeviceGetMemoryInfo_v2"]  # fmt: skip
    old = Machine(tmp_path_factory.mktemp("old-nvml"), without=lacking)
    try:
        found = old.call(PROBE, healthy(old.pid) | {"card.0.event_bits": 0x4}, details={"uuid": UUID})
    finally:
        old.close()
    assert found["guards"]["sm_clock_spread"]["verdict"] == "UNKNOWN"
    assert found["guards"]["throttle_sw_power"]["value"] == 1.0  # by the bits' name before driver 535
    assert found["machine"]["mig_mode"] == "not supported"
    assert found["guards"]["foreign_memory"]["verdict"] == "PASS"


def test_without_the_library_every_guard_of_the_card_is_unknown() -> None:
    from tests.harness.guards.gpu_probe import watch

    found = watch({"uuid": UUID})
    assert {guard["verdict"] for guard in found["guards"].values()} == {"UNKNOWN"}
    assert all(guard["reason"] for guard in found["guards"].values())
