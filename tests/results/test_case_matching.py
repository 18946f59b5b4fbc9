from __future__ import annotations

import msgspec
import pytest

from results import case_matching
from results.case_matching import MAX_NEAR, match
from results.comparability import differences
from tests.results.compared import SPEC, base, new, only, report, session


def spec(**changes):
    return msgspec.structs.replace(SPEC, **changes)


def labels(pairs):
    return [(one.first.case.device, other.first.case.device) for one, other in pairs]


@pytest.mark.parametrize(("changes", "key"), [
    ({"preset": "large"}, "preset"), ({"batch_size": 9}, "batch_size"), ({"shape": {"prompt_length": 3}}, "shape"),
    ({"options": {"compile": True}}, "options"),
])  # fmt: skip
def test_the_nearest_case_is_refused_by_name(changes, key):
    found = report(new(spec=spec(**changes)), base())
    assert only(found).verdict == "not-comparable"
    assert [d.key for d in only(found).differences] == [key]
    assert (found.only_in_candidate, found.only_in_base, found.exit_code) == ((), (), 5)


@pytest.mark.parametrize("changes", [
    {"workload": "bert"}, {"phase": "decode"}, {"precision": "fp16"}, {"backend": "onnxruntime"},
])  # fmt: skip
def test_what_is_not_even_near_is_listed(changes):
    other = spec(**changes)
    found = report([*new(), *new(spec=other)], base())
    assert found.only_in_candidate == (other.label,)
    assert (found.only_in_base, found.exit_code) == ((), 0)


def test_of_several_near_ones_the_one_that_differs_least():
    wanted = spec(batch_size=9)
    found = report(new(spec=wanted), [*base(spec=spec(preset="large", batch_size=8)), *base(spec=spec(batch_size=8))])
    assert [d.key for d in only(found).differences] == ["batch_size"]
    assert found.only_in_base == (spec(preset="large").label,)


def test_a_case_that_has_its_own_counterpart_is_no_near_one():
    """A larger batch that the suite has gained is new; the old ones are still compared."""
    grown = spec(batch_size=64)
    found = report([*new(), *new(spec=grown)], base())
    assert (found.only_in_candidate, found.exit_code) == ((grown.label,), 0)


def test_another_kind_of_device_is_refused():
    found = report(new(device_kind="cpu", spec=spec(device="cpu")), base())
    assert found.exit_code == 5
    assert [d.key for d in only(found).differences] == ["device_kind"]


def test_the_number_of_a_device_does_not_matter():
    found = report(new(spec=spec(device="cuda:3")), base())
    assert only(found).verdict == "same"
    moved = [session(f"base{i}", spec=spec(device=f"cuda:{i}")) for i in range(3)]
    row = only(report(new(), moved))
    assert row.judgement.num_sessions_base == 3


def test_several_devices_in_one_session_are_paired_by_their_id():
    devices = ("cuda:1", "cuda:0", "cpu")
    kinds = {"cuda:1": "cuda", "cuda:0": "cuda", "cpu": "cpu"}
    one = [session("a", spec=spec(device=d), device_kind=kinds[d]) for d in devices]
    other = [session("b", spec=spec(device=d), device_kind=kinds[d]) for d in reversed(devices)]
    found = match(one, other)
    assert labels(found.same) == [(d, d) for d in devices]
    assert (found.near, found.only_new, found.only_base) == ([], [], [])
    # The fourth device finds the model of the others, not the CPU.
    extra = match([*one, session("a", spec=spec(device="cuda:7"))], other)
    assert labels(extra.same)[-1][1].startswith("cuda")
    fewer = match(one[:1], other)
    assert labels(fewer.same) == [("cuda:1", "cuda:1")]
    assert sorted(group.first.case.device for group in fewer.only_base) == ["cpu", "cuda:0"]


def test_thread_counts_within_one_session_are_told_apart():
    def side(name):
        return [session(name, spec=spec(device="cpu", options={"threads": n}), device_kind="cpu") for n in (1, 2)]

    found = match(side("a"), side("b"))
    pairs = [(one.first.case.options, other.first.case.options) for one, other in found.same]
    assert pairs == [({"threads": 1}, {"threads": 1}), ({"threads": 2}, {"threads": 2})]
    # Against a side with another number it is the same case, and the number is told elsewhere.
    assert (
        len(
            match(
                side("a")[:1], [session("c", spec=spec(device="cpu", options={"threads": 8}), device_kind="cpu")]
            ).same
        )
        == 1
    )


def test_many_without_a_counterpart_are_no_quadratic_search(monkeypatch):
    one = [session("a", spec=spec(batch_size=i)) for i in range(1, 301)]
    other = [session("b", spec=spec(batch_size=-i)) for i in range(1, 301)]
    looks = []
    monkeypatch.setattr(case_matching, "differences", lambda a, b: looks.append(1) or differences(a, b))
    assert len(match(one, other).near) == 300
    assert len(looks) <= 300 * MAX_NEAR < 300 * 300
