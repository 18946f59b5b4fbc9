"""Time and memory of merging a million measurements with the shipped price table.

Each measurement names an instance of the table, all of them in turn, so every row of the table is looked up.
The frame is made here, with the columns that ``results.frame.load`` gives and the merge reads. Goal: at most
10 s and 2 GB. Runs in a process of its own: the peak memory is its own, the frame and the imports included.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NUM_ROWS = 1_000_000
ROOT = Path(__file__).resolve().parent.parent


def frame_of(num_rows: int, rows: Any) -> Any:
    """Measurements on the instances of ``rows`` in turn; one of 16 did not end ok.

    Args:
        num_rows: of the frame.
        rows: of the price table.
    """
    import numpy as np
    import pandas as pd

    which = np.arange(num_rows) % len(rows)
    number = np.arange(num_rows)

    def of_row(values: list[Any]) -> Any:
        return np.array(values, dtype=object)[which]

    ok = number % 16 != 0
    rate = 100.0 + number % 997
    return pd.DataFrame(
        {
            "run_id": of_row([f"run-{i}" for i in range(len(rows))]),
            "case_id": np.char.mod("%012x", number).astype(object),
            "instance_provider": of_row([row.provider for row in rows]),
            "instance_type": of_row([row.instance_type for row in rows]),
            "instance_region": of_row([row.region for row in rows]),
            "instance_pricing": of_row([row.pricing for row in rows]),
            "device": of_row(["cuda:0" if row.accelerator else "cpu" for row in rows]),
            "device_name": of_row([row.accelerator or "CPU" for row in rows]),
            "device_kind": of_row(["cuda" if row.accelerator else "cpu" for row in rows]),
            "device_memory_bytes": np.nan,
            "phase": np.array(["train", "infer", "prefill", "decode"], dtype=object)[number % 4],
            "status": np.where(ok, "ok", "failed").astype(object),
            "functional_only": "",
            "reason": np.where(ok, "", "RuntimeError: no kernel").astype(object),
            "item_unit": "token",
            "throughput_per_s": np.where(ok, rate, np.nan),
            "throughput_per_s_reason": np.where(ok, "", "failed").astype(object),
            "tokens_per_s": np.where(ok, rate, np.nan),
            "steps_per_s": np.where(ok, rate / 8, np.nan),
        }
    )


def child() -> None:
    """Merge once, check the dollars of every row, and print seconds and peak memory in MB."""
    import numpy as np

    from results.cost_frame import with_prices
    from results.cost_record import CostTerms
    from results.pricing import load_prices

    table = load_prices()
    frame = frame_of(NUM_ROWS, table.rows)
    start = time.perf_counter()
    merged = with_prices(frame, table, CostTerms(utilisation=0.5, run_steps=1000))
    seconds = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    ok = (merged["cost_reason"] == "").to_numpy()
    usd = merged["price_price_usd_per_hour"] / (3600 * merged["throughput_per_s"] * 0.5) * 1e6
    if not np.allclose(merged["usd_per_1m_items_billed"][ok], usd[ok], rtol=1e-12) or ok.sum() != NUM_ROWS * 15 // 16:
        raise AssertionError("a cost is wrong or missing")
    print(f"{seconds:.3f} {peak_mb:.0f} {len(table.rows)}")


def measure() -> str:
    """Seconds and peak memory of one merge."""
    command = (sys.executable, "-c", "from benchmarks.cost_merge import child; child()")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, peak_mb, num_rows = done.stdout.split()
    return (
        f"{float(seconds):.1f} s for {NUM_ROWS:,} measurements with {num_rows} prices, peak {peak_mb} MB "
        "(goal 10 s, 2000 MB)"
    )
