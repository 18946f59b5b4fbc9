"""What is shipped: readable, and part of the wheel."""

from __future__ import annotations

from pathlib import Path

from results.baseline_list import describe
from results.baseline_store import SHIPPED_STORE, default_stores, read_store

ROOT = Path(__file__).resolve().parents[3]


def test_every_shipped_entry_can_be_used():
    assert SHIPPED_STORE in default_stores()
    for entry in read_store(SHIPPED_STORE):
        described = describe(entry)
        assert described.problems == ()
        assert described.state in ("in use", "superseded"), described


def test_the_shipped_store_is_part_of_the_wheel():
    from hatchling.builders.wheel import WheelBuilder

    files = {Path(each.distribution_path) for each in WheelBuilder(str(ROOT)).recurse_included_files()}
    shipped = {path.relative_to(ROOT) for path in SHIPPED_STORE.rglob("*") if path.is_file() and path.name != ".lock"}
    assert Path("results/baselines/README.md") in shipped
    assert shipped <= files
