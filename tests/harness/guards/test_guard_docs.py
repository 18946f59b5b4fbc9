"""docs/guards.md says what the table of guards says."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.guards.table import GUARDS, GuardSpec

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "guards.md").read_text()


def limit(spec: GuardSpec, threshold: float | None, multiple_of: str) -> str:
    """``> 2 %``, as the document writes it."""
    if threshold is None:
        return "-"
    if spec.unit == "flag":
        return "yes"
    if spec.name == "flops":
        return f"outside {1 - threshold:g} to {1 + threshold:g}"
    if multiple_of:
        return f"{'<' if spec.below else '>'} {threshold:g} {multiple_of}"
    numbers = {
        "seconds": f"{threshold:g} s",
        "share": f"{threshold * 100:g} %",
        "bytes": f"{threshold / 2**30:g} GiB",
        "celsius": f"{threshold:g} C",
    }
    return f"{'<' if spec.below else '>'} {numbers.get(spec.unit, f'{threshold:g}')}"


@pytest.mark.parametrize("spec", GUARDS, ids=lambda spec: spec.name)
def test_every_guard_is_documented_as_declared(spec: GuardSpec) -> None:
    source = spec.source.replace("*", r"\*")
    warn, fail = limit(spec, spec.warn, spec.warn_of), limit(spec, spec.fail, spec.fail_of)
    row = f"| `{spec.name}` | {spec.what} | {warn} | {fail} | {source} |"
    section = TEXT.split(f"## {spec.applies[0].upper()}{spec.applies[1:]}\n")[1].split("\n## ")[0]
    assert row in section, row


def test_no_other_guard_is_documented() -> None:
    tables = TEXT.split("\n## What the machine's facts are")[0]
    rows = [line.split("`")[1] for line in tables.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(spec.name for spec in GUARDS)
