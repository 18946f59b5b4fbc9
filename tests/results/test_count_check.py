"""Every kind of difference in count, over stored runs built by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from results.count_check import check_counts
from results.counts import CaseCounts, ExpectedCounts, counts_of, read_counts
from results.errors import RunFolderError, UsageError
from results.records import CaseSpec, Measurement, Memory, Support
from results.render_counts import check_text, counts_text
from results.store import StoredRun
from tests.results.example_run import (
    EMULATED,
    IMAGES,
    PASSED,
    REFERENCE,
    SEQUENCES,
    case,
    measurement,
    ramp_ns,
    run_info,
    store,
    timing,
)

FP32 = case("encoder", "infer", "fp32")
INT8 = case("encoder", "infer", "int8")
FP8 = case("encoder", "infer", "fp8")
SCOPE = "resident memory of the worker process"
USUAL = {"fp32": FP32, "int8": INT8, "fp8": FP8}
NO_FP8 = Support(level="unsupported", reason="no FP8 here")


Records = dict[str, Measurement | None]  # by precision, or by what is special; None: never measured


def ok(spec: CaseSpec, **changes: Any) -> Measurement:
    fields: dict[str, Any] = {
        "work": SEQUENCES,
        "numerics": REFERENCE if spec.precision == "fp32" else PASSED,
        "timing": timing([(10, 10**9)], 40),
        "facts": {"num_parameters": 1234},
        "memory": Memory(peak_bytes=1000, scope=SCOPE),
    }
    return measurement(spec, **(fields | changes))


def unsupported(spec: CaseSpec) -> Measurement:
    return measurement(spec, "unsupported", work=SEQUENCES, support=NO_FP8, reason=NO_FP8.reason, memory=None)


def usual() -> Records:
    """An ok FP32 case, an INT8 case on a native unit, an FP8 case that does not run."""
    return {"fp32": ok(FP32), "int8": ok(INT8), "fp8": unsupported(FP8)}


def stored(folder: Path, records: Records) -> StoredRun:
    plan = [(record.case if record else USUAL[name], 1) for name, record in records.items()]
    samples = {"latency_ns": ramp_ns(40)}
    return store(
        folder, run_info(plan), [(m, samples if m.status in ("ok", "invalid") else {}) for m in records.values() if m]
    )


@pytest.fixture
def expected(tmp_path: Path) -> ExpectedCounts:
    return counts_of(stored(tmp_path / "expected", usual()))


Differences = Callable[..., list[tuple[str, object, object]]]


@pytest.fixture
def differences(tmp_path: Path, expected: ExpectedCounts) -> Differences:
    def check(records: Records, counts: ExpectedCounts = expected) -> list:
        report = check_counts(stored(tmp_path / "run", records), counts, "counts.json")
        assert report.passed == (not report.differences)
        return [(d.what, d.expected, d.found) for d in report.differences]

    return check


def test_the_same_run_differs_in_nothing(differences: Differences) -> None:
    assert differences(usual()) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"work": IMAGES}, ("work.items", 8, 16)),
        ({"work": msgspec.structs.replace(SEQUENCES, flops=SEQUENCES.flops - 1)},
         ("work.flops", SEQUENCES.flops, SEQUENCES.flops - 1)),
        ({"facts": {"num_parameters": 1233}}, ("num_parameters", 1234, 1233)),
        ({"facts": {}}, ("num_parameters", 1234, None)),
        ({"facts": {"num_parameters": True}}, ("num_parameters", 1234, None)),
        ({"memory": Memory(peak_bytes=1501, scope=SCOPE)}, ("peak_memory_bytes", 1000, 1501)),
        ({"numerics": None}, ("numerics", "pass", None)),
        ({"numerics": REFERENCE}, ("numerics", "pass", "reference")),
    ],
    ids=["work", "flops", "parameters", "no-parameters", "odd-parameters", "memory", "no-numerics", "weaker-numerics"],
)  # fmt: skip
def test_one_count_that_differs(differences: Differences, change: dict, found: tuple) -> None:
    assert found in differences({**usual(), "int8": ok(INT8, **change)})


@pytest.mark.parametrize(
    "change",
    [
        {"memory": Memory(peak_bytes=1500, scope=SCOPE)},
        {"memory": Memory(peak_bytes=1, scope=SCOPE)},
        {"timing": timing([(10, 10**12)], 40)},
        {"facts": {"num_parameters": 1234, "threads": 7}},
        {"support": EMULATED},
    ],
    ids=["memory-at-the-limit", "less-memory", "slower", "other-facts", "emulated"],
)
def test_what_may_differ(differences: Differences, change: dict) -> None:
    assert differences({**usual(), "int8": ok(INT8, **change)}) == []


@pytest.mark.parametrize("status", ["failed", "timeout", "killed", "out_of_memory", "invalid"])
@pytest.mark.parametrize("spec", [FP32, INT8, FP8], ids=lambda spec: spec.precision)
def test_a_bad_ending_is_a_difference_whatever_is_expected(
    differences: Differences, status: str, spec: CaseSpec
) -> None:
    before = "unsupported" if spec.precision == "fp8" else "ok"
    assert differences({**usual(), spec.precision: ok(spec, status=status)}) == [("status", before, status)]


def test_a_case_that_was_never_measured(differences: Differences) -> None:
    assert differences({**usual(), "int8": None}) == [("status", "ok", "missing")]


def test_a_case_too_few_and_one_too_many(differences: Differences) -> None:
    other = case("encoder", "train", "fp32")
    records = usual()
    del records["int8"]
    assert differences({**records, "other": ok(other)}) == [("case", "planned", None), ("case", None, "planned")]


def test_another_version_of_a_workload_is_another_case(differences: Differences) -> None:
    newer = msgspec.structs.replace(INT8, workload_version=2)
    records = usual()
    del records["int8"]
    assert len(differences({**records, "newer": ok(newer)})) == 2


def test_unsupported_is_a_difference_only_where_the_case_must_be_ok(differences: Differences, tmp_path: Path) -> None:
    assert differences({**usual(), "fp32": unsupported(FP32)}) == [("status", "ok", "unsupported")]


def test_a_precision_with_its_own_unit_may_be_unsupported_elsewhere(
    differences: Differences, expected: ExpectedCounts, tmp_path: Path
) -> None:
    records = {**usual(), "int8": unsupported(INT8)}
    report = check_counts(stored(tmp_path / "elsewhere", records), expected, "counts.json")
    assert report.passed
    assert any("unsupported here: no FP8 here" in note for note in report.notes)
    emulated = counts_of(stored(tmp_path / "emulated", {**usual(), "int8": ok(INT8, support=EMULATED)}))
    assert differences(records, emulated) == [("status", "ok", "unsupported")]


def test_on_another_architecture_only_fp32_must_run(tmp_path: Path) -> None:
    counts = counts_of(stored(tmp_path / "emulated", {**usual(), "int8": ok(INT8, support=EMULATED)}))
    arm = msgspec.structs.replace(counts.provenance, platform="Linux-6.8-aarch64-with-glibc2.39")
    there = msgspec.structs.replace(counts, provenance=arm)
    run = stored(tmp_path / "run", {**usual(), "fp32": unsupported(FP32), "int8": unsupported(INT8)})
    assert [d.case.split()[2] for d in check_counts(run, there, "").differences] == ["fp32"]
    assert [d.case.split()[2] for d in check_counts(run, counts, "").differences] == ["fp32", "int8"]


def test_what_did_not_run_where_the_counts_were_taken_is_checked_as_far_as_possible(
    tmp_path: Path, expected: ExpectedCounts, differences: Differences
) -> None:
    report = check_counts(stored(tmp_path / "newer", {**usual(), "fp8": ok(FP8)}), expected, "counts.json")
    assert report.passed
    assert any("only work and numerics are checked" in note for note in report.notes)
    assert differences({**usual(), "fp8": ok(FP8, numerics=None)}) == [("numerics", "pass or reference", None)]


def test_on_another_device_all_but_peak_memory_is_compared(tmp_path: Path, expected: ExpectedCounts) -> None:
    records = {}
    for name, record in usual().items():
        there = msgspec.structs.replace(record.case, device="cuda:0")
        change = {"case": there, "case_id": there.id, "memory": Memory(peak_bytes=10**9, scope="CUDA allocator")}
        records[name] = msgspec.structs.replace(record, **change)
    report = check_counts(stored(tmp_path / "gpu", records), expected, "counts.json")
    assert report.passed
    assert sum("peak memory is not compared" in note for note in report.notes) == 2


def test_every_replicate_is_checked(tmp_path: Path, expected: ExpectedCounts) -> None:
    records = usual()
    second = ok(INT8, replicate=1, facts={"num_parameters": 7}, memory=Memory(peak_bytes=9000, scope=SCOPE))
    plan = [(FP32, 1), (INT8, 2), (FP8, 1)]
    samples = {"latency_ns": ramp_ns(40)}
    run = store(
        tmp_path / "run",
        run_info(plan),
        [(m, samples if m.status == "ok" else {}) for m in [*records.values(), second]],
    )
    report = check_counts(run, expected, "counts.json")
    assert [(d.what, d.found) for d in report.differences] == [("num_parameters", 7), ("peak_memory_bytes", 9000)]
    with pytest.raises(RunFolderError, match="replicates disagree"):
        counts_of(run)


def test_the_largest_peak_of_the_replicates_is_expected(tmp_path: Path) -> None:
    records = [ok(FP32, replicate=k, memory=Memory(peak_bytes=peak, scope=SCOPE)) for k, peak in enumerate((5, 9, 7))]
    run = store(tmp_path / "run", run_info([(FP32, 3)]), [(m, {"latency_ns": ramp_ns(40)}) for m in records])
    assert counts_of(run).cases[0].peak_memory_bytes == 9


def test_counts_survive_their_file(tmp_path: Path, expected: ExpectedCounts) -> None:
    file = tmp_path / "counts.json"
    file.write_text(counts_text(expected))
    assert read_counts(file) == expected
    by_precision: dict[str, CaseCounts] = {counts.case.precision: counts for counts in expected.cases}
    assert {p: c.must_be_ok for p, c in by_precision.items()} == {"fp32": True, "int8": False, "fp8": False}
    assert by_precision["fp8"].num_parameters is None
    assert by_precision["fp8"].num_parameters_reason == by_precision["fp8"].peak_memory_reason
    assert by_precision["fp8"].peak_memory_reason == "unsupported: no FP8 here"


@pytest.mark.parametrize("factor", [0.5, -1, "NaN", "2"])
def test_a_senseless_memory_factor_is_refused(tmp_path: Path, expected: ExpectedCounts, factor: object) -> None:
    file = tmp_path / "counts.json"
    file.write_text(
        counts_text(expected).replace(
            '"memory_factor": 1.5', f'"memory_factor": {factor if factor != "2" else chr(34) + "2" + chr(34)}'
        )
    )
    with pytest.raises(UsageError, match="counts.json: "):
        read_counts(file)


def test_the_text_names_both_values(
    tmp_path: Path, expected: ExpectedCounts, golden: Callable[[str, str], None]
) -> None:
    other = case("encoder", "train", "fp32", shape={"length": 8})
    records = {
        "fp32": ok(FP32, status="timeout", reason="no progress for 60 s; killed"),
        "int8": ok(INT8, facts={}, memory=Memory(peak_bytes=2_000_000, scope=SCOPE)),
        "fp8": ok(FP8),
        "other": ok(other),
    }
    report = check_counts(stored(tmp_path / "run", records), expected, "configs/checks/quick.json")
    golden("check.txt", check_text(report))
