"""Folders of an A/B comparison with known step times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.ab.order import SIDES, turns
from results.ab_record import AbHalf, AbPair, AbRecord, AbSide, write_ab
from tests.results.sessions import session

START = "2026-11-01T00:00:00+00:00"


def side(label: str) -> AbSide:
    return AbSide(label=label, ref=label, commit="0" * 40, python="/usr/bin/python3", python_version="3.11.9")


def half(run: str | None, **changes: Any) -> AbHalf:
    fields: dict[str, Any] = {"run": run, "exit_code": 0, "started_at": START, "elapsed_s": 4.0}
    return AbHalf(**(fields | changes))


def store_half(folder: Path, pair: int, name: str, scale: float, **changes: Any) -> str:
    """One process of one case, measured when its turn was; returns the run's name."""
    run = f"{pair + 1:02d}-{name}"
    hour = 2 * pair + turns(pair).index(name)  # type: ignore[arg-type]
    session(folder / run, hour=hour, scale=scale, num_processes=1, **changes)
    return run


def ab_folder(folder: Path, scales: Sequence[tuple[float, float]], **changes: Any) -> Path:
    """Pairs of runs whose steps take these milliseconds. ``b`` changes the runs of side B only."""
    only_b = changes.pop("b", {})
    pairs = []
    for pair, times in enumerate(scales):
        runs = [
            store_half(folder, pair, name, scale, **(changes | (only_b if name == "b" else {})))
            for name, scale in zip(SIDES, times, strict=True)
        ]
        pairs.append(AbPair(first=turns(pair)[0], a=half(runs[0]), b=half(runs[1])))
    record = AbRecord(
        created_at=START, command="compare --ab old new", suite="example", pairs_wanted=len(scales),
        a=side("old"), b=side("new"), same_code=False, pairs=tuple(pairs),
    )  # fmt: skip
    write_ab(folder, record)
    return folder


def change_record(folder: Path, **changes: Any) -> None:
    from results.ab_record import read_ab

    write_ab(folder, msgspec.structs.replace(read_ab(folder), **changes))
