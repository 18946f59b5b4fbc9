"""Which prices a run gets, and which texts are numbers."""

from __future__ import annotations

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.cost_values import Duration, Number, number
from results.device_table import shipped_devices
from results.errors import PriceError
from results.instance_record import Instance
from results.price_table import load_prices
from results.run_prices import InstanceName, PriceChoice, instance_names, run_prices
from results.store import StoredRun
from results.summary import run_summary
from tests.results.cost_calls import COLUMNS, price_file
from tests.results.example_run import case, measurement, run_info, timing
from tests.results.scorecard_example import SEQUENCES

ROW = "me,{region},box,,0,,16,64,{pricing},{usd},instance,2026-11-01,my bill"
# The main region (us-east-1) and another, both kinds in each.
ROWS = [
    ROW.format(region=region, pricing=pricing, usd=usd)
    for region, pricing, usd in [
        ("us-east-1", "on_demand", 4), ("us-east-1", "spot", 3), ("cellar", "on_demand", 2), ("cellar", "spot", 1),
    ]
]  # fmt: skip
IN_THE_CELLAR = Instance(provider="me", instance_type="box", region="cellar", pricing="spot", evidence="DMI")


def priced(tmp_path, instance, choice=PriceChoice()):  # noqa: B008
    spec = case("bert-encoder", "infer", "fp32")
    info = msgspec.structs.replace(run_info([(spec, 1)]), instance=instance)
    record = measurement(spec, work=SEQUENCES, timing=timing([(50, 10**9)], 0))
    summary = run_summary(StoredRun(None, info, [record], []))
    return run_prices(summary, load_prices(price_file(tmp_path / "p.csv", *ROWS)), shipped_devices(), choice)


def test_the_columns_are_those_of_the_table():
    assert COLUMNS.startswith("provider,region,instance_type,")


BOX, CELLAR_BOX = InstanceName("me", "box"), InstanceName("me", "box", "cellar")


@pytest.mark.parametrize(("changes", "choice", "usd", "basis"), [
    ({}, PriceChoice(), 1, "rented_here"),
    ({}, PriceChoice(region="cellar", pricing="spot"), 1, "rented_here"),
    ({}, PriceChoice(region="us-east-1"), 3, "given"),
    ({}, PriceChoice(pricing="on_demand"), 2, "given"),
    ({"region": None}, PriceChoice(), 3, "rented_here"),
    ({"region": None}, PriceChoice(region="cellar"), 1, "given"),
    ({"pricing": None}, PriceChoice(), 2, "rented_here"),
    ({"pricing": None}, PriceChoice(pricing="spot"), 1, "given"),
    # The run's own type named: its region and pricing, unless others are given.
    ({}, PriceChoice(given=(BOX,)), 1, "rented_here"),
    ({}, PriceChoice(given=(CELLAR_BOX,), region="us-east-1"), 1, "rented_here"),
    ({}, PriceChoice(given=(BOX,), region="us-east-1"), 3, "given"),
    ({}, PriceChoice(given=(BOX,), pricing="on_demand"), 2, "given"),
    # Another machine's says nothing of how this one would be paid.
    ({"instance_type": "crate"}, PriceChoice(given=(BOX,)), 4, "given"),
    ({"provider": "you"}, PriceChoice(given=(CELLAR_BOX,)), 2, "given"),
])  # fmt: skip
def test_region_and_pricing(tmp_path, changes, choice, usd, basis):
    ((price, found),) = priced(tmp_path, msgspec.structs.replace(IN_THE_CELLAR, **changes), choice).prices
    assert price.row.price_usd_per_hour == usd
    assert found == basis


@pytest.mark.parametrize(("changes", "choice", "notes"), [
    ({}, PriceChoice(), []),
    ({"pricing": None}, PriceChoice(), ["the run does not say how it was paid: on_demand is assumed"]),
    ({"pricing": None}, PriceChoice(pricing="spot"), []),
    ({"region": None}, PriceChoice(), ["the run does not say its region: us-east-1 is assumed"]),
    ({"region": None}, PriceChoice(given=(CELLAR_BOX,)), []),
])  # fmt: skip
def test_what_a_run_does_not_say_is_noted_as_assumed(tmp_path, changes, choice, notes):
    ((price, _),) = priced(tmp_path, msgspec.structs.replace(IN_THE_CELLAR, **changes), choice).prices
    assert [note for note in price.note.split("; ") if "assumed" in note] == notes


def test_what_if_comes_on_top_and_the_same_row_is_priced_once(tmp_path):
    choice = PriceChoice(what_if=(InstanceName("me", "box", "us-east-1"), InstanceName("me", "box", "cellar")))
    found = priced(tmp_path, msgspec.structs.replace(IN_THE_CELLAR, pricing="on_demand"), choice).prices
    assert [(price.row.price_usd_per_hour, basis) for price, basis in found] == [(2, "rented_here"), (4, "what_if")]


def test_names_of_instances():
    assert instance_names(["aws:a, gcp:b@c", "aws:a"]) == (InstanceName("aws", "a"), InstanceName("gcp", "b", "c"))
    with pytest.raises(PriceError, match=r"--what-if 'aws:@x': write PROVIDER:TYPE"):
        instance_names(["aws:@x"], "--what-if")


@pytest.mark.parametrize("text", [
    "", " ", "nan", "inf", "-inf", "1e400", "1e-400", "0x10", "1_0", "1,5", "\u0661", "\uff11", "1e", ".", "e5", "--1",
    "1" * 500, "1\n2", "1 2",
])  # fmt: skip
def test_what_is_no_number(text):
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("0e5", 0), (".5", 0.5), ("5.", 5), ("+1e-3", 0.001), ("-2", -2)]
)
def test_what_is_one(text, value):
    assert number(text) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_as_it_is_written(value):
    assert number(repr(value)) == value


@pytest.mark.parametrize(
    ("text", "seconds"), [("50ms", 0.05), ("0.05", 0.05), ("2 s", 2), ("7us", 7e-6), ("3ns", 3e-9)]
)
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == pytest.approx(seconds, rel=1e-15)


def test_limits_are_where_they_are_said_to_be():
    share, part = Number("a share", above=0, most=1), Number("a part", least=0, below=1)
    assert (share.convert("1", None, None), part.convert("0", None, None)) == (1, 0)
    for kind, text in [(share, "0"), (share, "1.0001"), (part, "1"), (part, "-1e-9"), (Duration(), "0")]:
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
    assert Duration(zero=True).convert("0", None, None) == 0
    whole = Number("steps", least=1, whole=True).convert("1e3", None, None)
    assert (whole, type(whole)) == (1000, int)


def test_a_kind_of_pricing_may_stand_in_the_name(tmp_path):
    names = instance_names(["me:box@cellar,me:box@us-east-1/spot"])
    assert names == (InstanceName("me", "box", "cellar"), InstanceName("me", "box", "us-east-1", "spot"))
    # The name comes before the option.
    for pricing in (None, "on_demand"):
        found = priced(tmp_path, None, PriceChoice(given=names, pricing=pricing))
        assert [price.row.price_usd_per_hour for price, _ in found.prices] == [2.0, 3.0]
    assert instance_names(["me:a/b"]) == (InstanceName("me", "a/b"),)
