"""``chipmark import``, as a user calls it, and what else may be done with its files."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from harness.cli import main
from results.errors import UsageError
from results.imported_store import is_imported, read_imported
from results.imports.source_file import read_source
from results.render_imported import NOT_OURS
from tests.results.imports.given import INFERENCE_EXCERPT, JSON_ROW, TRAINING_EXCERPT, json_file, template_file


def call(*arguments):
    """(exit code, standard output, standard error)."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main._run([*map(str, arguments)], debug=False)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("import", "mlperf-inference", INFERENCE_EXCERPT, "--retrieved", "2026-07-24")
    assert (code, err) == (0, "")
    assert "13 results, 3 with doubts, 0 rows not imported" in out
    return tmp_path / "chipmark-imports" / "inference_v6.0.excerpt.json"


def test_a_file_is_stored_with_its_provenance(stored):
    imported = read_imported(stored)
    assert (imported.format, imported.source) == ("mlperf-inference", "inference_v6.0.excerpt.csv")
    assert len(imported.source_sha256) == 64
    assert {result.citation.retrieved for result in imported.results} == {"2026-07-24"}
    assert is_imported(stored)
    assert not is_imported(INFERENCE_EXCERPT)


def test_the_same_again_changes_nothing_and_other_content_is_refused(stored):
    before = stored.read_bytes()
    code, out, _ = call("import", "mlperf-inference", INFERENCE_EXCERPT, "--retrieved", "2026-07-24")
    assert (code, "was there already" in out) == (0, True)
    code, _, err = call("import", "mlperf-training", TRAINING_EXCERPT, "--out", stored)
    assert (code, "is there already, with other content" in err) == (2, True)
    assert stored.read_bytes() == before
    # The same source, better cited, takes its place.
    assert call("import", "mlperf-inference", INFERENCE_EXCERPT, "--retrieved", "2026-07-25")[0] == 0
    assert {result.citation.retrieved for result in read_imported(stored).results} == {"2026-07-25"}
    assert [path.name for path in stored.parent.iterdir()] == [stored.name]


def test_training_results_and_templates_are_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("import", "mlperf-training", TRAINING_EXCERPT, "--out", "a.json")[0] == 0
    assert call("import", "results", template_file(tmp_path, {}), "--out", "deep/b.json")[0] == 0
    assert read_imported(tmp_path / "deep" / "b.json").results[0].origin == "imported"
    code, _, err = call("import", "results", template_file(tmp_path, {}, {"unit": "x"}), "--out", "c.json")
    assert (code, err.count("\n")) == (2, 1)
    assert not (tmp_path / "c.json").exists()


def test_refused_rows_are_said(tmp_path):
    path = json_file(tmp_path, {}, *[{"Performance_Result": ""}] * 7)
    code, out, err = call("import", "mlperf-inference", path, "--out", tmp_path / "o.json")
    assert (code, "7 rows not imported" in out) == (0, True)
    assert "row 2 not imported: column Performance_Result: is empty" in err
    assert "2 more rows not imported" in err
    _, shown, _ = call("import", "show", tmp_path / "o.json")
    assert "row 8 not imported" in shown


@pytest.mark.parametrize("output_format", ["table", "markdown", "json", "csv"])
def test_it_is_shown_with_citation_trademark_and_that_it_is_not_ours(stored, output_format):
    code, out, err = call("import", "show", stored, "--format", output_format)
    assert (code, err) == (0, "")
    flat = " ".join(out.replace("\\", "").split())
    for said in ("MLPerf Inference v6.0", "MLCommons Association", "2026-07-24", "RedHat", "unit was corrected"):
        assert said in flat
    assert output_format == "json" or NOT_OURS in flat


