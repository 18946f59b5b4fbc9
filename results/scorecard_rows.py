"""The rows of the two scorecards, in the order in which they are read, and their titles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Mode = Literal["training", "inference"]

TRAINING_ROWS: Mapping[str, str] = {
    "time_to_train": "time to train",
    "step_time": "step time p50",
    "steps_per_s": "steps a second",
    "latency": "latency",
    "throughput": "throughput",
    "tokens_per_s": "tokens a second",
    "mfu": "MFU",
    "scaling_efficiency": "scaling efficiency",
    "usd_per_1m": "$ per 1M",
    "usd_per_1k_steps": "$ per 1k steps",
    "usd_per_run": "$ per run",
    "energy_per_step": "energy per step",
    "energy_per_query": "energy per query",
    "power": "power",
    "error": "error against FP32",
}
INFERENCE_ROWS: Mapping[str, str] = {
    "usd_per_1m": "$ per 1M",
    "usd_per_1m_tokens": "$ per 1M tokens",
    "usd_per_1m_prompt_tokens": "$ per 1M prompt tokens",
    "time_to_first_token_p50": "first token p50",
    "time_to_first_token_p99": "first token p99",
    "time_per_output_token_p50": "output token p50",
    "time_per_output_token_p99": "output token p99",
    "latency": "latency",
    "latency_p50": "latency p50",
    "latency_p99": "latency p99",
    "throughput": "throughput",
    "tokens_per_s": "tokens a second",
    "prompt_tokens_per_s": "prompt tokens a second",
    "concurrency": "concurrency",
    "throughput_per_w": "throughput per watt",
    "energy_per_item": "energy per item",
    "energy_per_token": "energy per token",
    "energy_per_query": "energy per query",
    "power": "power",
    "error": "error against FP32",
}
ROWS: Mapping[Mode, Mapping[str, str]] = {"training": TRAINING_ROWS, "inference": INFERENCE_ROWS}
