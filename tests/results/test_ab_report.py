"""What is said of stored pairs, from real run folders with known times."""

from __future__ import annotations

import math
import shutil

import msgspec
import numpy as np
import pytest

from results.ab_record import AB_FILE, read_ab
from results.ab_report import ab_report
from results.compare import CompareOptions
from results.errors import ExitCode, RunFolderError
from results.records import Guard
from results.render_compare import FORMATS, render_comparison
from tests.results.ab_folders import ab_folder, change_record, half
from tests.results.example_run import SEQUENCES

# The machine gets slower by a tenth from pair to pair; the two halves of a pair do not differ by more than .5 %.
DRIFT = [1.1**i for i in range(8)]
WOBBLE = (0.998, 1.002, 1.0, 0.997, 1.003, 1.0, 0.999, 1.001)


def times(change: float, number: int = 8):
    return [(drift, drift * wobble * change) for drift, wobble in zip(DRIFT[:number], WOBBLE, strict=False)]


def report_of(folder, **options):
    return ab_report(folder, CompareOptions(**options))


def gating(report):
    return next(row for row in report.rows if row.gating)


@pytest.mark.parametrize(
    ("change", "verdict", "code"),
    [(1.0, "same", 0), (1.10, "slower", ExitCode.SLOWER), (0.9, "faster", 0), (1.03, "inconclusive", 4)],
)
def test_a_drift_that_hits_both_halves_hides_nothing(tmp_path, change, verdict, code):
    report = report_of(ab_folder(tmp_path / "ab", times(change)))
    row = gating(report)
    assert (report.outcome, row.verdict, report.exit_code) == (verdict, verdict, code)
    logs = np.log(change * np.array(WOBBLE))
    assert row.judgement.log_difference == pytest.approx(logs.mean(), abs=2e-6)
    assert row.judgement.half_width == pytest.approx(3.4994833 * logs.std(ddof=1) / math.sqrt(8), rel=1e-3)
    assert report.reason.startswith("B (new) against A (old), in pairs")
    assert {row.metric for row in report.rows} >= {"throughput", "latency_p50"}


def test_every_format_shows_it(tmp_path):
    report = report_of(ab_folder(tmp_path / "ab", times(1.10)))
    for output_format in FORMATS:
        assert "slower" in render_comparison(report, output_format)


def test_six_pairs_are_too_few(tmp_path):
    report = report_of(ab_folder(tmp_path / "ab", times(1.10, 6)))
    assert report.exit_code == ExitCode.INCONCLUSIVE
    assert "6 complete pairs, a verdict needs 7" in gating(report).reason
    assert report_of(tmp_path / "ab", allow_inconclusive=True).exit_code == 0


def test_a_half_that_failed_costs_its_pair_and_is_said(tmp_path):
    folder = ab_folder(tmp_path / "ab", times(1.10))
    shutil.rmtree(folder / "03-b")
    pairs = list(read_ab(folder).pairs)
    pairs[2] = msgspec.structs.replace(pairs[2], b=half(None, exit_code=-9, reason="killed by SIGKILL; no word"))
    change_record(folder, pairs=tuple(pairs))
    report = report_of(folder)
    assert report.outcome == "slower"
    assert gating(report).judgement.num_processes_base == 7
    assert gating(report).judgement.num_processes_new == 7
    assert any("pair 3, B: killed by SIGKILL" in text for text in report.warnings)
    assert any("pair 3 left out; B: was not measured" in text for text in report.warnings)
    # The pairs that are left are still those that belong together.
    rest = np.log([1.10 * wobble for i, wobble in enumerate(WOBBLE) if i != 2])
    assert gating(report).judgement.log_difference == pytest.approx(rest.mean(), abs=2e-6)


def test_a_metric_that_one_half_lacks_costs_that_metric_its_pair(tmp_path, monkeypatch):
    from tests.results.ab_folders import store_half

    folder = ab_folder(tmp_path / "ab", times(1.10))
    shutil.rmtree(folder / "03-b")
    monkeypatch.setattr("tests.results.sessions.STEPS", 60)  # too few for a 99th percentile
    store_half(folder, 2, "b", DRIFT[2] * WOBBLE[2] * 1.10)
    rows = {row.metric: row.judgement for row in report_of(folder).rows}
    assert rows["throughput"].num_processes_new == rows["latency_p50"].num_processes_base == 8
    tail = rows["latency_p99"]
    assert (tail.num_processes_base, tail.num_processes_new) == (7, 7)
    rest = np.log([1.10 * wobble for i, wobble in enumerate(WOBBLE) if i != 2])
    assert tail.log_difference == pytest.approx(rest.mean(), abs=1e-4)


