"""An A/A comparison: two equal sides, each process a fresh interpreter, in ABBA order.

This is what ``chipmark compare --ab`` does, with the fixed work in place of a run; what differs
between the two sides here is noise, and all that a real comparison on this machine is up against.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.ab.order import Side, turns
from results.comparison import Judgement
from results.errors import ChipmarkError
from results.paired import MIN_PAIRS, judge_pairs

NUM_SAMPLES = 250  # about half a second a process
MAX_PAIRS = 60
PROCESS_TIMEOUT_S = 60.0


class SameWork(NamedTuple):
    """What the A/A comparison found; standard deviations are of logs."""

    judgement: Judgement
    process_sd: float
    pair_sd: float
    num_pairs: int


def compare_same_work(repeats: int, budget_s: float, say: Callable[[str], None]) -> SameWork:
    """Measure pairs until ``budget_s`` is used up, an even number of them and at least 8.

    How many depends on time alone, never on what was found.

    Raises:
        ChipmarkError: a process failed.
    """
    medians: dict[Side, list[float]] = {"a": [], "b": []}
    start = time.monotonic()
    for pair in range(MAX_PAIRS):
        for side in turns(pair):
            medians[side].append(math.log(_median_ns(repeats)))
        elapsed, done = time.monotonic() - start, pair + 1
        if done > MIN_PAIRS and done % 2 == 0 and elapsed * (done + 2) / done > budget_s:
            break
        say(f"same work on both sides: pair {done} done, {elapsed:.0f} of about {budget_s:.0f} s")
    pairs = list(zip(medians["a"], medians["b"], strict=True))
    return SameWork(
        judgement=judge_pairs(pairs),
        process_sd=_sd(medians["a"] + medians["b"]),
        pair_sd=_sd([b - a for a, b in pairs]),
        num_pairs=len(pairs),
    )


def _median_ns(repeats: int) -> float:
    """Median step time of the fixed work in a fresh interpreter."""
    command = [sys.executable, "-m", "harness.selfcheck.fixed_work", str(repeats), str(NUM_SAMPLES)]
    home = str(Path(__file__).resolve().parent.parent.parent)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", "")))),
        "PYTHONSAFEPATH": "1",  # a folder called "harness" where the user stands is not ours
    }
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PROCESS_TIMEOUT_S, check=True
        )
        median_ns = float(json.loads(done.stdout)["median_ns"])
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
        raise ChipmarkError(f"a process of the A/A comparison failed: {last[0]}") from error
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise ChipmarkError(f"a process of the A/A comparison failed: {error}") from error
    if not 0 < median_ns < math.inf:
        raise ChipmarkError(f"a process of the A/A comparison measured {median_ns:g} ns, which is no duration")
    return median_ns


def _sd(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
