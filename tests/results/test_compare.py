from __future__ import annotations

import math

import msgspec
import pytest

from results.errors import ExitCode
from results.selfcheck_record import Detectable, SelfCheck
from results.verdict import Judgement
from tests.results.compared import SPEC, base, new, only, report, session
from tests.results.example_run import case

OTHER = case("llm-decoder", "decode", "bf16", device="cuda:0")
THIRD = case("resnet", "infer", "bf16", device="cuda:0")
ALL_METRICS = ("mean_step_s", "median_s", "p99_s")


@pytest.mark.parametrize(("change", "outcome", "code"), [
    (0.0, "same", 0), (0.08, "slower", 3), (-0.08, "faster", 0), (0.025, "inconclusive", 4),
])  # fmt: skip
def test_outcomes_and_exit_codes(change, outcome, code):
    found = report(new(change), base())
    row = only(found)
    assert (found.outcome, found.exit_code, row.verdict) == (outcome, code, outcome)
    assert (row.metric, row.gating, row.case_id, row.adjustment) == ("throughput", True, SPEC.id, "holm")
    assert row.p_adjusted == row.judgement.p_value
    assert row.new_s / row.base_s == pytest.approx(row.judgement.ratio) == pytest.approx(1 + change, rel=1e-6)
    assert found.counts == dict.fromkeys(found.counts, 0) | {outcome: 1}
    assert found.reason == f"of 1 gating metrics: 1 {outcome}"


def test_inconclusive_may_be_allowed_and_nothing_else():
    assert report(new(0.025), base(), allow_inconclusive=True).exit_code == 0
    assert report(new(0.08), base(), allow_inconclusive=True).exit_code == ExitCode.SLOWER
    assert (
        report(new(keys={"device_name": "A100"}), base(), allow_inconclusive=True).exit_code == ExitCode.NOT_COMPARABLE
    )
    assert report(new(processes=(), status="failed"), base(), allow_inconclusive=True).exit_code == ExitCode.CASE_FAILED


@pytest.mark.parametrize(("parts", "outcome", "code"), [
    (("slower", "failed", "not-comparable", "inconclusive", "same"), "slower", 3),
    (("failed", "not-comparable", "inconclusive", "same"), "failed", 1),
    (("not-comparable", "inconclusive", "same"), "not-comparable", 5),
    (("inconclusive", "faster", "same"), "inconclusive", 4),
    (("faster", "same"), "faster", 0), (("same",), "same", 0),
])  # fmt: skip
def test_the_worst_decides(parts, outcome, code):
    made = {
        "slower": {"change": 0.2}, "faster": {"change": -0.2}, "same": {}, "inconclusive": {"change": 0.025},
        "not-comparable": {"keys": {"device_name": "A100"}},
        "failed": {"processes": (), "status": "killed", "problem": "killed at measure: signal 9"},
    }  # fmt: skip
    candidate, baseline = [], []
    for i, part in enumerate(parts):
        spec = msgspec.structs.replace(SPEC, workload=f"w{i}")
        candidate += new(**made[part], spec=spec)
        baseline += base(spec=spec)
    found = report(candidate, baseline)
    assert (found.outcome, found.exit_code) == (outcome, code)
    assert [row.case.workload for row in found.rows] == [f"w{i}" for i in range(len(parts))]


def test_swapping_the_sides_turns_the_verdict_round():
    slow = [session(f"slow{i}", math.log(1.08) + y) for i, y in enumerate((0.0, 0.002, -0.002))]
    one, other = only(report(slow, base())), only(report(base(), slow))
    assert (one.verdict, other.verdict) == ("slower", "faster")
    assert one.judgement.ratio * other.judgement.ratio == pytest.approx(1)


# ---- metrics


def test_throughput_gates_and_the_others_are_told():
    rows = report(new(metrics=ALL_METRICS), base(metrics=ALL_METRICS)).rows
    assert [(r.metric, r.gating, r.adjustment) for r in rows] == [
        ("throughput", True, "holm"), ("latency_p50", False, "benjamini-hochberg"),
        ("latency_p99", False, "benjamini-hochberg"),
    ]  # fmt: skip


def test_a_slower_tail_alone_does_not_change_the_exit_code():
    slow_tail = [
        msgspec.structs.replace(
            s, processes=tuple(msgspec.structs.replace(p, p99_s=p.p99_s * 1.5) for p in s.processes)
        )
        for s in new(metrics=ALL_METRICS)
    ]
    found = report(slow_tail, base(metrics=ALL_METRICS))
    assert [row.verdict for row in found.rows] == ["same", "same", "slower"]
    assert (found.outcome, found.exit_code) == ("same", 0)


def test_latency_gates_where_the_baseline_has_no_throughput():
    rows = report(new(metrics=("mean_step_s", "median_s")), base(metrics=("median_s",))).rows
    assert [(r.metric, r.gating) for r in rows] == [("latency_p50", True)]


def test_a_candidate_without_the_gating_metric_is_not_let_through_by_another():
    found = report(new(metrics=("median_s",)), base(metrics=("mean_step_s", "median_s")))
    assert [(r.metric, r.gating, r.verdict) for r in found.rows] == [
        ("throughput", True, "inconclusive"), ("latency_p50", False, "same"),
    ]  # fmt: skip
    assert found.rows[0].reason == "throughput was not measured in the candidate"
    assert found.exit_code == ExitCode.INCONCLUSIVE


def test_sides_without_a_metric_in_common():
    row = only(report(new(metrics=("median_s",)), base()))
    assert (row.verdict, row.metric) == ("inconclusive", "throughput")
    assert row.reason == "throughput was not measured in the candidate"


