"""Runs with known step times, as sessions of a baseline or a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from results.process_summary import summarize_process
from results.records import CaseSpec, Device
from results.store import StoredRun
from tests.results.example_run import H100, SEQUENCES, case, measurement, run_info, store, timing

GPU_CASE = case("llm-decoder", "prefill", "bf16", batch_size=2, shape={"prompt_tokens": 32}, device="cuda:0")
# Processes of one session scatter by so much, so that a change of 5 % is seen.
SCATTER = (0.998, 0.999, 1.0, 1.001, 1.002)
STEPS = 400


def session(
    folder: Path,
    *,
    hour: int = 0,
    scale: float = 1.0,
    cases: Sequence[CaseSpec] = (GPU_CASE,),
    devices: Sequence[Device] = (H100,),
    num_processes: int = 5,
    planned: int | None = None,
    record: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
) -> StoredRun:
    """A stored run whose steps take ``scale`` milliseconds; ``hour`` says when it was made.

    ``record``, ``info`` and ``environment`` change fields of every measurement, of run.json and of its environment.
    """
    made = run_info([(spec, planned or num_processes) for spec in cases], tuple(devices))
    made = msgspec.structs.replace(
        made, run_id=folder.name, created_at=f"2026-11-{1 + hour // 24:02}T{hour % 24:02}:00:00+00:00", order_seed=hour,
        environment=msgspec.structs.replace(made.environment, **(environment or {})),
    )  # fmt: skip
    stored = []
    for replicate in range(num_processes):
        for spec in cases:
            step_ns = round(1e6 * scale * SCATTER[replicate % len(SCATTER)])
            samples = {"latency_ns": np.full(STEPS, step_ns, np.int64) + np.arange(STEPS) % 7}
            times = timing([(STEPS, STEPS * step_ns)], STEPS)
            made_record = measurement(
                spec, work=SEQUENCES, replicate=replicate, timing=times, stats=summarize_process(times, samples)
            )
            stored.append((msgspec.structs.replace(made_record, **(record or {})), samples))
    return store(folder, msgspec.structs.replace(made, **(info or {})), stored)


def sessions(folder: Path, number: int, **changes: Any) -> list[StoredRun]:
    """So many runs, two hours apart, whose times differ a little."""
    drift = (1.0, 1.002, 0.999, 1.001)
    scale = changes.pop("scale", 1.0)
    return [
        session(folder / f"run{i}", hour=2 * i, scale=scale * drift[i % len(drift)], **changes) for i in range(number)
    ]
