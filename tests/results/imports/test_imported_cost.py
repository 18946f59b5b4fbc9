"""Dollars of imported results, worked out by hand; none where the chip or its number is uncertain."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.cost_record import CostTerms
from results.imported_cost import imported_costs
from results.imported_record import DERIVED, Citation, ImportedFile, ImportedResult
from results.price_table import PriceTable
from results.pricing import find
from tests.results.costed import price_row
from tests.results.imports.given import INFERENCE_EXCERPT, inference

ROWS = [
    price_row(price_usd_per_hour=16.0),  # aws big, 8 x H100: $2 for each
    price_row(provider="oci", instance_type="one", accelerator_count=1, price_usd_per_hour=3.0),
    price_row(provider="gcp", instance_type="four", accelerator_count=4, price_usd_per_hour=28.0),  # $7
    price_row(provider="gcp", instance_type="other", accelerator="B200", accelerator_memory_gib=180.0),
    price_row(provider="gcp", instance_type="bare", accelerator=None, accelerator_count=0, accelerator_memory_gib=None),
]
TABLE = PriceTable("t.csv", {"shipped": "0" * 64}, ROWS, ["shipped"] * len(ROWS), {}, [])
RESULT = ImportedResult(
    row=2, origin="published", quantity="throughput", value=8000.0, unit="token/s", better="higher",
    citation=Citation(publisher="MLCommons", title="MLPerf", submitter="Acme", benchmark="llm", retrieved="unknown"),
    system="box", accelerator="H100", device="H100", num_accelerators=8, value_per_accelerator=1000.0,
)  # fmt: skip
TRAINING = msgspec.structs.replace(
    RESULT, quantity="time_to_train", value=1800.0, unit="s", better="lower", value_per_accelerator=None
)


def cost(result, price=None, table=TABLE, pricing="on_demand"):
    file = ImportedFile(
        format="mlperf-inference", source="x", source_sha256="0", imported_at="", chipmark_version="", results=(result,)
    )
    (found,) = imported_costs(file, table, pricing, price)
    return found


def test_a_throughput_costs_a_range_of_the_market():
    found = cost(RESULT)
    # 1000 token/s are 3.6 million an hour, at $2, $3 and $7.
    assert found.usd_per_1m == (pytest.approx(2 / 3.6), pytest.approx(3 / 3.6), pytest.approx(7 / 3.6))
    assert (found.usd_per_run, found.price, found.accelerators, found.label) == (None, None, 8, DERIVED)
    assert (found.market.num_offers, found.market.accelerator) == (3, "H100")


def test_a_time_to_train_costs_all_its_accelerators():
    found = cost(TRAINING)
    assert found.usd_per_run == (pytest.approx(8.0), pytest.approx(12.0), pytest.approx(28.0))  # 8 for half an hour
    assert found.usd_per_1m is None


def test_a_named_instance_is_one_price():
    found = cost(TRAINING, find(TABLE, "aws", "sxm-big"))
    assert found.usd_per_run == (8.0, 8.0, 8.0)
    assert (found.price.row.instance_type, found.market) == ("sxm-big", None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("other", "gcp other has B200, another chip; this was measured on H100"), ("bare", "gcp bare has no accelerator")],
)
def test_another_chip_is_not_priced(name, reason):
    found = cost(RESULT, find(TABLE, "gcp", name))
    assert (found.usd_per_1m, found.accelerators) == (None, None)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": None, "device_reason": "a system of several kinds of accelerator"}, "several kinds"),
        ({"num_accelerators": None, "num_accelerators_reason": "not said"}, "not said"),
        ({"num_accelerators_reason": "88 or 87"}, "88 or 87"),
        ({"value_per_accelerator": None, "value_per_accelerator_reason": "in doubt"}, "in doubt"),
        ({"device": "TPU-v4"}, "nobody in the price table offers TPU-v4 (on_demand)"),
    ],
)
def test_what_is_uncertain_has_a_reason_and_no_dollars(changes, reason):
    found = cost(msgspec.structs.replace(RESULT, **changes))
    assert (found.usd_per_1m, found.usd_per_run) == (None, None)
    assert reason in found.reason


def test_another_kind_of_pricing_is_never_taken_instead():
    assert "(spot)" in cost(RESULT, pricing="spot").reason


def test_latency_power_and_energy_have_no_dollars():
    results = tuple(
        msgspec.structs.replace(RESULT, quantity=quantity) for quantity in ("latency", "power", "energy_per_query")
    )
    file = ImportedFile(
        format="results", source="x", source_sha256="0", imported_at="", chipmark_version="", results=results
    )
    found = imported_costs(file, TABLE)
    assert [(cost.usd_per_1m, cost.usd_per_run) for cost in found] == [(None, None)] * 3
    assert found[2].reason == "energy per query: dollars are of throughput and of time to train alone"


def test_utilisation_and_lost_time_make_it_dearer():
    file = ImportedFile(
        format="mlperf-inference", source="x", source_sha256="0", imported_at="", chipmark_version="",
        results=(RESULT, TRAINING),
    )  # fmt: skip
    table = TABLE._replace(rows=[msgspec.structs.replace(row, pricing="spot") for row in ROWS])
    terms = CostTerms(utilisation=0.5, lost_fraction=0.2)
    once, run = imported_costs(file, table, "spot", terms=terms)
    # Half of the time used, of which a fifth is lost: 2.5 times $2 an hour over 3.6 million tokens.
    assert once.usd_per_1m[0] == pytest.approx(5 / 3.6)
    # Eight machines for half an hour at $2; a training run holds them all the time, and a fifth is lost.
    assert run.usd_per_run[0] == pytest.approx(8 * 0.5 * 2 / 0.8)
    at_demand, _ = imported_costs(file, TABLE, terms=terms)
    assert at_demand.usd_per_1m[0] == pytest.approx(4 / 3.6)  # nothing is lost that is not spot
    alone, _ = imported_costs(file, TABLE, price=find(TABLE, "oci", "one"), terms=terms)
    assert alone.usd_per_1m == (pytest.approx(6 / 3.6),) * 3


def test_of_the_genuine_excerpt_mixed_and_doubtful_systems_have_no_dollars():
    file = ImportedFile(
        format="mlperf-inference", source="x", source_sha256="0", imported_at="", chipmark_version="",
        results=inference(INFERENCE_EXCERPT).results,
    )  # fmt: skip
    table = TABLE._replace(rows=[price_row(accelerator=n, accelerator_memory_gib=None) for n in ("MI355X", "MI300X")],
                           layers=["shipped"] * 2)  # fmt: skip
    priced = {found.result.system for found in imported_costs(file, table) if found.usd_per_1m}
    assert priced == {"smci355-ccs-aus-m09-17 (AS -4126GS-NMR-LCC)"}


@given(st.floats(1e-3, 1e6), st.integers(1, 10_000))
def test_dollars_of_a_million_are_those_of_the_whole_system(rate, chips):
    found = cost(
        msgspec.structs.replace(RESULT, value=rate * chips, num_accelerators=chips, value_per_accelerator=rate),
        find(TABLE, "aws", "sxm-big"),
    )
    # The system costs 2 * chips an hour, and needs 1e6 / (rate * chips) seconds.
    assert found.usd_per_1m[1] == pytest.approx(2 * chips * 1e6 / (rate * chips) / 3600)
