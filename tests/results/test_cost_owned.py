from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.cost import headline_usd
from results.cost_owned import load_owned
from results.cost_record import CostTerms
from results.errors import PriceError
from tests.results.costed import OWNED, cpu_row, on_cpu, on_h100, price_row, report

FILE = """
name = "8 x H100 server"
source = "quotation 4711"
as_of = "2026-11-01"
price_usd = 360_400
residual_usd = 10_000
life_years = 4
accelerators = 8
power_w = 10_000
pue = 1.2
tariff_usd_per_kwh = 0.1
hosting_usd_per_hour = 2
busy_fraction = 0.5
"""


def owned(summary, row, terms=None, **changes):
    (found,) = report(summary, row, terms=terms, owned=msgspec.structs.replace(OWNED, **changes)).owned
    return found


def test_an_eighth_of_a_busy_hour():
    found = owned(on_h100(1000), price_row())
    # 350,400 / 35,040 h = $10, and $2 of hosting: $24 a busy hour at half use; 12 kW at $0.1: $1.2. An eighth of 25.2.
    assert found.usd_per_busy_hour == pytest.approx(3.15, rel=1e-14)
    assert found.usd_per_1m_tokens == found.usd_per_1m_items == pytest.approx(3.15 / 3.6, rel=1e-14)
    assert (found.attribution, found.usd_per_1k_steps) == ("1/8", None)
    # An eighth of $12 of calendar against $6.88 of rent less $0.15 of electricity.
    assert found.break_even_busy_fraction == pytest.approx(1.5 / 6.73, rel=1e-14)
    assert found.break_even_reason == ""


def test_rent_that_is_half_used_costs_double_and_owning_pays_earlier():
    found = owned(on_h100(1000), price_row(), CostTerms(utilisation=0.5))
    assert found.break_even_busy_fraction == pytest.approx(1.5 / (13.76 - 0.15), rel=1e-14)
    assert found.usd_per_1m_tokens == pytest.approx(3.15 / 3.6, rel=1e-14)  # a busy hour is one at the measured rate


def test_spot_time_that_is_lost_makes_a_used_hour_dearer():
    terms = CostTerms(lost_fraction=0.5)
    assert owned(on_h100(1000), price_row(pricing="spot"), terms).break_even_busy_fraction == pytest.approx(
        1.5 / (13.76 - 0.15), rel=1e-14
    )
    assert owned(on_h100(1000), price_row(), terms).break_even_busy_fraction == pytest.approx(1.5 / 6.73, rel=1e-14)


def test_a_cpu_case_takes_the_whole_machine():
    found = owned(on_cpu(1000), cpu_row(price_usd_per_hour=20.0), accelerators=0)
    assert (found.attribution, found.usd_per_busy_hour) == (None, pytest.approx(25.2, rel=1e-14))
    assert found.break_even_busy_fraction == pytest.approx(12 / 18.8, rel=1e-14)


def test_owning_that_never_pays_is_said():
    cheap = owned(on_h100(1000), price_row(price_usd_per_hour=8.0))
    assert cheap.break_even_busy_fraction == pytest.approx(1.5 / 0.85, rel=1e-14)
    assert cheap.break_even_reason == "above 1: at this rent owning never pays"
    cheaper = owned(on_h100(1000), price_row(price_usd_per_hour=1.0))
    assert cheaper.break_even_busy_fraction is None
    assert cheaper.break_even_reason == ("the rent of a used hour, $0.125, is not above the electricity of one, $0.15")


@settings(deadline=None, max_examples=50)
@given(st.floats(9.0, 500.0), st.floats(0.05, 1.0), st.integers(1, 16))
def test_at_the_break_even_owning_costs_what_renting_does(usd_per_hour, utilisation, count):
    row = price_row(price_usd_per_hour=usd_per_hour * count, accelerator_count=count)
    terms = CostTerms(utilisation=utilisation)
    even = owned(on_h100(1000), row, terms).break_even_busy_fraction
    found = report(on_h100(1000), row, terms=terms, owned=msgspec.structs.replace(OWNED, busy_fraction=even))
    assert found.owned[0].usd_per_1m_tokens == pytest.approx(
        headline_usd(found.cases[0], "usd_per_1m_tokens"), rel=1e-9
    )


