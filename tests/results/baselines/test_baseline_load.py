"""Which stored baselines fit a candidate."""

from __future__ import annotations

import msgspec
import pytest

from results.baseline_load import load_baseline
from results.baseline_records import BaselineSession
from results.baseline_store import read_store, slug
from tests.results.baselines.stores import add, candidate
from tests.results.example_run import CPU, H100, case
from tests.results.sessions import GPU_CASE, session, sessions


def test_another_device_is_handed_over_so_that_the_refusal_can_name_it(store, tmp_path):
    a100 = msgspec.structs.replace(H100, name="NVIDIA A100-SXM4-80GB")
    loaded = load_baseline([store], candidate(tmp_path, devices=(a100,)))
    assert {each.keys["device_name"] for each in loaded.cases} == {"NVIDIA H100 80GB HBM3"}
    add(store, session(tmp_path / "a100", hour=9, devices=(a100,)))
    fitting = load_baseline([store], candidate(tmp_path / "b", devices=(a100,)))
    assert {each.keys["device_name"] for each in fitting.cases} == {"NVIDIA A100-SXM4-80GB"}
    other = load_baseline([store], candidate(tmp_path / "c"))
    assert {each.keys["device_name"] for each in other.cases} == {"NVIDIA H100 80GB HBM3"}


def test_of_two_stores_the_first_that_fits_is_used(store, tmp_path):
    add(tmp_path / "shipped", *sessions(tmp_path / "s", 2))
    new = candidate(tmp_path)
    assert len(load_baseline([tmp_path / "shipped", store], new).cases) == 2
    assert len(load_baseline([store, tmp_path / "shipped"], new).cases) == 3


def test_another_case_does_not_fit(store, tmp_path):
    other = msgspec.structs.replace(GPU_CASE, batch_size=4)
    assert load_baseline([store], candidate(tmp_path, cases=(other,))).cases == []


def test_cases_that_differ_in_options_only_have_entries_of_their_own(tmp_path):
    compiled = msgspec.structs.replace(GPU_CASE, options={"compile": True})
    both = {"cases": (GPU_CASE, compiled)}
    for i in range(3):
        add(tmp_path / "store", session(tmp_path / f"b{i}", hour=2 * i, **both))
    assert len(read_store(tmp_path / "store")) == 2
    loaded = load_baseline([tmp_path / "store"], candidate(tmp_path, **both))
    assert sorted(str(each.keys["options"]) for each in loaded.cases) == 3 * [""] + 3 * ["compile=True"]
    only = load_baseline([tmp_path / "store"], candidate(tmp_path / "x", cases=(compiled,)))
    assert {each.keys["options"] for each in only.cases} == {"compile=True"}


def test_devices_with_one_short_name_do_not_mix(tmp_path):
    twin = msgspec.structs.replace(H100, name="NVIDIA-H100 80GB/HBM3")
    assert slug(twin.name) == slug(H100.name)
    add(tmp_path / "store", session(tmp_path / "a"), session(tmp_path / "b", hour=1, devices=(twin,)))
    assert len(read_store(tmp_path / "store")) == 2


@pytest.mark.parametrize("name", ["../../evil", "a/b", "..", ".hidden", "\x1b[2J", "a@2"])
def test_names_from_a_run_do_not_lead_out_of_the_store(tmp_path, name):
    spec = case(name, "infer", "fp32")
    weird = msgspec.structs.replace(CPU, name=name)
    report = add(tmp_path / "store", session(tmp_path / "run", cases=(spec,), devices=(weird,)))
    assert len(report.added) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"store", "run"}
    (entry,) = read_store(tmp_path / "store")
    assert len(entry.path.relative_to(tmp_path / "store").parts) == 3
    assert entry.name.isprintable()


def test_a_record_is_closed_and_frozen():
    assert BaselineSession.__struct_config__.forbid_unknown_fields
    assert BaselineSession.__struct_config__.frozen
