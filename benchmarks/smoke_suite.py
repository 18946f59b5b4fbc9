"""Wall time of the smoke suite on this machine's CPU, with a cold and a warm export cache.

Goal: at most 60 s for at least 20 cases.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results.store import open_run


def run_once(folder: Path, cache: Path) -> str:
    """Measure the suite once and say how long it took and how it ended."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "harness", "run", "smoke", "--device", "cpu", "--quiet", "--out", str(folder)]
    done = subprocess.run(
        command, env=os.environ | {"CHIPMARK_CACHE": str(cache)}, stdout=subprocess.DEVNULL, check=False
    )
    seconds = time.perf_counter() - start
    statuses = [m.status for m in open_run(folder).measurements]
    counts = ", ".join(f"{statuses.count(s)} {s}" for s in dict.fromkeys(sorted(statuses)))
    return f"{seconds:.1f} s for {len(statuses)} cases (exit {done.returncode}: {counts})"


def measure() -> str:
    """Two runs: exports made, exports found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cold = run_once(folder / "cold", folder / "cache")
        warm = run_once(folder / "warm", folder / "cache")
    return f"cold export cache {cold}; warm {warm} (goal: 60 s)"
