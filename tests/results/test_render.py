from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys

import msgspec
import pytest
from rich.cells import cell_len

from results import units
from results.case_summary import RunSummary
from results.explain import explain
from results.metrics import METRICS
from results.records import Support
from results.render import FORMATS, csv_text, render_summary
from results.rows import COLUMNS
from results.summary import run_summary
from tests.results.energy_run import SPEC, energy_run, lost, metered, reading
from tests.results.example_run import SEQUENCES, case, example_run, measurement, run_info, store, timing


@pytest.fixture
def summary(tmp_path):
    return run_summary(example_run(tmp_path / "run"))


SUFFIX = {"table": "txt", "markdown": "md", "json": "json", "csv": "csv"}


@pytest.mark.parametrize("output_format", FORMATS)
def test_golden(summary, golden, output_format):
    golden(f"show.{SUFFIX[output_format]}", render_summary(summary, output_format))


def test_no_line_is_wider_than_100_columns_and_all_is_ascii(summary):
    text = render_summary(summary, "table")
    assert max(cell_len(line) for line in text.splitlines()) <= 100
    assert text.isascii()
    assert not any(line != line.rstrip() for line in text.splitlines())


def worst_case(tmp_path):
    """Long everything: names, options, device ids, statuses, several notes a row."""
    options = {"execution_provider": "OpenVINOExecutionProvider", "compile": True}
    specs = [
        case("a-workload-with-a-long-name", "prefill", precision, batch_size=65536, backend="onnxruntime", device=device,
             options=options | {"own": device}, shape={"prompt_length": 131072, "new_tokens": 131072})
        for precision in ("bf16", "int8") for device in ("cuda:0", "xpu:1")
    ]  # fmt: skip
    support = Support(level="emulated", reason="x" * 300)
    stored = [
        (measurement(s, "out_of_memory", stage="numerics", reason="word " * 60, support=support, replicate=k), {})
        for s in specs for k in range(2)
    ]  # fmt: skip
    return run_summary(store(tmp_path / "run", run_info([(s, 12) for s in specs]), stored))


def test_the_widest_rows_still_fit(tmp_path):
    text = render_summary(worst_case(tmp_path), "table")
    assert max(cell_len(line) for line in text.splitlines()) <= 100
    assert "prefill bf16 emul 65536" in text


def test_options_that_all_cases_have_are_said_once(tmp_path):
    text = render_summary(worst_case(tmp_path), "table")
    (line,) = [line for line in text.splitlines() if "OpenVINOExecutionProvider" in line]
    assert line == "options of every case: compile execution_provider=OpenVINOExecutionProvider"
    assert "own=cuda:0" in text.replace("\n", "").replace(" ", "")


def test_a_wider_terminal_gives_options_room(tmp_path):
    text = render_summary(worst_case(tmp_path), "table", width=130)
    assert "onnxruntime cuda:0 own=cuda:0" in text
    assert max(cell_len(line) for line in text.splitlines()) <= 130


def test_every_reason_is_printed_in_full(summary):
    flat = " ".join(render_summary(summary, "table").split())
    for one in summary.cases:
        if one.status != "ok":
            assert " ".join(one.reason.split()) in flat
    assert "values are widened to FP32 for each product" in flat


def test_unsupported_percentiles_tell_how_many_samples_and_the_maximum(summary):
    text = render_summary(summary, "table")
    assert "p99 n/a (n_eff=112, needs 368); highest supported p96 1.11 ms; max 1.11 ms" in text
    assert "p50 n/a" not in text


def test_the_row_of_an_invalid_case_is_marked(summary):
    row = next(line for line in render_summary(summary, "table").splitlines() if line.startswith("decode  int8"))
    assert "1.60k!" in row
    assert "invalid" in row


def test_colour_adds_nothing_but_colour(summary):
    plain, colored = render_summary(summary, "table"), render_summary(summary, "table", color=True)
    assert "\x1b[" in colored
    assert "\x1b[" not in plain
    stripped = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", colored).splitlines()) + "\n"
    assert stripped == plain


def test_text_from_elsewhere_is_neither_markup_nor_control(tmp_path):
    spec = case("bert-encoder", "infer", "fp32")
    reason = "[red]\x1b[31mbad\x07|cell\n*next*"
    summary = run_summary(
        store(tmp_path / "run", run_info([(spec, 1)]), [(measurement(spec, "failed", reason=reason), {})])
    )
    table, markdown = render_summary(summary, "table"), render_summary(summary, "markdown")
    assert "[red][31mbad|cell *next*" in table
    assert r"\[red\]\[31mbad\|cell \*next\*" in markdown


