"""A small run to store: one case, any number of replicates."""

from __future__ import annotations

from results.records import (
    CaseSpec,
    Device,
    Environment,
    Measurement,
    MeasureSpec,
    PlannedCase,
    RunInfo,
    Status,
    Support,
    Timing,
    Warmup,
    Window,
    Work,
)

CASE = CaseSpec(
    workload="llm-decoder", workload_version=1, phase="prefill", preset="tiny", precision="fp32", batch_size=2,
    shape={"prompt_tokens": 32}, backend="torch", device="cpu",
)  # fmt: skip


def make_info() -> RunInfo:
    environment = Environment(
        chipmark_version="0.1.0", python_version="3.11.7", platform="Linux", cpu_name="Example CPU",
        cpu_count_logical=2, cpu_count_physical=2, cpu_count_usable=2, memory_bytes=2**34, packages={"torch": "2.13.0"},
        variables={}, host_id="0123456789ab",
    )  # fmt: skip
    return RunInfo(
        run_id="run", suite="smoke", command="run smoke", created_at="2026-01-02T03:04:05+00:00", order_seed=1,
        measure=MeasureSpec(), environment=environment,
        devices=(Device(id="cpu", backend="torch", kind="cpu", name="Example CPU"),),
        plan=(PlannedCase(case=CASE, replicates=3),),
    )  # fmt: skip


def make_measurement(replicate: int, status: Status = "ok") -> Measurement:
    return Measurement(
        case_id=CASE.id, case=CASE, replicate=replicate, status=status, stage="finish", reason="",
        started_at="2026-01-02T03:04:05.000+00:00", elapsed_s=1.5, support=Support(level="native"),
        facts={"threads": 2}, work=Work(items=64, item_unit="token", tokens=64, flops=1000),
        timing=Timing(
            clock="perf_counter_ns", prepare_s=0.1, first_step_s=0.01,
            warmup=Warmup(iterations=10, elapsed_s=0.1, steady=True, stop_reason="steady"),
            windows=(Window(iterations=100, elapsed_ns=100_000_000),), num_latency_samples=1000,
        ),
    )  # fmt: skip
