from __future__ import annotations

import msgspec
import pytest

from results.cost import RankTerms
from results.records import Guard, Work
from tests.results.costed import ONE_H100, changed, match, price_row, report, run_of
from tests.results.example_run import case

TOKENS = Work(items=1, item_unit="token", tokens=1, flops=1)
IMAGES = Work(items=1, item_unit="image", flops=1)
DEAR = match(price_row(accelerator_count=1, price_usd_per_hour=7.2, instance_type="dear"))


def decoding(*rates: float, **shape: int):
    """Decoding of one model at one batch size more for each rate in tokens a second."""
    specs = [
        case("llm-decoder", "decode", "bf16", device="cuda:0", batch_size=i + 1, shape=shape) for i in range(len(rates))
    ]
    return run_of(*((spec, TOKENS, rate) for spec, rate in zip(specs, rates, strict=True)))


def ranked(summary, *prices, **terms):
    return report(summary, *(prices or (ONE_H100,)), rank=RankTerms(**terms)).ranking


def test_the_cheapest_token_comes_first():
    found = ranked(decoding(500, 2000, 1000))
    # $0.001 a second: 2, 0.5 and 1 dollars for a million tokens.
    assert [(rank.place, rank.index, rank.usd) for rank in found] == [(1, 1, 0.5), (2, 2, 1.0), (3, 0, 2.0)]
    assert {(rank.group, rank.unit) for rank in found} == {("llm-decoder/tiny v1 decode", "$/1M generated token")}


def test_prices_compete_too_and_one_rate_at_two_prices_is_no_tie():
    summary = changed(decoding(1000), {"step_half_width": 0.5})
    found = ranked(summary, DEAR, ONE_H100)
    assert [(rank.place, rank.index, rank.usd, rank.tied_with_place) for rank in found] == [
        (1, 1, 1.0, None),
        (2, 0, 2.0, None),
    ]
    assert {rank.reason for rank in found} == {"assumes the measured speed there"}  # made on one of them at most


def test_equal_dollars_share_a_place():
    twin = match(price_row(accelerator_count=1, price_usd_per_hour=3.6, instance_type="twin-sxm"))
    found = ranked(changed(decoding(1000, 500), {"step_half_width": 0.01}, {"step_half_width": 0.01}), ONE_H100, twin)
    # Both cases at both prices: $1, 1, 2 and 2.
    assert [(rank.usd, rank.place, rank.tied_with_place) for rank in found] == [
        (1.0, 1, None), (1.0, 1, 1), (2.0, 3, None), (2.0, 3, 3),
    ]  # fmt: skip


def test_a_rate_that_is_only_assumed_at_its_price_says_so():
    (given,) = ranked(decoding(1000))
    assert given.reason == ""
    (elsewhere,) = report(decoding(1000), ONE_H100, basis="what_if", rank=RankTerms()).ranking
    assert (elsewhere.place, elsewhere.reason) == (1, "assumes the measured speed there")
    (other_host,) = ranked(decoding(1000), price_row(vcpus=192))
    assert (other_host.place, other_host.reason) == (1, "assumes the measured speed there")


def test_a_tie_is_with_the_best_place_that_overlaps_not_with_the_neighbour_alone():
    # $1, 1.01 and 1.025, each +- 1 %: the second reaches to both, the third to the second alone.
    fields = [{"step_half_width": 0.01}] * 3
    found = ranked(changed(decoding(1e6 / 1000, 1e6 / 1010, 1e6 / 1025), *fields))
    assert [(rank.place, rank.tied_with_place) for rank in found] == [(1, None), (2, 1), (3, 2)]
    wide = [{"step_half_width": 0.03}, {"step_half_width": 0.0001}, {"step_half_width": 0.0001}]
    found = ranked(changed(decoding(1e6 / 1000, 1e6 / 1010, 1e6 / 1025), *wide))
    assert [(rank.place, rank.tied_with_place) for rank in found] == [(1, None), (2, 1), (3, 1)]