def test_markdown_rows_have_as_many_cells_as_the_header(summary):
    lines = [line for line in render_summary(summary, "markdown").splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {13}
    assert len(lines) == 2 + len(summary.cases)


def test_json_reads_back_as_the_same_record(summary):
    assert msgspec.json.decode(render_summary(summary, "json"), type=RunSummary) == summary


def test_json_says_null_with_a_reason(summary):
    for one in json.loads(render_summary(summary, "json"))["cases"]:
        for metric in METRICS:
            assert (one[metric.name] is None) == bool(one[f"{metric.name}_reason"])


def test_csv_holds_every_number_unscaled(summary):
    rows = list(csv.DictReader(io.StringIO(render_summary(summary, "csv"))))
    assert list(rows[0]) == [column.name for column in COLUMNS]
    assert (rows[0]["throughput_per_s"], rows[0]["latency_p50_s"], rows[1]["throughput_per_s"]) == (
        "400.0",
        "0.0012",
        "",
    )
    assert (rows[0]["shape"], rows[3]["options"]) == ('{"sequence_length":64}', '{"compile":true}')
    assert len(rows) == len(summary.cases)


def test_replicates_are_counted_in_the_status(tmp_path):
    spec = case("bert-encoder", "infer", "fp32")
    one = measurement(spec, work=SEQUENCES, timing=timing([(1, 10**9)], 0))
    text = render_summary(run_summary(store(tmp_path / "run", run_info([(spec, 3)]), [(one, {})])), "table")
    assert re.search(r"ok 1/3 +1$", text, re.MULTILINE)
    assert "[1] 2 of 3 replicates missing" in text


def test_an_empty_run_can_be_shown(tmp_path):
    summary = run_summary(store(tmp_path / "run", run_info([]), []))
    for output_format in FORMATS:
        assert render_summary(summary, output_format)
    assert "0 ok, 0 unsupported, 0 failed" in render_summary(summary, "table")


def test_only_the_table_needs_rich(tmp_path):
    run = example_run(tmp_path / "run").path
    code = (
        "import sys; from results.render import render_summary; from results.store import open_run;"
        "from results.summary import run_summary; s = run_summary(open_run(sys.argv[1]));"
        "[render_summary(s, f) for f in ('markdown', 'json', 'csv')];"
        "print(sorted({'rich', 'pandas', 'torch', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Energy


@pytest.fixture
def energies(tmp_path):
    return run_summary(energy_run(tmp_path / "energy"))


@pytest.mark.parametrize("output_format", FORMATS)
def test_golden_of_energy(energies, golden, output_format):
    golden(f"energy.{SUFFIX[output_format]}", render_summary(energies, output_format))


def energy_rows(text):
    block = text[text.index("\nenergy\n") :].split("\n\n")[0]
    return {" ".join(line.split()[:2]): line for line in block.splitlines()[3:]}


def test_energy_table(energies):
    text = render_summary(energies, "table")
    assert max(cell_len(line) for line in text.splitlines()) <= 100
    rows = energy_rows(text)
    assert list(rows) == ["bert-encoder/tiny infer", "llm-decoder/tiny decode", "resnet/tiny infer"]
    assert "500 mJ/token" in rows["bert-encoder/tiny infer"]
    assert "5.0 %" in rows["bert-encoder/tiny infer"]
    assert "1.50 J/token!" in rows["llm-decoder/tiny decode"], "a guard fails"
    assert re.search(r"2\.00 s\*", rows["llm-decoder/tiny decode"]), "a short window"
    flat = " ".join(text.split())
    assert "short window: metered over less than 10 s" in flat
    assert "! energy that a guard says FAIL of (energy_gap)" in flat
    assert "energy n/a in 1 of 5 cases: the meter was lost" in flat
    assert flat.count("gpu_board (one accelerator board)") == 1
    assert "cpu_package" not in flat


def test_energy_is_never_shown_as_0(energies):
    shown = "\n".join(line for line in render_summary(energies, "table").splitlines() if "/tiny" in line)
    assert not re.search(r"(?<![\d.])0(\.0+)? ?(m|u|k)?(J|W|%)", shown)


def test_without_any_energy_the_reasons_are_said_once_and_counted(tmp_path):
    specs = [case("resnet", "infer", "fp32", batch_size=n) for n in range(1, 9)]
    stored = [(metered(lost(f"reason {n % 5}"), spec=spec), {}) for n, spec in enumerate(specs)]
    for output_format in ("table", "markdown"):
        run = store(tmp_path / output_format, run_info([(spec, 1) for spec in specs]), stored)
        text = render_summary(run_summary(run), output_format)
        assert "energy n/a: reason 0; reason 1; reason 2; 2 more" in text
        assert "J per item" not in text


def test_scopes_are_told_apart_in_the_rows_where_they_differ(tmp_path):
    other = case("resnet", "infer", "fp32", device="cuda:0")
    stored = [(metered(reading()), {}), (metered(reading(scope="module"), spec=other), {})]
    text = render_summary(run_summary(store(tmp_path / "run", run_info([(SPEC, 1), (other, 1)]), stored)), "table")
    rows = energy_rows(text)
    assert "gpu_board" in rows["bert-encoder/tiny infer"]
    assert "module" in rows["resnet/tiny infer"]
    assert max(cell_len(line) for line in text.splitlines()) <= 100


def test_markdown_energy_rows_have_as_many_cells_as_their_header(energies):
    text = render_summary(energies, "markdown")
    rows = [line for line in text[text.index("**energy**") :].splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1
    assert len(rows) == 2 + 4


def test_explain_tells_how_the_energy_came_about(tmp_path, golden):
    run = energy_run(tmp_path / "run")
    golden("explain-energy.txt", explain(run, "bert-encoder"))
    other = explain(run, "resnet/tiny infer fp32")
    assert "Energy: n/a: the meter was lost" in other
    assert "meter rapl, cpu_package: 200 J by RAPL package" in other, "what is not the headline is still told"


def test_a_remark_and_the_net_of_idle_are_told(tmp_path):
    records = [metered(reading(remark="one of two packages"), spec=SPEC, replicate=k) for k in range(2)]
    run = store(tmp_path / "run", run_info([(SPEC, 2)]), [(record, {}) for record in records])
    for output_format in ("table", "markdown"):
        text = " ".join(render_summary(run_summary(run), output_format).split())
        assert text.count("energy: one of two packages") == 1
        assert "tokens/s/MW is a million times tokens/s/W" in text
    told = " ".join(explain(run, "bert-encoder").split())
    assert told.count("one of two packages") == 2
    assert "net energy 320 J +-17.3 J (95 %)" in told
    unsure = metered(reading(idle_u_window=None), lost(scenario="latency", remark="it hung"))
    run = store(tmp_path / "unsure", run_info([(SPEC, 1)]), [(unsure, {})])
    told = " ".join(explain(run, "bert-encoder").split())
    assert "net energy 160 J (+- n/a: it is not known how wrong the idle power may be)" in told
    assert "it hung" in told


def test_explain_gives_no_number_of_a_reading_that_cannot_be(tmp_path):
    edited = metered(reading(), reading("latency", steps=-5))
    run = store(tmp_path / "run", run_info([(SPEC, 1)]), [(edited, {})])
    told = " ".join(explain(run, "bert-encoder").split())
    assert (
        "process 0, latency, meter nvidia, gpu_board of GPU-1: n/a: unusable reading: its number of steps is -5" in told
    )
    assert "synced step, +-" not in told


def test_csv_holds_no_formulas():
    cells = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"]
    names = [f"c{k}" for k in range(len(cells))]
    text = csv_text([*names, "n", "t"], [dict(zip(names, cells, strict=True)) | {"n": -1.5, "t": "a=1"}])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert [row[name] for name in names] == [f"'{cell}" for cell in cells]
    assert (row["n"], row["t"]) == ("-1.5", "a=1")


def test_half_widths_are_never_rounded_down_to_nothing():
    shown = {0.05: "5.0 %", 0.123: "12 %", 0.0004: "<0.1 %", 0.00099: "<0.1 %", 0.001: "0.1 %", 12.0: ">999 %"}
    assert {value: units.half_width(value) for value in shown} == shown
    assert units.half_width(None) == "n/a"
    assert [units.joules(value) for value in (2.5e-5, 3e-9, 2.5)] == ["25.0 uJ", "3.00 nJ", "2.50 J"]
