"""A comparison with every verdict in it, built by hand."""

from __future__ import annotations

import math
from typing import Any

from results.comparison import CaseComparison, ComparisonReport, Difference, Judgement, Side
from results.records import CaseSpec
from tests.results.example_run import case

HOSTILE = 'evil \x1b[2J\x9b2J ]]> <script> & "quoted" %0A::error::x | `code` \u202e\ufffe\x00 é'
DECODER = {"preset": "124m", "shape": {"sequence_length": 512}, "device": "cuda:0"}
DRIVER = Difference(key="driver", base="550.54", new="560.35")


def judgement(verdict: str, change: float | None, half: float = 0.015, **changes: Any) -> Judgement:
    fields: dict[str, Any] = {
        "verdict": verdict, "reason": "as the numbers say", "num_sessions_base": 3, "num_sessions_new": 1,
        "num_processes_base": 15, "num_processes_new": 5,
    }  # fmt: skip
    if change is not None:
        d = math.log1p(change)
        fields |= {
            "ratio": math.exp(d), "ratio_low": math.exp(d - half), "ratio_high": math.exp(d + half),
            "log_difference": d, "half_width": half, "df": 9.5, "p_value": 0.001, "tau": 0.005, "process_sd": 0.004,
        }  # fmt: skip
    return Judgement(**(fields | changes))


def row(spec: CaseSpec, metric: str, verdict: str, **changes: Any) -> CaseComparison:
    fields: dict[str, Any] = {
        "case_id": spec.id, "case": spec, "metric": metric, "gating": True, "verdict": verdict,
        "reason": "as the numbers say", "circumstances": (DRIVER,),
    }  # fmt: skip
    return CaseComparison(**(fields | changes))


def rows() -> tuple[CaseComparison, ...]:
    train, prefill, decode = (case("llm-decoder", phase, "bf16", **DECODER) for phase in ("train", "prefill", "decode"))
    fp8 = case("llm-decoder", "prefill", "fp8", **DECODER, options={"compile": True})
    images = case("resnet", "infer", "int8", batch_size=256, backend="onnxruntime", device="cuda:0")
    moved = case("resnet", "train", "fp32", batch_size=64, device="cuda:0")
    broken = case("resnet", "train", "fp16", batch_size=64, device="cuda:0")
    return (
        row(train, "throughput", "slower", judgement=judgement("slower", 0.048), base_s=0.1, new_s=0.1048,
            p_adjusted=0.004, adjustment="holm", reason="+4.8 % in time, 99 % interval +3.2 % to +6.4 %"),
        row(train, "latency_p50", "slower", gating=False, judgement=judgement("slower", 0.051)),
        row(train, "latency_p99", "inconclusive", gating=False, judgement=judgement("inconclusive", 0.12, 0.3),
            reason="the 99 % interval is wider than +-5 %: too noisy to tell"),
        row(train, "energy", "slower", gating=False, judgement=judgement("slower", 0.062, 0.01), base_j=41.2, new_j=43.75,
            reason="+6.2 % in energy, 99 % interval +5.1 % to +7.3 %"),
        row(prefill, "throughput", "same", judgement=judgement("same", -0.0004, 0.01)),
        row(decode, "throughput", "faster", judgement=judgement("faster", -0.0909)),
        row(decode, "energy", "faster", judgement=judgement("faster", -0.08), base_j=0.002, new_j=0.00184),
        row(fp8, "throughput", "inconclusive",
            judgement=judgement("inconclusive", 0.021, 0.02, num_processes_new=4, sessions_needed=2, sessions_needed_of="new"),
            reason="there is a change, but it may be below +3.0 % or above: 99 % interval +0.1 % to +4.2 %",
            warnings=("candidate, session 0123456789ab, replicate 3: killed at measure: signal 9",)),
        row(images, "throughput", "inconclusive", judgement=judgement("faster", -0.2),
            reason="noisy host: in 2 of 5 processes a guard failed (steal: 9 % stolen); the numbers alone say: faster"),
        row(images, "latency_p50", "slower", judgement=judgement("slower", 24.0, 0.2)),
        row(images, "energy", "inconclusive", gating=False, base_j=3.0, new_j=3.3,
            reason="u_window is 2.1 % for both sides together, and at most 1 % (a third of the change that matters) "
                   "is precise enough; a change of +10.0 % is not judged"),
        row(moved, "throughput", "not-comparable", circumstances=(),
            reason="device_name is NVIDIA H100 in the baseline and NVIDIA A100 here",
            differences=(Difference(key="device_name", base="NVIDIA H100", new="NVIDIA A100"),
                         Difference(key="power_limit_w", base=700.0, new=None))),
        row(broken, "throughput", "inconclusive", failed=True, circumstances=(),
            reason="worked in the baseline and does not now: failed at prepare: out of registers"),
    )  # fmt: skip


def report(found: tuple[CaseComparison, ...] | None = None, **changes: Any) -> ComparisonReport:
    fields: dict[str, Any] = {
        "outcome": "slower", "exit_code": 3,
        "reason": "of 9 gating metrics: 1 no longer end well, 2 slower, 1 not-comparable, 2 inconclusive, 1 faster, "
                  "1 less energy, 1 same",
        "candidate": Side(
            session_ids=("c1",), created_at=("2026-11-22T10:11:12+00:00",), host_ids=("h1",),
            device_names=("NVIDIA H100 80GB HBM3",), num_cases=8,
        ),
        "base": Side(
            session_ids=("b1", "b2", "b3"),
            created_at=("2026-11-01T10:00:00+00:00", "2026-11-01T12:00:00+00:00", "2026-11-02T09:30:00+00:00"),
            host_ids=("h1", "h2"), device_names=("NVIDIA H100 80GB HBM3",), num_cases=9,
        ),
        "rows": rows() if found is None else found,
        "counts": {"faster": 2, "same": 1, "slower": 2, "inconclusive": 2, "not-comparable": 1},
        "num_failed": 1,
        "only_in_candidate": ("gemm/large infer bf16 b1 torch@cuda:0",),
        "only_in_base": ("gemm/small infer bf16 b1 torch@cuda:0",),
        "warnings": ("chipmark-baselines/x: does not match its checksum: it was changed or damaged",),
    }  # fmt: skip
    return ComparisonReport(**(fields | changes))


def hostile() -> ComparisonReport:
    """Every text that comes from a stored file is hostile."""
    spec = case(HOSTILE, "infer", "fp32", preset=HOSTILE, shape={HOSTILE: 1}, backend=HOSTILE, device=HOSTILE,
                options={HOSTILE: HOSTILE})  # fmt: skip
    difference = Difference(key=HOSTILE, base=HOSTILE, new=HOSTILE)
    bad = {"reason": HOSTILE, "warnings": (HOSTILE,), "differences": (difference,), "circumstances": (difference,)}
    side = Side(
        session_ids=(HOSTILE,), created_at=(HOSTILE,), host_ids=(HOSTILE,), device_names=(HOSTILE,), num_cases=1
    )
    verdicts = ("slower", "faster", "same", "inconclusive", "not-comparable")
    found = tuple(
        row(spec, metric, verdict, judgement=judgement(verdict, 0.1), **bad)
        for verdict in verdicts
        for metric in ("throughput", "latency_p99")
    )
    return report(
        found, reason=HOSTILE, candidate=side, base=side, warnings=(HOSTILE,), only_in_candidate=(HOSTILE,), only_in_base=(HOSTILE,)
    )  # fmt: skip