def test_different_work_is_never_compared():
    specs = [
        (case("llm-decoder", "decode", "bf16", device="cuda:0"), TOKENS, 1000),
        (case("llm-decoder", "prefill", "bf16", device="cuda:0"), TOKENS, 1000),
        (case("llm-decoder", "decode", "bf16", device="cuda:0", preset="large"), TOKENS, 1000),
        (case("llm-decoder", "decode", "bf16", device="cuda:0", workload_version=2), TOKENS, 1000),
        (case("llm-decoder", "decode", "bf16", device="cuda:0", shape={"new_tokens": 9}), TOKENS, 1000),
        (case("resnet", "infer", "bf16", device="cuda:0"), IMAGES, 1000),
    ]
    found = ranked(run_of(*specs))
    assert [rank.place for rank in found] == [1] * 6
    assert len({rank.group for rank in found}) == 6
    assert found[5].unit == "$/1M image"


@pytest.mark.parametrize(("widths", "tied", "reason"), [
    # $1 to 1.02: 1 / 0.99 = 1.0101 reaches up to 1.02 / 1.01 = 1.0099.
    ((0.01, 0.01), 1, ""),
    ((0.005, 0.005), None, ""),
    ((0.01, None), None, "whether this differs from the place before is not known: no interval"),
])  # fmt: skip
def test_neighbours_whose_intervals_overlap_are_tied(widths, tied, reason):
    fields = [{"step_half_width": width, "step_half_width_reason": "" if width else "few"} for width in widths]
    first, second = ranked(changed(decoding(1020, 1000), *fields))
    assert (first.place, first.tied_with_place, first.reason) == (1, None, "")
    assert (second.place, second.tied_with_place, second.reason) == (2, tied, reason)


def test_the_interval_of_dollars_is_that_of_the_inverse_rate():
    # $0.905 with 10 %: up to 0.905 / 0.9 = 1.0055. $1 with 0.1 %: from 1 / 1.001 = 0.999.
    summary = changed(decoding(1105, 1000), {"step_half_width": 0.1}, {"step_half_width": 0.001})
    assert ranked(summary)[1].tied_with_place == 1


def test_a_limit_of_latency_is_kept_by_the_percentile_asked_for():
    fast = {"latency_p99_s": 0.02, "latency_p90_s": 0.01}
    slow = {"latency_p99_s": 0.06, "latency_p90_s": 0.04}
    few = {"latency_p99_s": None, "latency_p99_s_reason": "n_eff=40, needs 459", "latency_p90_s": 0.05}
    summary = changed(decoding(500, 2000, 1000), fast, slow, few)
    found = {rank.index: rank for rank in ranked(summary, max_latency_s=0.05)}
    assert [found[i].place for i in range(3)] == [1, None, None]
    assert found[1].reason == "p99 of 60.0 ms is above 50.0 ms"
    assert found[2].reason == "p99 is not known: n_eff=40, needs 459"
    assert found[1].usd == 0.5
    by_p90 = {rank.index: rank.place for rank in ranked(summary, max_latency_s=0.05, latency_percentile="p90")}
    assert by_p90 == {1: 1, 2: 2, 0: 3}


def test_a_limit_of_throughput_is_kept():
    found = {rank.index: rank for rank in ranked(decoding(500, 2000), min_throughput_per_s=501)}
    assert (found[1].place, found[0].place) == (1, None)
    assert found[0].reason == "500 token/s is below 501"


def test_what_is_not_ok_or_failed_a_guard_is_not_ranked():
    guard = Guard(name="clocks", value=1.0, threshold=0.5, verdict="FAIL", reason="throttled")
    energy = msgspec.structs.replace(guard, name="energy_window")
    summary = changed(decoding(500, 2000, 1000), {"guards": (energy,)}, {"guards": (guard,)}, {"status": "invalid"})
    found = {rank.index: rank for rank in ranked(summary)}
    assert [found[i].place for i in range(3)] == [1, None, None]
    assert found[1].reason == "guard FAIL: clocks: throttled"
    assert found[2].reason == "invalid: no reason was given"
    assert found[2].usd is None


def test_nothing_is_ranked_unless_it_is_asked_for():
    assert report(decoding(1), ONE_H100).ranking == ()


def test_scatter_of_the_very_times_is_noted_and_bars_from_no_rank():
    guard = Guard(name="step_spread", value=0.2, threshold=0.05, verdict="FAIL", reason="relative sd 20 %")
    summary = changed(decoding(500, 2000), {"guards": (guard,)}, {})
    assert {rank.index: rank.place for rank in ranked(summary)} == {1: 1, 0: 2}
    assert report(summary, ONE_H100).cases[0].notes == ("times scatter: guard FAIL: step_spread",)
