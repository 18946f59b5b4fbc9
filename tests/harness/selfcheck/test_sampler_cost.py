"""What the power sampler costs: by the real sampler thread on fake sensors, and the figures from given times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from harness import meters
from harness.meters.base import Capability, not_for
from harness.meters.channel import Channel, Domain
from harness.meters.sampled import SampledMeter
from harness.selfcheck import check, sampler_cost
from harness.selfcheck.sampler_cost import (
    STAND_IN,
    THIS_CPU,
    FilePolling,
    MeterPolling,
    first_polling,
    median_interval,
)
from results.errors import ChipmarkError
from results.records import Device
from results.registry import Registry

GPU = Device(id="fake:0", backend="fake", kind="fake", name="Fake GPU")


class Polled(SampledMeter):
    """A counter of the fake GPU."""

    num_reads = 0

    def probe(self, device: Device) -> Capability:
        return Capability(source="counter", scope="gpu_board") if device.kind == "fake" else not_for("fakes")

    def domains(self, device: Device) -> list[Domain]:
        return [Domain("gpu_board", "0", (Channel("counter", self._read, "counter"),))]

    def _read(self) -> int:
        self.num_reads += 1
        return self.num_reads


class Lost(Polled):
    """Cannot start."""

    def domains(self, device: Device) -> list[Domain]:
        raise OSError("gone")


class Difference:
    """Reads the CPU without being polled."""

    def probe(self, device: Device) -> Capability:
        return Capability(source="difference", scope="cpu_package")

    def start(self, device: Device) -> None: ...

    def stop(self, window: object) -> list:
        return []


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    fresh: Registry = Registry("meter", "chipmark.no_such_group", {}, members=("probe", "start", "stop"))
    monkeypatch.setattr(meters, "REGISTRY", fresh)
    yield fresh
    assert not [thread for thread in threading.enumerate() if thread.name == "chipmark-power"]


def test_the_meters_of_an_accelerator_are_polled_by_the_shared_sampler(registry: Registry) -> None:
    registry.add("polled", meter := Polled())
    registry.add("difference", Difference())
    polling = first_polling([THIS_CPU, GPU])
    assert polling.source == "polled of fake:0 (Fake GPU)"
    before = meter.num_reads
    polling.on()
    assert [thread for thread in threading.enumerate() if thread.name == "chipmark-power"]
    polling.off()
    assert meter.num_reads >= before + 2


@pytest.mark.parametrize("meter", [None, Difference, Lost], ids=["none", "not polled", "lost"])
def test_where_nothing_is_polled_a_file_stands_in(registry: Registry, meter: type | None) -> None:
    if meter is not None:
        registry.add("one", meter())
    assert MeterPolling(GPU).source == ""
    polling = first_polling([GPU, THIS_CPU])
    assert polling.source == STAND_IN
    polling.on()
    polling.off()
    assert isinstance(polling, FilePolling)
    (tape,) = polling._tapes
    assert len(tape.values) >= 2
    assert not tape.fault
    assert min(tape.values) > 0


class Recorded:
    """Says when it polls."""

    source = "recorded"

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def on(self) -> None:
        self.log.append("on")

    def off(self) -> None:
        self.log.append("off")


def clock_of(log: list[str], polled_ns: int, bare_ns: int) -> Any:
    """A clock on which a half takes ``polled_ns`` or ``bare_ns``."""
    now = [0]

    def now_ns() -> int:
        is_polled = [word for word in log if word != "clock"][-1:] == ["on"]
        log.append("clock")
        now[0] += polled_ns if is_polled else bare_ns
        return now[0]

    return now_ns


def test_halves_are_in_turns_and_only_work_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    monkeypatch.setattr(sampler_cost, "WARMUP_S", 0.001)
    monkeypatch.setattr(sampler_cost.HostClock, "now_ns", staticmethod(clock_of(log, 10_300_000_000, 10_000_000_000)))
    found = sampler_cost.sampler_cost(1, Recorded(log), 8)
    assert (found.ratio, found.half_width, found.source) == (1.03, 0.0, "recorded")
    bare, polled = ["clock", "clock"], ["on", "clock", "clock", "off"]
    assert log[2:] == 4 * [*bare, *polled, *polled, *bare]


def test_a_clock_that_stands_still_is_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_cost, "WARMUP_S", 0.001)
    monkeypatch.setattr(sampler_cost.HostClock, "now_ns", staticmethod(lambda: 5))
    with pytest.raises(ChipmarkError, match="clock did not move"):
        sampler_cost.sampler_cost(1, Recorded([]), 8)


def test_the_interval_is_of_the_median_and_wild_pairs_do_not_move_it() -> None:
    values = [1 + k / 1000 for k in range(-7, 8)]  # 15: ranks 4 and 12 hold the median with 96.5 %
    middle, half = median_interval(values)
    assert (middle, half) == (1.0, pytest.approx(0.004))
    values[-1] = 900.0
    assert median_interval(values[::-1]) == (middle, half)
    assert median_interval([1.0] * 9 + [3.0])[1] == 0.0  # ranks 2 and 9 of 10
    with pytest.raises(ChipmarkError, match="3 pairs are too few"):
        median_interval([1.0, 1.0, 1.0])


def test_the_farther_end_counts() -> None:
    assert median_interval([1.0] * 8 + [1.2] * 7) == (1.0, pytest.approx(0.2))
    assert median_interval([0.8] * 7 + [1.0] * 8) == (1.0, pytest.approx(0.2))


def test_what_cannot_be_measured_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object) -> None:
        raise ChipmarkError("no clock")

    monkeypatch.setattr(sampler_cost, "sampler_cost", fails)
    assert check._sampler_fields(1, True) == {
        "notes": ("what the power sampler costs could not be measured: no clock",)
    }