def test_a_machine_without_accelerators_has_no_cost_of_a_case_that_used_one():
    found = report(on_h100(1000), price_row(), owned=msgspec.structs.replace(OWNED, accelerators=0))
    assert found.owned == ()
    assert found.warnings[1] == (
        "owned: 8 x H100 server holds no accelerator: cases that ran on an accelerator have no cost there"
    )


def test_a_server_of_accelerators_has_no_cost_of_a_case_on_the_cpu():
    found = report(on_cpu(1000), cpu_row(), owned=OWNED)
    assert found.owned == ()
    assert "owned: 8 x H100 server holds 8 accelerators: cases that ran on the CPU have no cost there" in found.warnings


def test_a_case_without_dollars_has_none_here_either():
    assert report(on_h100(1000), cpu_row(), owned=OWNED).owned == ()


def test_the_file_is_read(tmp_path):
    file = tmp_path / "owned.toml"
    file.write_text(FILE)
    assert load_owned(file) == OWNED
    file.write_text(FILE.replace('"2026-11-01"', "2026-11-01"))  # a date of TOML
    assert load_owned(file) == OWNED


@pytest.mark.parametrize(("old", "new", "words"), [
    ("price_usd", "price_eur", "unknown key 'price_eur'; did you mean 'price_usd'"),
    ("power_w = 10_000", "", "missing key power_w"),
    ("price_usd = 360_400", "price_usd = 'much'", "price_usd"),
    ("price_usd = 360_400", "price_usd = true", "price_usd"),
    ("price_usd = 360_400", "price_usd = nan", "price_usd: nan cannot be"),
    ("price_usd = 360_400", "price_usd = inf", "price_usd: inf cannot be"),
    ("price_usd = 360_400", "price_usd = -1", "price_usd: -1 cannot be: give a number from 0.01"),
    ("price_usd = 360_400", f"price_usd = 1{'0' * 400}", "price_usd"),
    ("accelerators = 8", f"accelerators = 1{'0' * 400}", "accelerators"),
    ("accelerators = 8", "accelerators = -1", "accelerators: -1 cannot be: give a number from 0"),
    ("accelerators = 8", "accelerators = 1.5", "accelerators"),
    ("residual_usd = 10_000", "residual_usd = 400_000", "residual_usd: 400000 is more than price_usd"),
    ("life_years = 4", "life_years = 0", "life_years: 0 cannot be"),
    ("pue = 1.2", "pue = 0.9", "pue: 0.9 cannot be: give a number from 1 to 3"),
    ("busy_fraction = 0.5", "busy_fraction = 0", "busy_fraction: 0 cannot be"),
    ("busy_fraction = 0.5", "busy_fraction = 5e-324", "busy_fraction: 4.94066e-324 cannot be: give a number from 0.0001"),
    ("life_years = 4", "life_years = 1e-310", "life_years: 1e-310 cannot be: give a number from 0.1"),
    ('as_of = "2026-11-01"', 'as_of = "2026-11-01 and more"', "as_of: '2026-11-01 and more' is not a date"),
    ('as_of = "2026-11-01"', 'as_of = "2999-01-01"', "as_of: 2999-01-01 is yet to come"),
    ("busy_fraction = 0.5", "busy_fraction = 1.01", "busy_fraction"),
    ('name = "8 x H100 server"', 'name = " "', "name: must be a line of text"),
    ('as_of = "2026-11-01"', 'as_of = "last week"', "as_of: 'last week' is not a date"),
    ('as_of = "2026-11-01"', "as_of = 20261101", "as_of"),
    ("price_usd = 360_400", "price_usd = ", "cannot be read"),
    ("price_usd = 360_400", "price_usd = 1\nprice_usd = 2", "cannot be read"),
])  # fmt: skip
def test_a_file_that_is_wrong_is_refused_in_one_line(tmp_path, old, new, words):
    file = tmp_path / "owned.toml"
    assert old in FILE
    file.write_text(FILE.replace(old, new))
    with pytest.raises(PriceError) as caught:
        load_owned(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 30_000, b"#" * 70_000, b"\x00"])
def test_a_file_that_is_no_toml_is_refused(tmp_path, content):
    file = tmp_path / "owned.toml"
    file.write_bytes(content)
    with pytest.raises(PriceError, match="owned.toml"):
        load_owned(file)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path):
    with pytest.raises(PriceError, match=r"none\.toml: cannot be read: No such file"):
        load_owned(tmp_path / "none.toml")
    with pytest.raises(PriceError, match="is no plain file"):
        load_owned(tmp_path)