def test_the_table_shows_values_counts_and_doubts(stored):
    _, out, _ = call("import", "show", stored)
    assert "1.04M token/s!" in out
    assert "88 x AMD Instinct" in out
    assert "807 us!" not in out
    assert "807 us" in out
    assert "13 results, 3 with doubts, 2 inferred, 0 rows not imported" in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_formula_is_no_formula_in_csv(tmp_path):
    call("import", "results", template_file(tmp_path, {"notes": "=1+1"}), "--out", tmp_path / "o.json")
    _, out, _ = call("import", "show", tmp_path / "o.json", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["notes"] == "'=1+1"
    assert float(row["value"]) == 1200


def test_json_is_what_is_stored(stored):
    _, out, _ = call("import", "show", stored, "--format", "json")
    assert json.loads(out) == json.loads(stored.read_text())


@pytest.mark.parametrize("arguments", [("compare", "FILE"), ("compare", ".", "FILE"), ("baseline", "create", "FILE"),
                                       ("show", "FILE"), ("cost", "FILE")])  # fmt: skip
def test_it_is_never_taken_for_a_run(stored, arguments):
    code, out, err = call(*(str(stored) if argument == "FILE" else argument for argument in arguments))
    assert (code, out) == (2, "")
    assert "measured elsewhere, not a run of chipmark" in err
    assert err.count("\n") == 1


def test_its_dollars_are_derived_by_cost(stored):
    code, out, err = call("cost", "--imported", stored, "--format", "json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    priced = [cost for cost in report["imported"] if cost["usd_per_1m"]]
    assert report["cases"] == []
    assert priced
    assert {cost["label"] for cost in priced} == {"derived by chipmark, same chip, different machine"}


BAD = {
    "empty": b"",
    "spaces": b" \n\n",
    "binary": bytes(range(256)) * 20,
    "nul": b"a,b\n\0,1\n",
    "latin-1": "Organisation,Modèle\n".encode("latin-1"),
    "utf-16": "Organization,Model\n".encode("utf-16"),
    "prose": b"these are not the results you are looking for\n",
    "deep": b"[" * 200_000,
    "deep objects": b'[{"a":' * 100_000,
    "truncated": json.dumps([JSON_ROW]).encode()[:-30],
    "object": b'{"a": 1}',
    "no rows": b"[]",
    "numbers": b"[1, 2]",
    "header": INFERENCE_EXCERPT.read_bytes().split(b"\n")[1] + b"\n",
    "header twice": b"Organization,Organization\n1,2\n",
    "huge number": json.dumps([JSON_ROW]).replace("3200.0", "9" * 5000).encode(),
    "huge exponent": json.dumps([JSON_ROW]).replace("3200.0", "1e999").encode(),
}


@pytest.mark.parametrize("command", ["mlperf-inference", "mlperf-training", "results"])
@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_on_one_line(tmp_path, command, name):
    path = tmp_path / "bad"
    path.write_bytes(BAD[name])
    code, out, err = call("import", command, path, "--out", tmp_path / "o.json")
    assert (code, out) == (2, "")
    assert err.startswith(f"chipmark: error: {path}: ")
    assert err.count("\n") == 1
    assert len(err) < 1500
    assert not (tmp_path / "o.json").exists()


@pytest.mark.parametrize("content", [*BAD.values(), b'{"schema_version": 99}', b'{"schema_version": 1}'])
def test_show_refuses_what_it_did_not_store(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    code, out, err = call("import", "show", path)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_stored_file_that_was_changed_by_hand_is_refused(stored):
    good = stored.read_text()
    for old, new in (('"value": 95004.0', '"value": -95004.0'), ('"value": 95004.0', '"value": 1e999'),
                     ('"row": 3', '"row": "3"'), ('"better"', '"bitter"'), (good[-40:], "")):  # fmt: skip
        assert old in good
        stored.write_text(good.replace(old, new, 1))
        with pytest.raises(UsageError, match="damaged"):
            read_imported(stored)


def test_missing_files_folders_and_bad_dates_are_refused(tmp_path):
    assert "No such file" in call("import", "results", tmp_path / "none.csv")[2]
    assert "Is a directory" in call("import", "results", tmp_path)[2]
    assert "no such file" in call("import", "show", tmp_path / "none.json")[2]
    assert "a folder" in call("import", "show", tmp_path)[2]
    for day, said in (("24.7.2026", "is not a date"), ("2999-01-01", "is yet to come")):
        code, _, err = call("import", "mlperf-inference", INFERENCE_EXCERPT, "--retrieved", day)
        assert (code, said in err) == (2, True)
    assert "did you mean 'results'" in call("import", "result", "x")[2]
    file = tmp_path / "file"
    file.write_text("")
    code, _, err = call("import", "mlperf-training", TRAINING_EXCERPT, "--out", file / "o.json")
    assert (code, "cannot be written" in err) == (2, True)


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['chipmark', 'import', 'results', '--help']\n"
        "from harness.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'numpy', 'scipy', 'rich', 'torch', 'importlib.metadata'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_a_pipe_or_an_endless_file_cannot_hold_anybody_up(tmp_path, name):
    path = tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
    with pytest.raises(UsageError, match="is no plain file"):
        read_source(path)
    with pytest.raises(UsageError, match="is no plain file"):
        read_imported(path)
