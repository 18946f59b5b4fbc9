"""The second table, as terminals and pages show it."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from results.render import render_summary
from results.summary import run_summary
from tests.results.ceiling_run import DECODE, ceiling_run, cell, copy, gemm, run_of
from tests.results.example_run import CPU, example_run


@pytest.fixture
def summary(tmp_path):
    return run_summary(ceiling_run(tmp_path / "run"))


@pytest.mark.parametrize(("output_format", "suffix"), [("table", "txt"), ("markdown", "md")])
def test_golden(summary, golden, output_format, suffix):
    golden(f"ceilings.{suffix}", render_summary(summary, output_format))


def test_every_line_fits_and_every_measured_case_is_there(summary):
    text = render_summary(summary, "table")
    assert max(cell_len(line) for line in text.splitlines()) <= 100
    assert text.isascii()
    table = text[text.index("against the ceilings") :]
    assert sum(bool(re.match(r"\S+/\S+ ", line)) for line in table.splitlines()) == len(summary.cases)


def test_a_run_without_ceilings_and_peaks_has_one_table_only(tmp_path):
    for output_format in ("table", "markdown"):
        text = render_summary(run_summary(example_run(tmp_path / output_format)), output_format)
        assert "against the ceilings" not in text
        assert "of gemm" not in text


def test_columns_without_any_number_are_left_out_and_the_reason_is_given(tmp_path):
    cells = [gemm("fp32", 1, device="cpu"), cell("llm-decoder", "edge", "decode", "fp32", DECODE, 20, device="cpu")]
    text = render_summary(run_summary(run_of(tmp_path / "run", cells, (CPU,))), "table")
    (header,) = [line for line in text.splitlines() if line.startswith("case ")]
    assert header.split() == ["case", "backend", "FLOP/s", "of", "gemm", "FLOP/B"]
    assert "- MFU n/a: peak not sourced: the device table holds no CPUs" in text
    assert "- of copy n/a: no memory-bandwidth case in this run on cpu" in text


def test_a_reason_that_many_cases_share_is_said_once(summary):
    text = " ".join(render_summary(summary, "table").split())
    assert text.count("no gemm case at int8 in this run") == 1
    assert text.count("part of it may stay there") == 1


def test_a_tiny_share_is_not_shown_as_nothing(tmp_path):
    cells = [gemm("bf16", 600), copy(2000), cell("llm-decoder", "standard", "decode", "bf16", DECODE, 2)]
    text = render_summary(run_summary(run_of(tmp_path / "run", cells)), "table")
    (row,) = [line for line in text.splitlines() if line.startswith("llm-decoder/standard decode bf16 b1")]
    assert row.count("<0.1 %") == 2


def test_markdown_rows_have_as_many_cells_as_their_header(summary):
    text = render_summary(summary, "markdown")
    second = text[text.index("**against the ceilings**") :]
    rows = [line for line in second.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1
    assert len(rows) == 2 + len(summary.cases)
