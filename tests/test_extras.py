"""Extras of ONNX Runtime: one build of it in each, as the table of providers says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from backends.onnx_providers import ROWS

EXTRAS = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
OURS = sorted(name for name in EXTRAS if name.startswith("onnx"))
# Their wheels hold the module onnxruntime; the others of that name are plugins.
BUILDS = {row.package for row in ROWS if row.package and not row.is_plugin}


def packages(extra: str) -> set[str]:
    """The distributions that an extra pulls, through chipmark's own extras too."""
    found: set[str] = set()
    for line in EXTRAS[extra]:
        name, extras = re.match(r"([A-Za-z0-9-]+)(?:\[([^]]*)\])?", line).groups()
        found |= {p for own in extras.split(",") for p in packages(own)} if name == "chipmark" else {name}
    return found


@pytest.mark.parametrize("extra", OURS)
def test_at_most_one_build(extra: str) -> None:
    assert len(packages(extra) & BUILDS) == (0 if extra == "onnx-export" else 1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.short)
def test_the_extra_of_a_row_pulls_its_package(row) -> None:
    assert bool(row.extra) == bool(row.package)
    if row.extra:
        assert row.package in packages(row.extra)
        assert {"onnx", "onnxscript"} <= packages(row.extra)
