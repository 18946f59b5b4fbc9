"""The A/A comparison: its order, its arithmetic, and what goes wrong."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.selfcheck import check, fixed_work, same_work
from results.errors import ChipmarkError
from results.paired import judge_pairs
from results.stats import order_statistic_index


def quiet(text: str) -> None:
    """Say nothing."""


def test_pairs_are_in_abba_order_and_judged_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = np.random.default_rng(3).normal(math.log(2e6), 0.01, 16)
    given = iter(np.exp(logs))
    monkeypatch.setattr(same_work, "_median_ns", lambda repeats: float(next(given)))
    found = same_work.compare_same_work(5, 0.0, quiet)
    assert found.num_pairs == 8  # as few as allowed, and no odd number
    a, b = logs[[0, 3, 4, 7, 8, 11, 12, 15]], logs[[1, 2, 5, 6, 9, 10, 13, 14]]
    assert found.pair_sd == pytest.approx((b - a).std(ddof=1))
    assert found.process_sd == pytest.approx(logs.std(ddof=1))
    assert found.judgement.log_difference == pytest.approx((b - a).mean())
    assert found.judgement.verdict == judge_pairs(list(zip(a.tolist(), b.tolist(), strict=True))).verdict


def test_how_many_pairs_depends_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def one_second(repeats: int) -> float:
        now[0] += 1.0
        return 2e6

    monkeypatch.setattr(same_work, "_median_ns", one_second)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    for budget_s, pairs in ((1.0, 8), (30.0, 14), (40.0, 20), (1e9, same_work.MAX_PAIRS)):
        assert same_work.compare_same_work(1, budget_s, quiet).num_pairs == pairs


def test_a_real_process_measures_the_fixed_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harness.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.setattr(same_work, "NUM_SAMPLES", 20)
    once, tenfold = same_work._median_ns(1), same_work._median_ns(10)
    assert 3 < tenfold / once < 30


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo broken >&2; exit 1", "broken"),
        ("exit 3", "exit code 3"),
        ("echo nonsense", "failed"),
        ("echo 1", "failed"),
        ("""echo '{"median_ns": 0}'""", "measured 0 ns"),
    ],
)
def test_a_process_that_fails_is_an_error_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, message: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ChipmarkError, match=message):
        same_work._median_ns(1)


def test_what_fails_costs_its_own_figures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed_work, "STEP_NS", 20_000)

    def broken(*_: object) -> None:
        raise ChipmarkError("it broke")

    monkeypatch.setattr("harness.selfcheck.isolation_cost.isolation_cost_s", broken)
    monkeypatch.setattr(same_work, "_median_ns", broken)
    found = check.full_check(0.0, quiet)
    assert found.isolation_cost_s is None
    assert found.aa_ratio is None
    assert found.detectable == ()
    assert found.jitter_p99_ratio is not None
    assert found.notes == ("the isolation cost could not be measured: it broke", "it broke")


def test_a_full_check_on_known_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed_work, "STEP_NS", 20_000)
    # Pairs differ by +-1 %: sd of the log ratios .01 * sqrt(8/7).
    ratios = iter([1.0, 1.01, 1.0 / 1.01, 1.0] * 4)
    monkeypatch.setattr(same_work, "_median_ns", lambda repeats: 2e6 * next(ratios))
    monkeypatch.setattr("harness.selfcheck.isolation_cost.isolation_cost_s", lambda: 0.03)
    found = check.full_check(0.0, quiet)
    assert found.num_pairs == 8
    assert (found.aa_verdict, found.isolation_cost_s, found.notes) == ("same", 0.03, ())
    assert [one.minutes for one in found.detectable] == [1, 3, 10]
    assert all(one.ratio is not None and 0.03 < one.ratio < 0.06 for one in found.detectable)


def test_jitter_is_an_order_statistic_over_another(monkeypatch: pytest.MonkeyPatch) -> None:
    times = list(range(1000, 1700))
    monkeypatch.setattr(fixed_work, "sample_ns", lambda repeats, number: reversed(times))
    assert order_statistic_index(700, 99) == 693
    assert fixed_work.jitter_ratio(1) == (1000 + 693) / (1000 + 350)
