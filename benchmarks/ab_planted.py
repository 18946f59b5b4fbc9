"""A real A/A and a real +10 % of work by ``chipmark compare --ab``, with the verdicts.

In a temporary clone, the matrix product of the workload ``gemm`` is computed in ten equal blocks of
rows (branch ``even``), and then with one of the ten computed twice (branch ``more``): a tenth more of
the same work by construction, with the same result, the same analytic FLOPs and the same version. Both
branches are compared with ``even``. Right is ``same`` for the first and ``slower`` for the second;
``inconclusive`` says that this machine is too noisy for so few pairs.

``python -m benchmarks.ab_planted [PAIRS]`` shows both reports whole.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NUM_PAIRS = 12
NUM_BLOCKS = 10
MODEL_FILE = "workloads/gemm_model.py"
WHOLE = "return cast(Tensor, self.product(x))"
EVEN = f"""import torch

        return torch.cat([self.product(block) for block in x.chunk({NUM_BLOCKS})])"""
MORE = EVEN.replace("return", "self.product(x[: len(x) // 10])  # a tenth of the work, a second time\n        return")
ROWS = 1280  # ten blocks of 128
SUITE = f"""
[suite]
name = "planted"
[measure]
min_seconds = 1.0
max_seconds = 2.0
warmup_max_seconds = 1.0
[[case]]
workload = "gemm"
preset = "tiny"
precision = "fp32"
backend = "torch"
shape = {{ rows = {ROWS} }}
options = {{ threads = 1 }}
"""


def measure() -> str:
    """Both verdicts in a line."""
    with tempfile.TemporaryDirectory(prefix="chipmark-planted-") as folder:
        reports = planted_reports(Path(folder), NUM_PAIRS)
    return "; ".join(f"{name}: {_words(report)}" for name, report in reports.items())


def planted_reports(folder: Path, pairs: int) -> dict[str, dict]:
    """What ``compare --ab --format json`` says of no change and of a tenth more work."""
    clone, suite = folder / "clone", folder / "suite.toml"
    suite.write_text(SUITE)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    original = (clone / MODEL_FILE).read_text()
    if original.count(WHOLE) != 1:
        raise RuntimeError(f"{MODEL_FILE} has changed: say anew where its product is computed")
    for branch, code in (("even", EVEN), ("more", MORE)):
        _git(clone, "switch", "--quiet", "--create", branch)
        (clone / MODEL_FILE).write_text(original.replace(WHOLE, code))
        _git(clone, "commit", "--quiet", "--no-verify", "--all", "--message", branch)
    return {
        "no change": _compare(clone, suite, "even", pairs, folder / "none"),
        f"1/{NUM_BLOCKS} more work": _compare(clone, suite, "more", pairs, folder / "more"),
    }


def _compare(clone: Path, suite: Path, branch: str, pairs: int, out: Path) -> dict:
    command = [sys.executable, "-m", "harness", "compare", "--ab", "even", branch, "--suite", str(suite)]
    command += ["--device", "cpu", "--pairs", str(pairs), "--out", str(out), "--format", "json"]
    done = subprocess.run(
        command,
        cwd=clone.parent,
        env=os.environ | {"PYTHONPATH": str(clone), "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        check=False,
    )
    if not done.stdout:
        raise RuntimeError(f"compare ended with code {done.returncode} and no report")
    return json.loads(done.stdout)


def _words(report: dict) -> str:
    row = next(row for row in report["rows"] if row["gating"])
    judged = row["judgement"] or {}
    numbers = ""
    if judged.get("ratio_low") is not None:
        low, ratio, high = (100 * (judged[key] - 1) for key in ("ratio_low", "ratio", "ratio_high"))
        numbers = f" ({ratio:+.1f} %, 99 % interval {low:+.1f} to {high:+.1f} %, {judged['num_processes_new']} pairs)"
    return f"{row['verdict']}{numbers}"


def _git(clone: Path, *arguments: str) -> None:
    who = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(clone), *who, *arguments], check=True)


def main() -> None:
    """Show both reports, kept in no place: everything else they stored is thrown away."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_PAIRS
    with tempfile.TemporaryDirectory(prefix="chipmark-planted-") as folder:
        for name, report in planted_reports(Path(folder), pairs).items():
            print(f"{name}: {_words(report)}")
            for row in report["rows"]:
                print(f"  {row['metric']}: {row['verdict']}: {row['reason']}")
            for warning in report["warnings"]:
                print(f"  warning: {warning}")


if __name__ == "__main__":
    main()