def test_a_run_that_is_gone_or_altered_costs_its_pair(tmp_path):
    folder = ab_folder(tmp_path / "ab", times(1.10))
    shutil.rmtree(folder / "01-a")
    samples = next((folder / "02-b" / "samples").iterdir())
    samples.write_bytes(samples.read_bytes()[:-1] + b"x")
    report = report_of(folder)
    assert gating(report).judgement.num_processes_new == 6
    assert report.outcome == "inconclusive"
    assert any("01-a" in text for text in report.warnings)
    assert any("pair 2 left out; B:" in text and "checksum" in text for text in report.warnings)


def failed_guard(name):
    return {"guards": (Guard(name=name, value=1.0, threshold=0.1, verdict="FAIL", reason="busy"),)}


def test_disturbed_pairs_are_left_out_on_both_sides(tmp_path):
    from tests.results.ab_folders import store_half

    folder = ab_folder(tmp_path / "ab", times(1.10))
    shutil.rmtree(folder / "05-a")
    store_half(folder, 4, "a", 99.0, record=failed_guard("run_queue_wait"))
    report = report_of(folder)
    assert report.outcome == "slower"
    assert gating(report).judgement.num_processes_base == 7
    assert gating(report).judgement.ratio == pytest.approx(1.10, rel=0.01)
    assert any("pair 5 left out; A: a guard failed (run_queue_wait)" in text for text in report.warnings)


def test_a_host_that_is_disturbed_throughout_gives_no_verdict(tmp_path):
    report = report_of(ab_folder(tmp_path / "ab", times(1.10), record=failed_guard("run_queue_wait")))
    assert report.outcome == "inconclusive"
    assert "run_queue_wait" in gating(report).reason


@pytest.mark.parametrize("name", ["step_spread", "step_tail", "step_slope", "load_before"])
def test_guards_on_the_compared_times_choose_no_pairs(tmp_path, name):
    report = report_of(ab_folder(tmp_path / "ab", times(1.10), record=failed_guard(name)))
    assert (report.outcome, gating(report).judgement.num_processes_new) == ("slower", 8)


def test_other_work_under_the_same_version_is_said_first(tmp_path):
    more = msgspec.structs.replace(SEQUENCES, flops=SEQUENCES.flops + 1)
    report = report_of(ab_folder(tmp_path / "ab", times(1.10), b={"record": {"work": more}}))
    assert report.warnings[0].startswith("THE WORK DIFFERS under the same version")
    assert f"flops: {SEQUENCES.flops} in A, {SEQUENCES.flops + 1} in B" in report.warnings[0]
    assert report.outcome == "slower"
    assert "THE WORK" not in str(report_of(ab_folder(tmp_path / "equal", times(1.10))).warnings)


def test_more_work_that_only_the_backend_counts_is_said_too(tmp_path):
    def counted(ratio):
        return {"record": {"guards": (Guard(name="flops", value=ratio, threshold=1.01, verdict="WARN"),)}}

    report = report_of(ab_folder(tmp_path / "ab", times(1.10), **counted(1.0), b=counted(1.1)))
    assert "FLOPs counted over analytic: 1.0000 in A, 1.1000 in B" in report.warnings[0]
    assert report.outcome == "slower"


def test_other_parameters_or_another_version_are_not_comparable(tmp_path):
    from tests.results.sessions import GPU_CASE

    fatter = {"record": {"facts": {"num_parameters": 11}}}
    report = report_of(ab_folder(tmp_path / "ab", times(1.0), record={"facts": {"num_parameters": 10}}, b=fatter))
    assert (report.outcome, report.exit_code) == ("not-comparable", ExitCode.NOT_COMPARABLE)
    newer = msgspec.structs.replace(GPU_CASE, workload_version=2)
    report = report_of(ab_folder(tmp_path / "version", times(1.0), b={"cases": (newer,)}))
    assert report.outcome == "not-comparable"
    assert any(difference.key == "workload_version" for difference in gating(report).differences)


def test_a_case_that_never_works_on_side_b_is_a_failure(tmp_path):
    broken = {"record": {"status": "failed", "stage": "prepare", "reason": "boom", "timing": None, "stats": None}}
    report = report_of(ab_folder(tmp_path / "ab", times(1.0), b=broken))
    assert (report.outcome, report.exit_code) == ("failed", ExitCode.CASE_FAILED)


def test_a_side_that_never_stored_anything(tmp_path):
    folder = ab_folder(tmp_path / "ab", times(1.0))
    gone = half(None, exit_code=1, reason="exit code 1: it broke")
    change_record(folder, pairs=tuple(msgspec.structs.replace(pair, b=gone) for pair in read_ab(folder).pairs))
    report = report_of(folder)
    assert (report.outcome, report.exit_code, report.rows) == ("failed", ExitCode.CASE_FAILED, ())
    assert any("pair 8, B: exit code 1: it broke" in text for text in report.warnings)
    first = msgspec.structs.replace(read_ab(folder).pairs[0], b=None)
    change_record(folder, pairs=(first,), interrupted_by="SIGINT")
    report = report_of(folder)
    assert (report.outcome, report.exit_code) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert "no pair has a case that both sides measured" in report.reason


