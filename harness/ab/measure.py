"""Measure all pairs in ABBA order; what was measured is on disk after every half."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.ab.half import HalfTask, measure_half
from harness.ab.order import Side, halves, turns
from harness.ab.sides import ReadySide
from harness.runner import Interrupted
from results.ab_record import AbHalf, AbPair, AbRecord, write_ab
from results.errors import ExitCode, UsageError
from results.store import RUN_FILE

Say = Callable[[str], None]


class Plan(NamedTuple):
    """What every half does."""

    folder: Path
    arguments: Sequence[str]  # of `chipmark run`, without --out
    order_seed: int
    limit_s: float


def measure_pairs(record: AbRecord, sides: Mapping[Side, ReadySide], plan: Plan, say: Say) -> AbRecord:
    """Measure ``record.pairs_wanted`` pairs; returns the record as it is stored in the end.

    A half that goes wrong costs its pair only, unless the very first of a side is refused as bad
    usage: so will be all others.

    Raises:
        UsageError: that.
        OutputError: ``ab.json`` cannot be written.
    """
    write_ab(plan.folder, record)
    start, total = time.monotonic(), 2 * record.pairs_wanted
    for number, (pair, side) in enumerate(halves(record.pairs_wanted), start=1):
        folder = plan.folder / f"{pair + 1:02d}-{side}"
        task = HalfTask(plan.arguments, plan.order_seed + pair, folder, plan.limit_s)
        began = time.monotonic()
        try:
            half = measure_half(sides[side], task)
        except Interrupted as signal_name:
            stored = folder.name if (folder / RUN_FILE).exists() else None
            if stored:
                record = _with_half(record, pair, side, _interrupted(stored, str(signal_name), began))
            record = msgspec.structs.replace(record, interrupted_by=str(signal_name))
            write_ab(plan.folder, record)
            return record
        record = _with_half(record, pair, side, half)
        write_ab(plan.folder, record)
        _refuse_bad_usage(half, number, side, sides[side])
        say(_progress(number, total, pair, record, half, side, time.monotonic() - start))
    return record


def _with_half(record: AbRecord, pair: int, side: Side, half: AbHalf) -> AbRecord:
    pairs = list(record.pairs)
    if pair == len(pairs):
        pairs.append(AbPair(first=turns(pair)[0]))
    pairs[pair] = msgspec.structs.replace(pairs[pair], **{side: half})
    return msgspec.structs.replace(record, pairs=tuple(pairs))


def _interrupted(folder: str, signal_name: str, began: float) -> AbHalf:
    from datetime import UTC, datetime, timedelta

    elapsed_s = time.monotonic() - began
    started = datetime.now(UTC) - timedelta(seconds=elapsed_s)
    return AbHalf(
        run=folder, exit_code=ExitCode.INTERRUPTED, reason=f"interrupted by {signal_name}",
        started_at=started.isoformat(timespec="milliseconds"), elapsed_s=elapsed_s,
    )  # fmt: skip


def _refuse_bad_usage(half: AbHalf, number: int, side: Side, ready: ReadySide) -> None:
    """The first half of either side tells whether that side can measure the suite at all."""
    if half.exit_code == ExitCode.USAGE and number <= 2:
        raise UsageError(f"side {side.upper()} ({ready.record.label}) cannot measure this: {half.reason}")


def _progress(number: int, total: int, pair: int, record: AbRecord, half: AbHalf, side: Side, elapsed_s: float) -> str:
    """``[3/16] pair 2, B (main): 4.1 s, about 1 min left``."""
    left_s = elapsed_s / number * (total - number)
    label = getattr(record, side).label
    left = "" if number == total else f", about {_duration(left_s)} left"
    trouble = f"; {half.reason}; this pair is lost where a result is missing" if half.reason else ""
    return f"[{number}/{total}] pair {pair + 1}, {side.upper()} ({label}): {half.elapsed_s:.1f} s{left}{trouble}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