def test_the_baseline_declares_what_gates():
    rows = report(new(metrics=ALL_METRICS), base(metrics=ALL_METRICS, gating=("latency_p50", "latency_p99"))).rows
    assert [(r.metric, r.gating) for r in rows] == [("latency_p50", True), ("latency_p99", True), ("throughput", False)]
    lost = report(new(metrics=("mean_step_s",)), base(metrics=ALL_METRICS, gating=("latency_p50",)))
    assert [(r.metric, r.gating, r.verdict) for r in lost.rows] == [
        ("latency_p50", True, "inconclusive"), ("throughput", False, "same"),
    ]  # fmt: skip
    assert lost.exit_code == 4
    nothing = report(new(0.2, metrics=ALL_METRICS), base(metrics=ALL_METRICS, gating=()))
    assert {row.gating for row in nothing.rows} == {False}
    assert (nothing.outcome, nothing.exit_code) == ("not-comparable", 5)


def test_one_process_a_side_is_not_enough():
    single = [msgspec.structs.replace(s, processes=s.processes[:1]) for s in [*new(0.5), *base(1)]]
    row = only(report(single[:1], single[1:]))
    assert row.verdict == "inconclusive"
    assert "5 replicates" in row.reason
    assert (row.judgement.ratio, row.judgement.half_width) == (pytest.approx(1.5), None)


def test_the_prior_is_that_of_the_device():
    accelerator, cpu = (only(report(new(0.08, device_kind=k), base(device_kind=k))) for k in ("cuda", "cpu"))
    assert (accelerator.verdict, cpu.verdict) == ("slower", "inconclusive")
    assert only(report(new(0.08, device_kind="unknown"), base(device_kind="unknown"))).verdict == "inconclusive"
    assert cpu.judgement.tau > 4 * accelerator.judgement.tau


def test_sessions_needed_are_told_where_nobody_knows():
    row = only(report(new(0.09), base(1)))
    assert row.judgement.sessions_needed is None
    assert row.verdict == "slower"
    row = only(report(new(0.05), base(1)))
    assert row.verdict == "inconclusive"
    assert (row.judgement.sessions_needed, row.judgement.sessions_needed_of) == (4, "new")


# ---- this host cannot tell


def selfcheck(*ratios):
    found = tuple(Detectable(minutes=10.0 * (i + 1), ratio=ratio) for i, ratio in enumerate(ratios))
    return SelfCheck(measured_at="", host_id="h", chipmark_version="0", elapsed_s=1.0, clock="c", detectable=found)


@pytest.mark.parametrize(("check", "text"), [
    (selfcheck(0.25, 0.12), "this host cannot resolve 3 % (its self-check: 12 % in 20 minutes at best)"),
    (selfcheck(None, None), "this host cannot resolve 3 % (its self-check found no change it could detect)"),
    (selfcheck(0.25, 0.029), ""), (selfcheck(), ""), (None, ""),
])  # fmt: skip
def test_the_self_check_says_that_the_host_cannot_tell(check, text):
    row = only(report(new(0.025, selfcheck=check), base()))
    assert row.verdict == "inconclusive"
    assert text in row.reason
    assert ("this host" in row.reason) == bool(text)
    assert "this host" not in only(report(new(selfcheck=check), base())).reason


# ---- many metrics


def weak(index):
    """A case with a p-value between .0005 and .01."""
    spec = msgspec.structs.replace(SPEC, workload=f"weak{index}")
    return new(0.031, spec=spec), base(spec=spec)


def test_a_verdict_must_hold_among_all_that_gate():
    row = only(report(*weak(0)))
    assert row.verdict == "slower"
    assert 0.05 / 100 < row.judgement.p_value < 0.01
    sides = [weak(i) for i in range(100)]
    found = report([s for one, _ in sides for s in one], [s for _, other in sides for s in other])
    assert {r.verdict for r in found.rows} == {"inconclusive"}
    row = found.rows[0]
    assert row.p_adjusted == pytest.approx(100 * row.judgement.p_value)
    assert row.judgement.verdict == "slower"
    assert "alone it would be slower, but among 100 metrics its adjusted p-value is" in row.reason
    assert "(Holm), above 0.05" in row.reason
    assert row.judgement.sessions_needed is not None
    assert found.exit_code == 4


def test_what_is_only_told_is_no_burden_to_what_gates():
    sides = [weak(0)]
    for i in range(1, 100):
        spec = msgspec.structs.replace(SPEC, workload=f"told{i}")
        sides.append((new(spec=spec), base(spec=spec, gating=())))
    found = report([s for one, _ in sides for s in one], [s for _, other in sides for s in other])
    assert [r.verdict for r in found.rows if r.gating] == ["slower"]


# ---- another way to judge, and the report as a whole


def test_another_way_to_judge():
    seen = []

    def judge(old, fresh, prior, rule):
        seen.append((old, fresh))
        return Judgement(verdict="faster", reason="as told", p_value=0.001)

    row = only(report(new(), base(1), judge=judge))
    assert (row.verdict, row.reason) == ("faster", "as told")
    assert [len(side) for side in seen[0]] == [1, 1]


def test_the_sides_are_named():
    found = report([*new(), *new(spec=OTHER)], [*base(), *base(spec=THIRD)])
    assert (found.candidate.session_ids, found.candidate.num_cases) == (("new",), 2)
    assert (found.base.session_ids, found.base.num_cases) == (("base0", "base1", "base2"), 2)
    assert (found.base.host_ids, found.base.device_names) == (("h",), ("H100",))
    assert (found.only_in_candidate, found.only_in_base) == ((OTHER.label,), (THIRD.label,))
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
