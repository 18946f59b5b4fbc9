"""The page about providers says what the table says."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.onnx_provider_options import PROVIDER_OPTIONS, RESERVED, Values
from backends.onnx_provider_row import ProviderRow
from backends.onnx_providers import BY_NAME, ROWS

PAGE = (Path(__file__).parents[3] / "docs" / "onnxruntime.md").read_text()


def device_ids(row: ProviderRow) -> str:
    suffixes = ["0" if target.suffix == "N" else target.suffix for target in row.targets]
    return ", ".join(f"`{row.short}:{suffix}`" if suffix else f"`{row.short}`" for suffix in suffixes)


def line(row: ProviderRow) -> str:
    plugin = " (plugin)" if row.is_plugin else ""
    package = f"`chipmark[{row.extra}]`: {row.package}{plugin}" if row.extra else "no wheel"
    cells = (row.title, f"{row.vendor}: {row.chips}", device_ids(row), package, row.system, row.needs or "-",
             row.precisions, row.mark)  # fmt: skip
    return f"| {' | '.join(cells)} |"


def option(name: str, values: Values) -> str:
    is_plain = not values or set(values) <= {"0", "1", "true", "false", "True", "False"}
    return f"`{name}`" if is_plain else f"`{name}` ({', '.join(values)})"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.short)
def test_every_provider_has_its_line(row: ProviderRow) -> None:
    assert line(row) in PAGE.splitlines()


@pytest.mark.parametrize("name", PROVIDER_OPTIONS)
def test_every_provider_lists_its_options(name: str) -> None:
    options = "; ".join(option(*pair) for pair in PROVIDER_OPTIONS[name].items())
    assert f"| {BY_NAME[name].title} | {options} |" in PAGE.splitlines()


def test_what_cannot_be_set_is_named() -> None:
    for name in RESERVED:
        assert f"`{name}`" in PAGE
