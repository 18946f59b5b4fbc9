"""What is shipped: readable, and part of the wheel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from results.baseline_list import describe
from results.baseline_store import (
    DEFAULT_STORE,
    ENTRY_FILE,
    RAW_FOLDER,
    SESSIONS_FOLDER,
    SHIPPED_STORE,
    SUPERSEDED_FILE,
    default_stores,
    read_store,
)
from results.compare import EXIT_CODES
from results.comparison import ComparedMetric
from results.errors import ExitCode
from results.render_compare import FORMATS

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


def test_the_document_says_what_the_code_does():
    text = (ROOT / "docs" / "baselines.md").read_text()
    for output_format in FORMATS:
        assert f"| `{output_format}` |" in text
    for name in (ENTRY_FILE, SUPERSEDED_FILE, f"{SESSIONS_FOLDER}/", f"{RAW_FOLDER}/", str(DEFAULT_STORE)):
        assert name in text
    codes = {ExitCode.DONE, ExitCode.CASE_FAILED, ExitCode.USAGE, *EXIT_CODES.values()}
    assert {int(code) for code in re.findall(r"^\| (\d) \|", text, re.MULTILINE)} == {int(code) for code in codes}
    for metric in get_args(ComparedMetric):
        assert f"`{metric}`" in text
