"""CPU time of ``chipmark --help``, beside that of an empty interpreter.

Goal: at most 0.15 s. The test suite holds what is imported; this tells what it costs.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

NUM_ROUNDS = 11
HELP = "import sys; sys.argv = ['chipmark', '--help']; from harness.cli.main import main; main()"


def cpu_seconds(code: str) -> float:
    """User and system time of a child interpreter running ``code``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure() -> str:
    """Medians over interleaved rounds."""
    rounds = [(cpu_seconds(HELP), cpu_seconds("pass")) for _ in range(NUM_ROUNDS)]
    chipmark, empty = (statistics.median(column) for column in zip(*rounds, strict=True))
    return f"chipmark --help takes {chipmark:.3f} s of CPU time (goal: 0.15 s), python -c pass {empty:.3f} s"
