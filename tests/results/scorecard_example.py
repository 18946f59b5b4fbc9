"""A run, its costs and imported results built by hand, so that every cell of a scorecard can be checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from results.case_summary import CaseSummary, RunSummary
from results.cost_record import Cost, CostReport, CostTerms, MarketCost, PricedRun
from results.imported_record import Citation, ImportedCost, ImportedFile, ImportedResult
from results.price_match import MarketRange, PriceMatch
from results.price_row import PriceRow
from results.records import CaseSpec, Device, Work
from results.summary import run_summary
from tests.results.example_run import H100, PASSED, SEQUENCES, case, measurement, ramp_ns, run_info, store, timing

SHAPE = {"prompt_length": 16, "new_tokens": 4}
PREFILL = Work(items=64, item_unit="token", tokens=64, flops=1)
DECODE = Work(items=4, item_unit="token", tokens=4, flops=1)
EXECUTED = {"precision_executed": "bf16", "precision_honoured": True}
LATENCY = {"latency_ns": ramp_ns(401, start_ns=1_000_000, step_ns=1_000)}  # median 1.2 ms
SHA = "0" * 64


def on_h100(phase: str, precision: str = "bf16", **changes: Any) -> CaseSpec:
    return case("llm-decoder", phase, precision, batch_size=4, shape=SHAPE, device="cuda:0", **changes)


def h100_run(folder: Path, device: Device = H100) -> RunSummary:
    """Training, and prefill and decode of one model: 50, 10 and 100 steps a second."""
    train = case("bert-encoder", "train", "bf16", device="cuda:0")
    prefill, decode = on_h100("prefill"), on_h100("decode")
    records = [
        (measurement(train, work=SEQUENCES, numerics=PASSED, timing=timing([(50, 10**9)], 0), facts=EXECUTED), {}),
        (measurement(prefill, work=PREFILL, numerics=PASSED, timing=timing([(10, 10**9)], 401)), LATENCY),
        (measurement(decode, work=DECODE, numerics=PASSED, timing=timing([(100, 10**9)], 0)), {}),
    ]
    return run_summary(store(folder, run_info([(r.case, 1) for r, _ in records], (device,)), records))


def price_row(**changes: Any) -> PriceRow:
    fields: dict[str, Any] = {
        "provider": "aws", "region": "us-east-1", "instance_type": "big", "accelerator": "H100",
        "accelerator_count": 8, "accelerator_memory_gib": 80.0, "vcpus": 192, "memory_gib": 2048.0,
        "pricing": "on_demand", "price_usd_per_hour": 55.04, "unit": "instance", "as_of": "2026-11-01",
        "source": "somewhere",
    }  # fmt: skip
    return PriceRow(**{**fields, **changes})


def priced(**changes: Any) -> PriceMatch:
    return PriceMatch(row=price_row(**changes), table_sha256=SHA, match_rule="exact_type", prices_by_pricing={})


def cost(summary: RunSummary, case: CaseSummary, **changes: Any) -> Cost:
    fields: dict[str, Any] = {
        "run_id": summary.run.run_id, "case_id": case.case_id, "case": case.case, "status": case.status,
        "support": case.support, "basis": "given", "item_unit": case.item_unit, "token_kind": case.token_kind,
        "throughput_per_s": case.throughput_per_s, "tokens_per_s": case.tokens_per_s,
        "training_steps_per_s": None, "latency_p50_s": None, "latency_p99_s": None, "price": priced(),
    }  # fmt: skip
    return Cost(**{**fields, **changes})


MARKET = MarketRange(
    accelerator="H100", pricing="on_demand", num_offers=12, num_providers=5, usd_per_hour_min=1.49,
    usd_per_hour_median=3.0, usd_per_hour_max=17.83, oldest_as_of="2026-05-24", newest_as_of="2026-08-03",
    table_sha256={"shipped": SHA},
)  # fmt: skip


def market_cost(summary: RunSummary, case: CaseSummary, **changes: Any) -> MarketCost:
    fields: dict[str, Any] = {
        "run_id": summary.run.run_id, "case_id": case.case_id, "market": MARKET, "usd_per_1m_items": None,
        "usd_per_1m_tokens": None, "usd_per_1k_steps": None,
    }  # fmt: skip
    return MarketCost(**{**fields, **changes})


def report(summary: RunSummary, *costs: Cost, **changes: Any) -> CostReport:
    runs = (PricedRun(run=summary.run, instance=None, counts=summary.counts),)
    return CostReport(runs=runs, terms=CostTerms(), cases=costs, **changes)


def result(**changes: Any) -> ImportedResult:
    """8 x H200 in MLPerf Inference, 34,000 generated tokens a second: numbers made up for the test."""
    citation = Citation(
        publisher="MLCommons", title="MLPerf Inference v6.0", submitter="Somebody", division="closed",
        category="available", suite="datacenter", benchmark="llama2-70b-99", scenario="Offline",
        result_id="6.0-0099", retrieved="2026-11-22", trademark="MLPerf is a trademark of MLCommons",
    )  # fmt: skip
    fields: dict[str, Any] = {
        "row": 7, "origin": "published", "quantity": "throughput", "value": 34000.0, "unit": "token/s",
        "better": "higher", "citation": citation, "system": "8xH200", "accelerator": "NVIDIA H200-SXM-141GB",
        "device": "H200", "num_nodes": 1, "num_accelerators": 8, "value_per_accelerator": 4250.0, "precision": "fp8",
    }  # fmt: skip
    return ImportedResult(**{**fields, **changes})


def imported_cost(of: ImportedResult, **changes: Any) -> ImportedCost:
    market = msgspec.structs.replace(MARKET, accelerator=of.device or "none")
    fields: dict[str, Any] = {"result": of, "accelerators": 8, "market": market, "usd_per_1m": (0.25, 0.5, 1.0)}
    return ImportedCost(**{**fields, **changes})


def imported_file(*results: ImportedResult, **changes: Any) -> ImportedFile:
    fields: dict[str, Any] = {
        "format": "mlperf-inference", "source": "summary.csv", "source_sha256": SHA,
        "imported_at": "2026-11-22T10:00:00+00:00", "chipmark_version": "0.1.0",
    }  # fmt: skip
    return ImportedFile(results=results, **{**fields, **changes})
