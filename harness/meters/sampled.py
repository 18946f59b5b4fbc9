"""The base of meters that poll: they say what there is to poll, all else is done here."""

from __future__ import annotations

from collections.abc import Sequence

from harness.meters.base import Capability, EnergyWindow
from harness.meters.channel import Channel, Domain
from harness.meters.sampler import SAMPLER, Sampler, Tape
from results.energy_estimate import Estimate, add_up, counter_energy, power_energy, relative_total
from results.energy_trace import Trace
from results.records import Device, EnergyReading

Tapes = dict[int, Tape]  # id of a channel -> what it said


class SampledMeter:
    """A meter over :class:`Domain` objects. Subclasses give :meth:`probe` and :meth:`domains`.

    Args:
        sampler: polls the channels.

    Attributes:
        traces: samples behind the last readings, by the name in ``EnergyReading.trace``.
    """

    def __init__(self, sampler: Sampler = SAMPLER) -> None:
        self._sampler = sampler
        self._domains: Sequence[Domain] = ()
        self._tapes: list[Tape] = []
        self.traces: dict[str, Trace] = {}

    def probe(self, device: Device) -> Capability:
        """See ``Meter``."""
        raise NotImplementedError

    def domains(self, device: Device) -> Sequence[Domain]:
        """What to poll for ``device``, the main scope first. Called before each pass; may raise."""
        raise NotImplementedError

    def start(self, device: Device) -> None:
        """See ``Meter``."""
        self._domains = self.domains(device)
        channels = [c for d in self._domains for c in (*d.parts, *([d.check] if d.check else []))]
        self._tapes = self._sampler.add(channels)

    def stop(self, window: EnergyWindow) -> list[EnergyReading]:
        """See ``Meter``."""
        tapes, self._tapes = self._tapes, []
        self._sampler.remove(tapes)
        self.traces = {}
        by_channel = {id(tape.channel): tape for tape in tapes}
        return [self._reading(domain, window, by_channel) for domain in self._domains]

    def _reading(self, domain: Domain, window: EnergyWindow, tapes: Tapes) -> EnergyReading:
        main = domain.parts[0]
        found = add_up([_estimate(part, tapes[id(part)], window) for part in domain.parts])
        names = [_trace_name(domain.scope, str(k) if k else "", part) for k, part in enumerate(domain.parts)]
        self.traces |= {name: tapes[id(part)].trace() for name, part in zip(names, domain.parts, strict=True)}
        if domain.check:
            self.traces[_trace_name(domain.scope, "_check", domain.check)] = tapes[id(domain.check)].trace()
        energy_j = None if found.power_w is None else found.power_w * window.duration_s
        check = _estimate(domain.check, tapes[id(domain.check)], window) if domain.check else Estimate()
        ratio = found.power_w / check.power_w if found.power_w and check.power_w else None
        return EnergyReading(
            energy_j=energy_j,
            average_power_w=found.power_w,
            duration_s=window.duration_s,
            scope=domain.scope,
            device_id=domain.device_id,
            source=" + ".join(dict.fromkeys(part.source for part in domain.parts)),
            method=found.method,
            num_samples=found.num_samples,
            num_windows=len(window.spans),
            poll_s=found.poll_s,
            max_gap_s=found.max_gap_s,
            update_s=_period_s(main, found),
            averaging_s=main.averaging_s,
            part_time=main.part_time,
            loaded_before_s=window.loaded_before_s,
            crosscheck_ratio=ratio,
            crosscheck_source=domain.check.source if domain.check else None,
            peak_power_w=found.peak_w,
            u_window=found.u_window,
            u_sensor=domain.u_sensor if energy_j is not None else None,
            u_total=relative_total(found.u_window, domain.u_sensor) if energy_j is not None else None,
            power_limit_w=domain.power_limit_w,
            power_limit_default_w=domain.power_limit_default_w,
            driver=domain.driver,
            trace=" ".join(names),
            start_ns=window.spans[0][0] if window.spans else None,
            end_ns=window.spans[-1][1] if window.spans else None,
            reason=found.reason if energy_j is None else "",
        )


def _period_s(channel: Channel, found: Estimate) -> float | None:
    """As seen; of a part-time sensor at least as documented: what it adds up may be shown more often than seen."""
    if channel.part_time and channel.update_s and found.update_s:
        return max(channel.update_s, found.update_s)
    return found.update_s


def _trace_name(scope: str, part: str, channel: Channel) -> str:
    """``gpu_board_uj``, ``cpu_package1_uj``, ``gpu_board_check_uw``: the unit is in the name."""
    return f"{scope}{part}_{'uj' if channel.kind == 'counter' else 'uw'}"


def _estimate(channel: Channel, tape: Tape, window: EnergyWindow) -> Estimate:
    """Power of one channel within the window; None if it was lost on the way."""
    trace = tape.trace()
    # Nothing runs that could resonate when idle power is taken.
    part_time = channel.part_time and window.step_s > 0
    if channel.kind == "counter":
        found = counter_energy(trace, window.spans, window.step_s, window.gap_share, channel.wrap_uj, part_time)
    else:
        found = power_energy(
            trace, window.spans, window.step_s, window.gap_share, window.loaded_before_s,
            channel.averaging_s, part_time, channel.update_s, channel.least_uw,
        )  # fmt: skip
    if tape.fault:  # the last look failed: whatever came before, the pass was not seen to its end
        reason = f"the meter was lost: {tape.fault}"
        return Estimate(num_samples=found.num_samples, poll_s=found.poll_s, max_gap_s=found.max_gap_s, reason=reason)
    return found
