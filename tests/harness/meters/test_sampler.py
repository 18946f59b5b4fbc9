"""The sampler's thread with a sensor made of numbers, and what a sampled meter makes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from harness.meters.base import EnergyWindow
from harness.meters.channel import Channel, Domain
from harness.meters.sampled import SampledMeter
from harness.meters.sampler import DEAR_S, MAX_POLL_S, MAX_SHARE, POLL_S, Sampler, Tape, poll_interval_s
from results.records import Device, EnergyReading

DEVICE = Device(id="fake:0", backend="fake", kind="fake", name="Fake")


def wait_for(done: Callable[[], bool]) -> None:
    for _ in range(2000):
        if done():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come")


def counter(read: Callable[[], int], **fields: object) -> Channel:
    return Channel("counter", read, "a counter", **fields)  # type: ignore[arg-type]


def watts(power_w: float) -> Callable[[], int]:
    """A counter that goes up with real time at ``power_w``."""
    return lambda: round(time.perf_counter_ns() * power_w / 1000)


def test_samples_are_midpoints_in_order_and_taken_by_a_thread_of_its_own() -> None:
    sampler, threads = Sampler(poll_s=0.001), set()

    def read() -> int:
        threads.add(threading.get_ident())
        return time.perf_counter_ns() // 1000

    (tape,) = sampler.add([counter(read)])
    wait_for(lambda: len(tape.values) > 5)
    sampler.remove([tape])
    trace = tape.trace()
    assert (trace.times_ns[1:] > trace.times_ns[:-1]).all()
    assert (abs(trace.times_ns // 1000 - trace.values) < 100_000).all()
    assert len(threads) == 1
    assert threading.get_ident() not in threads, "the caller never waits on a sensor"
    assert not [t for t in threading.enumerate() if t.name == "chipmark-power"]


def test_several_meters_share_one_thread_which_ends_with_the_last() -> None:
    sampler = Sampler(poll_s=0.001)
    (one,), (two,) = sampler.add([counter(lambda: 1)]), sampler.add([counter(lambda: 2)])
    assert len([t for t in threading.enumerate() if t.name == "chipmark-power"]) == 1
    sampler.remove([one])
    taken = len(one.values)
    wait_for(lambda: len(two.values) > 5)
    assert len(one.values) == taken
    sampler.remove([two])
    assert not [t for t in threading.enumerate() if t.name == "chipmark-power"]
    (again,) = sampler.add([counter(lambda: 3)])
    wait_for(lambda: len(again.values) > 3)
    sampler.remove([again])


def test_a_sensor_that_raises_is_asked_again_and_the_last_fault_is_known() -> None:
    answers = iter([1, RuntimeError("lost\nfor good"), 3, KeyError("gone"), 2**64])

    def read() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    tape = Tape(counter(read))
    clock = iter(range(0, 10_000, 10))
    faults = []
    for _ in range(5):
        tape.look(lambda: next(clock))
        faults.append(tape.fault)
    assert faults[:4] == ["", "lost", "", "'gone'"]
    assert faults[4]
    assert list(tape.values) == [1, 3]
    assert list(tape.times_ns) == [5, 35]
    assert tape.num_faults == 3


def test_a_window_has_a_look_at_both_its_ends_however_short() -> None:
    sampler = Sampler(poll_s=10.0)
    (tape,) = sampler.add([counter(lambda: 1)])
    time.sleep(0.05)
    taken = len(tape.values)
    start = time.perf_counter_ns()
    sampler.remove([tape])
    assert 1 <= taken <= 2
    assert tape.times_ns[-1] >= start
    assert len(tape.values) == taken + 1, "and none in between: the next poll is seconds away"


def test_a_sensor_that_does_not_answer_is_given_up_and_says_so() -> None:
    sampler, answer = Sampler(poll_s=0.001, stuck_s=0.1), threading.Event()
    hangs = threading.Event()

    def read() -> int:
        if hangs.is_set():
            answer.wait(30)
        return 7

    (tape,) = sampler.add([counter(read)])
    hangs.set()
    wait_for(lambda: threading.active_count() > 1)
    sampler.remove([tape])
    assert tape.fault == "the sensor did not answer within 0.1 s"
    (other,) = sampler.add([counter(lambda: 1)])
    assert other.fault == "", "another thread has taken over"
    wait_for(lambda: len(other.values) > 2)
    sampler.remove([other])
    answer.set()
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "chipmark-power"])
    assert tape.fault == "the sensor did not answer within 0.1 s"


def test_a_sensor_that_hangs_takes_no_other_with_it() -> None:
    sampler, answer = Sampler(poll_s=0.001, stuck_s=0.1), threading.Event()
    hangs = threading.Event()

    def read() -> int:
        if hangs.is_set():
            answer.wait(30)
        return 7

    (bad,), (good,) = sampler.add([counter(read)]), sampler.add([counter(lambda: 1)])
    hangs.set()
    time.sleep(0.02)
    sampler.remove([good])
    assert good.fault == ""
    sampler.remove([bad])
    assert bad.fault == "the sensor did not answer within 0.1 s"
    answer.set()
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "chipmark-power"])


def test_many_meters_come_and_go() -> None:
    sampler = Sampler(poll_s=0.0005)
    lost: list[Tape] = []

    def come_and_go() -> None:
        for _ in range(100):
            tapes = sampler.add([counter(lambda: 1), counter(lambda: 2)])
            sampler.remove(tapes)
            lost.extend(tape for tape in tapes if tape.fault or len(tape.values) < 2)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert lost == []
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "chipmark-power"])


@pytest.mark.parametrize(
    ("cost_s", "poll_s"),
    [(0.0, POLL_S), (DEAR_S, POLL_S), (0.002, 0.002 / MAX_SHARE), (0.005, 0.005 / MAX_SHARE), (10.0, MAX_POLL_S)],
)
def test_dear_looks_are_taken_more_rarely(cost_s: float, poll_s: float) -> None:
    assert poll_interval_s(cost_s) == pytest.approx(poll_s)


class NumberMeter(SampledMeter):
    """A sampled meter of these domains."""

    def __init__(self, domains: Sequence[Domain]) -> None:
        super().__init__(Sampler(poll_s=0.002))
        self._of = domains

    def domains(self, device: Device) -> Sequence[Domain]:
        return self._of


def meter_for(domains: Sequence[Domain], seconds: float = 0.3) -> list[EnergyReading]:
    meter = NumberMeter(domains)
    meter.start(DEVICE)
    start = time.perf_counter_ns()
    time.sleep(seconds)
    end = time.perf_counter_ns()
    readings = meter.stop(EnergyWindow(((start, end),), step_s=0.001, loaded_before_s=1.0))
    assert all(set(reading.trace.split()) <= set(meter.traces) for reading in readings)
    return readings


def test_each_scope_is_a_reading_of_its_own_and_parts_add_up() -> None:
    sockets = Domain("cpu_package", "a+b", (counter(watts(30.0)), counter(watts(50.0))))
    memory = Domain("dram", "c", (counter(watts(7.0)),), u_sensor=0.03, driver="1.2", power_limit_w=9.0)
    package, dram = meter_for([sockets, memory])
    assert package.average_power_w == pytest.approx(80.0, rel=0.02)
    assert dram.average_power_w == pytest.approx(7.0, rel=0.02)
    assert (package.scope, dram.scope, dram.u_sensor, dram.driver, dram.power_limit_w) == (
        "cpu_package", "dram", 0.03, "1.2", 9.0,
    )  # fmt: skip
    assert package.energy_j == pytest.approx(package.average_power_w * package.duration_s)
    assert package.u_total == pytest.approx((package.u_window**2 + 0.05**2) ** 0.5)


def test_every_part_and_the_second_source_leave_their_samples() -> None:
    power = Channel("power", lambda: 80_000_000, "a power value", update_s=0.01)
    meter = NumberMeter([Domain("cpu_package", "a+b", (counter(watts(30.0)), counter(watts(50.0))), check=power)])
    meter.start(DEVICE)
    start = time.perf_counter_ns()
    time.sleep(0.1)
    (reading,) = meter.stop(EnergyWindow(((start, time.perf_counter_ns()),), step_s=0.001))
    assert reading.trace == "cpu_package_uj cpu_package1_uj"
    assert list(meter.traces) == ["cpu_package_uj", "cpu_package1_uj", "cpu_package_check_uw"]
    assert all(len(trace.times_ns) > 2 for trace in meter.traces.values())


def test_a_second_source_is_compared_and_never_added() -> None:
    power = Channel("power", lambda: 50_000_000, "a power value", update_s=0.01)
    (reading,) = meter_for([Domain("gpu_board", "GPU-1", (counter(watts(100.0)),), check=power)])
    assert reading.average_power_w == pytest.approx(100.0, rel=0.02)
    assert reading.crosscheck_ratio == pytest.approx(2.0, rel=0.03)
    assert (reading.source, reading.crosscheck_source, reading.method) == ("a counter", "a power value", "counter_tick")


def test_a_sensor_that_dies_in_the_window_leaves_no_number_but_the_reason() -> None:
    end_at = time.perf_counter() + 0.15

    def read() -> int:
        if time.perf_counter() > end_at:
            raise RuntimeError("GPU is lost")
        return watts(100.0)()

    (reading,) = meter_for([Domain("gpu_board", "GPU-1", (counter(read),))])
    assert (reading.energy_j, reading.average_power_w, reading.u_total, reading.u_sensor) == (None, None, None, None)
    assert "GPU is lost" in reading.reason
    assert reading.num_samples > 0


def test_a_second_source_that_dies_costs_the_cross_check_only() -> None:
    def gone() -> int:
        raise RuntimeError("not there")

    power = Channel("power", gone, "a power value")
    (reading,) = meter_for([Domain("gpu_board", "GPU-1", (counter(watts(100.0)),), check=power)])
    assert reading.energy_j is not None
    assert (reading.crosscheck_ratio, reading.crosscheck_source) == (None, "a power value")
