"""What ``chipmark selfcheck`` found on a machine; stored in every run made there."""

from __future__ import annotations

from results.record import Record


class Detectable(Record, frozen=True, kw_only=True):
    """The smallest relative change that an A/B comparison on this host can call in ``minutes``."""

    minutes: float
    ratio: float | None  # 0.03 = a change of 3 %; None: not even a large one
    reason: str = ""


class SelfCheck(Record, frozen=True, kw_only=True):
    """Figures of the harness on one host. ``None`` is "not measured", with a line in ``notes``."""

    measured_at: str  # ISO 8601, UTC
    host_id: str
    chipmark_version: str
    elapsed_s: float
    clock: str
    clock_resolution_s: float | None = None  # smallest difference above 0 between two readings in a row: an upper bound
    clock_cost_s: float | None = None  # median cost of one reading
    step_overhead_s: float | None = None  # what the throughput loop adds to a bare call
    latency_overhead_s: float | None = None  # what the latency loop reports for a step that does nothing
    isolation_cost_s: float | None = None  # a worker that does nothing, after the first
    jitter_p99_ratio: float | None = None  # p99 over median of a fixed piece of work
    sampler_ratio: float | None = None  # time of that work with the power sampler polling over without; median of pairs
    sampler_half_width: float | None = None  # of its 95 % interval
    sampler_source: str | None = None  # what was polled
    process_sd: float | None = None  # sd of the log of process medians of that work, A/A
    num_pairs: int = 0  # pairs of processes of the A/A comparison, in ABBA order
    pair_sd: float | None = None  # sd of the log ratios of its pairs
    aa_verdict: str | None = None  # "same" or "inconclusive" is right: both sides are equal
    aa_ratio: float | None = None  # A/A comparison: ratio of two equal sides
    aa_half_width: float | None = None  # of its 99 % interval, in the log
    pair_s: float | None = None  # length of one pair that `detectable` reckons with
    detectable: tuple[Detectable, ...] = ()
    notes: tuple[str, ...] = ()
