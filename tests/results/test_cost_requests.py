from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.records import Work
from tests.results.costed import ONE_H100, changed, match, price_row, report, run_of
from tests.results.example_run import case

SHAPE = {"prompt_tokens": 100, "new_tokens": 10, "sequence_length": 32}


def request_run(prefills_per_s: float = 10, decode_steps_per_s: float = 100, batch: int = 4, **decode_changes):
    """A prefill step takes the prompts of a batch; ten decode steps give each request ten tokens."""
    shape = decode_changes.pop("shape", SHAPE)
    prefill = case("llm-decoder", "prefill", "bf16", device="cuda:0", shape=SHAPE, batch_size=batch)
    decode = case("llm-decoder", "decode", decode_changes.pop("precision", "bf16"), device="cuda:0", shape=shape,
                  batch_size=batch, **decode_changes)  # fmt: skip
    prompts = Work(items=100 * batch, item_unit="token", tokens=100 * batch, flops=1)
    tokens = Work(steps=10, items=10 * batch, item_unit="token", tokens=10 * batch, flops=1)
    return run_of((prefill, prompts, prefills_per_s), (decode, tokens, decode_steps_per_s))


def test_a_request_costs_its_time_in_both_phases():
    (found,) = report(request_run(), ONE_H100).requests
    # $0.001 a second; a batch of four takes 0.1 s of prefill and 0.1 s of decode.
    assert found.usd_per_1k_requests == pytest.approx(0.05, rel=1e-12)
    assert found.usd_per_1m_prompt_tokens == pytest.approx(0.25, rel=1e-12)
    assert found.usd_per_1m_generated_tokens == pytest.approx(2.5, rel=1e-12)
    assert found.usd_per_1m_total_tokens == pytest.approx(0.2 / 0.44, rel=1e-12)
    assert found.prefill_time_share == pytest.approx(0.5, rel=1e-12)
    assert (found.prompt_tokens, found.generated_tokens, found.headline) == (100, 10, "attributed")
    assert found.label == "llm-decoder/tiny bf16 b4 torch@cuda:0"
    assert found.rate_half_width is None


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 500), st.integers(1, 5000), st.integers(1, 64), st.floats(0.01, 500), st.integers(1, 16))
def test_the_parts_add_up_to_the_whole(prefills_per_s, steps_per_s, batch, usd_per_hour, count):
    price = match(price_row(price_usd_per_hour=usd_per_hour, accelerator_count=count))
    steps_per_s = 10 * steps_per_s  # whole cycles
    (found,) = report(request_run(prefills_per_s, steps_per_s, batch), price).requests
    parts = 100 * found.usd_per_1m_prompt_tokens + 10 * found.usd_per_1m_generated_tokens
    assert parts == pytest.approx(110 * found.usd_per_1m_total_tokens, rel=1e-12)
    assert parts == pytest.approx(1000 * found.usd_per_1k_requests, rel=1e-12)
    # All that was paid for the batch: the time of both phases at the rate of the share.
    seconds = 1 / prefills_per_s + 10 / steps_per_s
    assert found.usd_per_1k_requests * batch / 1e3 == pytest.approx(usd_per_hour / count / 3600 * seconds, rel=1e-12)


def test_half_widths_are_combined_by_the_share_of_time():
    summary = changed(request_run(), {"step_half_width": 0.03}, {"step_half_width": 0.04})
    (found,) = report(summary, ONE_H100).requests
    assert found.rate_half_width == pytest.approx(0.025, rel=1e-12)  # half of each: 0.015 and 0.020


@pytest.mark.parametrize("changes", [
    {"precision": "fp16"},
    {"backend": "onnxruntime"},
    {"options": {"compile": True}},
    {"workload_version": 2},
    {"preset": "small"},
    {"shape": {**SHAPE, "prompt_tokens": 101}},
])  # fmt: skip
def test_phases_of_different_work_are_no_request(changes):
    assert report(request_run(**changes), ONE_H100).requests == ()


def test_another_number_of_new_tokens_still_has_the_same_prefill():
    (found,) = report(request_run(shape={**SHAPE, "new_tokens": 20}), ONE_H100).requests
    assert found.generated_tokens == 20
    # 4 * 20 tokens at 400 a second.
    assert found.usd_per_1k_requests == pytest.approx(0.001 * (0.1 + 0.2) / 4 * 1e3, rel=1e-12)


def test_each_price_has_its_own_requests():
    dear = match(price_row(accelerator_count=1, price_usd_per_hour=36.0, instance_type="dear"))
    found = report(request_run(), ONE_H100, dear).requests
    assert [request.price for request in found] == [ONE_H100, dear]
    assert [request.usd_per_1m_prompt_tokens for request in found] == pytest.approx([0.25, 2.5], rel=1e-12)
    assert [request.usd_per_1k_requests for request in found] == pytest.approx([0.05, 0.5], rel=1e-12)


def test_a_prefill_of_the_very_shape_comes_before_another():
    run = request_run(shape={**SHAPE, "new_tokens": 20})
    other, decode = run.cases
    own = msgspec.structs.replace(
        other, case_id="own", case=msgspec.structs.replace(other.case, shape=decode.case.shape)
    )
    (found,) = report(msgspec.structs.replace(run, cases=(other, own, decode)), ONE_H100).requests
    assert (found.prefill_case_id, found.decode_case_id) == ("own", decode.case_id)


@pytest.mark.parametrize("status", ["invalid", "failed"])
def test_a_phase_that_is_not_ok_gives_no_request(status):
    summary = changed(request_run(), {}, {"status": status, "reason": "numerics"})
    assert report(summary, ONE_H100).requests == ()


def test_a_step_that_does_not_hold_the_tokens_of_its_shape_gives_no_request():
    summary = request_run()
    summary = changed(summary, {"tokens_per_s": 2 * summary.cases[0].tokens_per_s}, {})
    assert report(summary, ONE_H100).requests == ()


def test_requests_have_the_notes_of_both_cases():
    summary = changed(request_run(), {"steady_notes": "drift: 5 %"}, {"steady_notes": "drift: 6 %"})
    (found,) = report(summary, ONE_H100).requests
    assert found.notes == ("drift: 5 %", "drift: 6 %")