def test_interrupted_and_equal_code_are_said(tmp_path):
    folder = ab_folder(tmp_path / "ab", times(1.0))
    change_record(folder, interrupted_by="SIGINT", pairs_wanted=20, same_code=True, warnings=("a word",))
    text = " ".join(report_of(folder).warnings)
    assert "interrupted by SIGINT: 8 of 20 pairs begun" in text
    assert "an A/A comparison" in text
    assert "a word" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "cannot be read as an A/B comparison"),
        (b"[]", "cannot be read as an A/B comparison"),
        (b'{"schema_version": 99}', "format 99 is newer"),
    ],
)
def test_a_damaged_record_is_refused_by_name(tmp_path, content, message):
    (tmp_path / AB_FILE).write_bytes(content)
    with pytest.raises(RunFolderError, match=message):
        read_ab(tmp_path)


@pytest.mark.parametrize("run", ["../outside", "/etc", "..", "", "a/b"])
def test_a_record_never_reads_outside_its_folder(tmp_path, run):
    folder = ab_folder(tmp_path / "ab", times(1.0, 1))
    pair = msgspec.structs.replace(read_ab(folder).pairs[0], a=half(run))
    change_record(folder, pairs=(pair,))
    with pytest.raises(RunFolderError, match="is not in its folder"):
        read_ab(folder)


CRASHED = {"status": "killed", "stage": "measure", "reason": "SIGSEGV", "timing": None, "stats": None, "samples": None}


def crash(folder, pair, name):
    from tests.results.ab_folders import store_half

    shutil.rmtree(folder / f"{pair + 1:02d}-{name}")
    store_half(folder, pair, name, 1.0, record=CRASHED)


@pytest.mark.parametrize(("change", "outcome", "code"), [(1.0, "failed", 1), (1.10, "slower", 3)])
def test_a_case_that_crashes_in_some_halves_of_b_alone_is_marked_failed(tmp_path, change, outcome, code):
    folder = ab_folder(tmp_path / "ab", [(1.0, wobble * change) for wobble in (*WOBBLE, 1.0)])
    for pair in (3, 6):
        crash(folder, pair, "b")
    report = report_of(folder)
    row = gating(report)
    assert (report.outcome, report.exit_code, report.num_failed, row.failed) == (outcome, code, 1, True)
    assert row.verdict == ("slower" if change > 1 else "same")
    assert (row.judgement.num_processes_base, row.judgement.num_processes_new) == (7, 7)
    assert any("pair 4, 7 left out; B: " in text for text in report.warnings)


def test_a_run_of_b_that_stores_nothing_marks_its_cases_and_an_interrupted_one_does_not(tmp_path):
    folder = ab_folder(tmp_path / "ab", [(1.0, wobble) for wobble in WOBBLE])
    pairs = read_ab(folder).pairs
    for exit_code, outcome in ((-11, "failed"), (ExitCode.INTERRUPTED, "same")):
        gone = half(None, exit_code=int(exit_code), reason="it ended")
        change_record(folder, pairs=(*pairs[:7], msgspec.structs.replace(pairs[7], b=gone)))
        assert report_of(folder).outcome == outcome


def test_a_crash_in_a_half_of_a_costs_its_pair_and_no_more(tmp_path):
    folder = ab_folder(tmp_path / "ab", [(1.0, wobble) for wobble in WOBBLE])
    crash(folder, 2, "a")
    report = report_of(folder)
    assert (report.outcome, report.exit_code, gating(report).failed) == ("same", 0, False)


def test_a_stolen_cpu_leaves_out_its_pairs(tmp_path):
    report = report_of(ab_folder(tmp_path / "ab", times(1.10), record=failed_guard("steal")))
    assert (report.outcome, report.exit_code) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert "steal" in gating(report).reason


def test_work_is_told_apart_by_more_than_the_label(tmp_path):
    from results.ab_work import differing_work
    from tests.results.example_run import H100, measurement, run_info, store, timing
    from tests.results.sessions import GPU_CASE

    short, long = (msgspec.structs.replace(GPU_CASE, shape={"prompt_tokens": n}) for n in (32, 64))
    assert short.label == long.label
    for name, flops in (("a", SEQUENCES.flops), ("b", SEQUENCES.flops + 1)):
        work = msgspec.structs.replace(SEQUENCES, flops=flops)
        measured = [
            measurement(case, work=counted, timing=timing([(4, 4000)], 0))
            for case, counted in ((short, work), (long, SEQUENCES))
        ]
        store(tmp_path / name, run_info([(short, 1), (long, 1)], (H100,)), [(m, {}) for m in measured])
    (told,) = differing_work(tmp_path / "a", tmp_path / "b")
    assert f"flops: {SEQUENCES.flops} in A, {SEQUENCES.flops + 1} in B" in told
