"""``python -m benchmarks [NAME ...]``: run all (or the named) benchmarks and print one line each."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "step_overhead",
    "harness_against_loop",
    "isolation_cost",
    "command_start",
    "smoke_suite",
    "verdict_rates",
    "compare_speed",
    "energy_accuracy",
    "identify_cost",
    "cost_merge",
    "onnx_latency",
    "placement_cost",
)


def main() -> None:
    """Run the benchmarks one after another: never at the same time, they would disturb each other."""
    for name in sys.argv[1:] or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"{name}: {module.measure()}", flush=True)


if __name__ == "__main__":
    main()
