"""The NVIDIA meter: the real pynvml over a compiled stub of the driver's library, on real time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.meters.cards import A100, ADA, BLACKWELL, HOPPER, card, uuid, wave
from tests.nvml_stub.build import Machine

PROBE = "tests.harness.meters.nvidia_probe:"
COUNTER, USAGE = "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage"
INSTANT = "nvmlDeviceGetFieldValues field 186 POWER_INSTANT scope 0 GPU"
AVERAGE = "nvmlDeviceGetFieldValues field 185 POWER_AVERAGE scope 0 GPU"
HERE = {"uuid": uuid(0)}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("nvml"))
    yield made
    made.close()


def ask(machine: Machine, details: dict[str, object] = HERE, **changes: Any) -> dict[str, Any]:
    return machine.call(PROBE + "capability", card(wave(), **changes), details=details)


@pytest.mark.parametrize(
    ("changes", "source", "averaging_s", "part_time"),
    [
        ({}, COUNTER, None, False),
        ({"capability": "7.5"}, COUNTER, None, False),
        # Where the sensor looks part-time, or nobody knows, the counter may count what it sees.
        *[({"capability": c}, COUNTER, None, True) for c in ("7.0", "6.1", A100, HOPPER, BLACKWELL, "12.0", "5.2")],
        ({"energy_mj": None}, INSTANT, 0.1, False),
        ({"energy_mj": "error:4"}, INSTANT, 0.1, False),
        ({"energy_mj": 0}, INSTANT, 0.1, False),
        ({"energy_mj": None, "field__186": None}, AVERAGE, 1.0, False),
        ({"energy_mj": None, "field__186": 0}, AVERAGE, 1.0, False),
        ({"energy_mj": None, "field__186": None, "field__185": None}, USAGE, 1.0, False),
        # 25 ms of each 100 ms are looked at: an average goes before it, if there is one.
        ({"energy_mj": None, "capability": HOPPER}, AVERAGE, 1.0, False),
        ({"energy_mj": None, "capability": HOPPER, "field__185": None}, USAGE, 1.0, False),
        ({"energy_mj": None, "capability": HOPPER, "field__185": None, "power_mw": None}, INSTANT, 0.025, True),
        ({"energy_mj": None, "capability": A100, "field__185": None}, INSTANT, 0.025, True),
        ({"energy_mj": None, "capability": A100, "field__185": None, "field__186": None}, USAGE, 0.025, True),
        ({"energy_mj": None, "capability": "7.0", "field__185": None}, INSTANT, 0.01, True),
        ({"energy_mj": None, "capability": "7.5"}, INSTANT, 0.1, False),
        ({"energy_mj": None, "capability": BLACKWELL}, AVERAGE, 1.0, True),
        ({"energy_mj": None, "capability": BLACKWELL, "field__185": None}, USAGE, 1.0, True),
        ({"energy_mj": None, "capability": BLACKWELL, "field__185": None, "power_mw": None}, INSTANT, None, True),
        ({"energy_mj": None, "capability": "5.2", "field__185": None, "field__186": None}, USAGE, None, True),
    ],
)  # fmt: skip
def test_the_best_source_is_taken(
    machine: Machine, changes: dict[str, Any], source: str, averaging_s: float | None, part_time: bool
) -> None:
    found = ask(machine, **changes)
    assert (found["reason"], found["source"], found["scope"]) == ("", source, "gpu_board")
    assert (found["averaging_s"], found["part_time"]) == (averaging_s, part_time)
    assert found["device_id"] == f"GPU-{uuid(0)}"
    assert (found["resolution_j"], found["resolution_w"]) == ((1e-3, None) if source == COUNTER else (None, 1e-3))


def test_notes_say_what_is_not_known(machine: Machine) -> None:
    def notes(**changes: Any) -> str:
        return "; ".join(ask(machine, **changes)["notes"])

    assert "+-5 %" in notes()
    assert "not known" not in notes()
    assert "what feeds the energy counter is not known" in notes(capability=A100)
    assert "sensor window" not in notes(capability=A100)
    assert "sensor window not known" in notes(capability=BLACKWELL)
    assert "what feeds the energy counter is not known" in notes(capability=BLACKWELL)
    assert "what feeds" not in notes(capability=BLACKWELL, energy_mj=None)
    assert f"not used: {COUNTER}: Insufficient Permissions" in notes(energy_mj="error:4")


@pytest.mark.parametrize(
    ("capability", "update_s"),
    [("7.0", 0.02), (A100, 0.1), (HOPPER, 0.1), (BLACKWELL, 0.1), ("5.2", 0.1), (ADA, None), ("7.5", None)],
)
def test_period_that_a_load_may_resonate_with(machine: Machine, capability: str, update_s: float | None) -> None:
    assert ask(machine, capability=capability)["update_s"] == update_s


def test_capability_is_torchs_where_nvml_has_none(machine: Machine) -> None:
    details = {**HERE, "compute_capability": HOPPER}
    assert ask(machine, details, compute_capability=None, energy_mj=None)["source"] == AVERAGE
    assert ask(machine, HERE, compute_capability=None)["part_time"]
    no_average = {"energy_mj": None, "field__185": None}
    assert ask(machine, HERE, compute_capability=None, **no_average)["averaging_s"] is None


@pytest.mark.parametrize(
    ("changes", "reason", "remedy"),
    [
        ({"mig_mode": 1}, "shared_device: MIG", ""),
        ({"mig_mode": "error:4"}, "nvmlDeviceGetMigMode: Insufficient Permissions", "NVIDIA_DRIVER_CAPABILITIES"),
        ({"virtualization_mode": 2}, "shared_device: virtualization is vgpu,", ""),
        ({"virtualization_mode": 3}, "shared_device: virtualization is host vgpu", ""),
        ({"virtualization_mode": 4}, "shared_device: virtualization is host vsga", ""),
        ({"virtualization_mode": 9}, "the virtualization mode 9 is not known", ""),
        ({"virtualization_mode": 1}, "", ""),
        ({"mig_mode": None, "virtualization_mode": None}, "", ""),
        ({"handle": "error:4"}, "nvmlDeviceGetHandleByUUID: Insufficient Permissions", "NVIDIA_DRIVER_CAPABILITIES"),
        ({"handle": "error:15"}, "nvmlDeviceGetHandleByUUID: GPU is lost", "reset the card"),
        ({"energy_mj": "error:4", "power_mw": "error:4", "field__185": "error:4", "field__186": "error:4"},
         "field 186 scope 0: Insufficient Permissions", "NVIDIA_DRIVER_CAPABILITIES"),
        ({"energy_mj": None, "power_mw": None, "field__185": None, "field__186": None},
         "the card tells neither energy nor power (driver 580.65.06)", ""),
        ({"fail_after_ms": "0:15"}, "GPU is lost", "reset the card"),
        ({"uuid": "GPU-other"}, f"NVML knows no card with UUID {uuid(0)}", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_read_has_a_reason(machine: Machine, changes: dict[str, Any], reason: str, remedy: str) -> None:
    found = ask(machine, **changes)
    assert found["applies"]
    assert reason in found["reason"]
    assert bool(reason) == bool(found["reason"])
    assert remedy in found["remedy"]
    assert bool(remedy) == bool(found["remedy"])
    assert found["reason"].startswith("shared_device: ") == reason.startswith("shared_device")


@pytest.mark.parametrize(("code", "remedy"), [(9, "modprobe nvidia"), (12, "libnvidia-ml"), (18, "restart")])
def test_nvml_that_does_not_start(machine: Machine, code: int, remedy: str) -> None:
    found = machine.call(PROBE + "capability", {**card(wave()), "init": f"error:{code}"}, details=HERE)
    assert found["reason"].startswith("NVML cannot be used: ")
    assert remedy in found["remedy"]


def test_without_library_or_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from tests.harness.meters.nvidia_probe import capability

    found = capability(HERE)
    assert "NVML Shared Library Not Found" in found["reason"]
    assert "--gpus all" in found["remedy"]
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = capability(HERE)
    assert "pynvml" in found["reason"]
    assert found["remedy"] == "pip install nvidia-ml-py"


def test_a_mig_slice_is_shared(machine: Machine) -> None:
    part = "77777777-1111-2222-3333-444444444444"
    state = {**card(wave(), mig_mode=1), "mig.0.uuid": f"MIG-{part}", "mig.0.parent": 0}
    for spelling in (part, f"MIG-{part}"):
        found = machine.call(PROBE + "capability", state, details={"uuid": spelling})
        assert found["reason"].startswith("shared_device: MIG")


@pytest.mark.parametrize("kind", ["rocm", "cpu", "mps", "xpu"])
def test_other_devices_are_not_its_business(machine: Machine, kind: str) -> None:
    found = machine.call(PROBE + "capability", card(wave()), details=HERE, kind=kind)
    assert (found["applies"], found["reason"]) == (False, "reads NVIDIA GPUs only")


def test_module_and_memory_are_scopes_of_their_own(machine: Machine) -> None:
    found = ask(machine, field__186__scope__1="trace*1.5", field__185__scope__2="trace*0.2")
    assert (found["scope"], found["beside"]) == ("gpu_board", ["module", "gpu_memory"])
    # A driver that knows no scopes tells the same in each.
    assert ask(machine, field__186="u32:70000", field__186__scope__1="u32:70000")["beside"] == []
    alone = {"field__186": None, "field__185": None, "power_mw": None, "field__186__scope__1": "trace*1.5"}
    found = ask(machine, energy_mj=None, **alone)
    assert (found["scope"], found["beside"]) == ("module", [])
    found = ask(machine, **alone)  # of what the counter counts then, nobody says
    assert (found["scope"], found["source"].split()[-1]) == ("module", "MODULE")
    assert "the energy counter is not used" in "".join(found["notes"])


def measure(machine: Machine, state: dict[str, object], seconds: float = 0.53, **arguments: Any) -> Any:
    return machine.call(PROBE + "measure", state, details=HERE, seconds=seconds, **arguments)


@pytest.mark.parametrize(
    ("changes", "method"),
    [({}, "counter_tick"), ({"energy_mj": None}, "integral"), ({"energy_mj": None, "field__186": None}, "integral"),
     ({"energy_mj": None, "field__186": None, "field__185": None}, "integral")],
)  # fmt: skip
def test_energy_is_that_of_the_stub(machine: Machine, changes: dict[str, Any], method: str) -> None:
    power = wave()
    found = measure(machine, card(power, **changes), loaded_s=1.2, step_s=power.period_s)
    (reading,) = found["readings"]
    truth_w = power.power_w(found["spans"])
    assert reading["reason"] == ""
    assert reading["method"] == method
    assert abs(reading["average_power_w"] / truth_w - 1) <= reading["u_window"]
    assert reading["u_total"] == pytest.approx((reading["u_window"] ** 2 + 0.05**2) ** 0.5)
    assert (reading["power_limit_w"], reading["power_limit_default_w"]) == (450.0, 500.0)
    assert (reading["driver"], reading["device_id"]) == ("580.65.06", f"GPU-{uuid(0)}")
    if method == "counter_tick":
        assert reading["crosscheck_source"] == INSTANT
        assert reading["crosscheck_ratio"] == pytest.approx(1, abs=0.2)


def test_a_reading_of_a_counter_that_may_see_a_part_says_so(machine: Machine) -> None:
    (reading,) = measure(machine, card(wave(), capability=HOPPER), step_s=0.001)["readings"]
    assert (reading["method"], reading["part_time"]) == ("counter_tick", True)
    assert reading["u_window"] is None  # of one phase


def test_a_counter_with_a_gain_shows_in_the_cross_check(machine: Machine) -> None:
    (reading,) = measure(machine, card(wave(period_s=0.011), energy_mj="trace*1.5"))["readings"]
    assert reading["crosscheck_ratio"] == pytest.approx(1.5, abs=0.1)


def test_scopes_are_readings_of_their_own(machine: Machine) -> None:
    state = card(wave(), field__186__scope__1="trace*1.5", field__186__scope__2="trace*0.25")
    found = measure(machine, state)
    gpu, module, memory = found["readings"]
    assert [r["scope"] for r in found["readings"]] == ["gpu_board", "module", "gpu_memory"]
    assert module["average_power_w"] / gpu["average_power_w"] == pytest.approx(1.5, rel=0.2)
    assert memory["average_power_w"] / gpu["average_power_w"] == pytest.approx(0.25, rel=0.2)
    assert module["power_limit_w"] is None
    assert found["names"] == ["gpu_board_check_uw", "gpu_board_uj", "gpu_memory_uw", "module_uw"]


@pytest.mark.parametrize(("code", "text"), [(15, "GPU is lost"), (4, "Insufficient Permissions"), (999, "Unknown")])
def test_a_card_lost_on_the_way_has_no_energy(machine: Machine, code: int, text: str) -> None:
    power = wave()
    past_ms = (time.perf_counter_ns() - power.t0_ns) / 1e6
    (reading,) = measure(machine, card(power, fail_after_ms=f"{past_ms + 300}:{code}"))["readings"]
    assert reading["energy_j"] is None
    assert reading["reason"].startswith(f"the meter was lost: {COUNTER}: {text}")
    assert reading["num_samples"] > 0


def test_a_counter_that_starts_again_has_no_energy(machine: Machine) -> None:
    power = wave()
    past_ms = (time.perf_counter_ns() - power.t0_ns) / 1e6
    (reading,) = measure(machine, card(power, reset_ms=past_ms + 300))["readings"]
    assert reading["energy_j"] is None
    assert "the energy counter went back" in reading["reason"]


def test_a_counter_that_stands_still_has_no_energy(machine: Machine) -> None:
    (reading,) = measure(machine, card(wave(), energy_mj=123456), seconds=0.2)["readings"]
    assert reading["energy_j"] is None
    assert "did not move" in reading["reason"]


def test_the_card_with_the_uuid_is_read_among_eight(machine: Machine) -> None:
    state: dict[str, object] = {}
    start = wave()
    for number in range(8):
        state |= card(start._replace(high_w=100.0 * (number + 1), low_w=100.0 * (number + 1)), number)
    for number in (5, 2):
        for spelling in (uuid(number), f"GPU-{uuid(number)}"):
            found = machine.call(PROBE + "capability", state, details={"uuid": spelling})
            assert found["device_id"] == f"GPU-{uuid(number)}"
            _, power_uw = machine.call(PROBE + "values", state, details={"uuid": spelling})
            assert power_uw == (number + 1) * 100_000_000


def test_one_id_of_two_backends_may_be_two_cards(machine: Machine) -> None:
    ones, others = {"uuid": uuid(1)}, {"uuid": uuid(0)}
    found = machine.call(
        PROBE + "cards_of_one_meter", {**card(wave(), 0), **card(wave(), 1)}, details=ones, other=others
    )
    assert found == [f"GPU-{uuid(1)}", f"GPU-{uuid(0)}"]


def test_values_are_micro_joules_and_micro_watts(machine: Machine) -> None:
    state = card(wave(), energy_mj=123_456_789_012, field__186="u32:301234", field__186__scope__1="u64:400005")
    assert machine.call(PROBE + "values", state, details=HERE) == [123_456_789_012_000, 301_234_000, 400_005_000]
    state = card(wave(), energy_mj=None, field__186=None, field__185=None, power_mw=299_001)
    assert machine.call(PROBE + "values", state, details=HERE) == [299_001_000]


def test_power_from_a_file_is_integrated(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "power.txt").write_text("0 100000\n10 200000\n20 50000\n")
    state = card(wave(), trace=f"file:{tmp_path / 'power.txt'}", field__186=None, field__185=None, power_mw=None)
    (energy_uj,) = machine.call(PROBE + "values", state, details=HERE)
    elapsed_s = (time.perf_counter_ns() - int(str(state["t0_ns"]))) / 1e9
    assert energy_uj / 1e6 == pytest.approx(1000 + 2000 + 50 * (elapsed_s - 20), abs=100)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 1),
        ({"mig_mode": 1}, 0),
        ({"uuid": "GPU-other"}, 0),
        ({"handle": "error:4"}, 0),
        ({"mig_mode": "error:4"}, 0),
    ],
)
def test_nvml_is_left_open_only_where_there_is_something_to_read(
    machine: Machine, changes: dict[str, Any], count: int
) -> None:
    assert machine.call(PROBE + "left_open", card(wave(), **changes), details=HERE) == count
