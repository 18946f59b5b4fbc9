"""Reading, checking, layering and merging price tables; bad input above all."""

from __future__ import annotations

import re
import time
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results.errors import PriceError
from results.price_layers import lay_over, load_layers, user_prices_path
from results.price_row import PriceRow
from results.price_table import COLUMNS, PriceTable, load_prices, merge, parse_row, price_csv
from results.pricing import PRICINGS, find

HEADER = ",".join(COLUMNS)
CELLS = {
    "provider": "aws", "region": "us-east-1", "instance_type": "big", "accelerator": "H100", "accelerator_count": "8",
    "accelerator_memory_gib": "80", "vcpus": "192", "memory_gib": "2048", "pricing": "on_demand",
    "price_usd_per_hour": "55.04", "unit": "instance", "as_of": "2026-07-20", "source": "somewhere",
}  # fmt: skip
TODAY = date(2026, 11, 25)


def line(**cells):
    return ",".join({**CELLS, **cells}.values())


def price_row(**cells):
    return parse_row({**CELLS, **cells}, "here", None)


@pytest.fixture
def write(tmp_path):
    def written(*lines, header=HEADER, name="mine.csv"):
        file = tmp_path / name
        file.write_text("\n".join([header, *lines]) + "\n")
        return file

    return written


@pytest.mark.parametrize(("cells", "message"), [
    ({"price_usd_per_hour": "8000"}, "price_usd_per_hour: 8000 cannot be: an hour of one accelerator costs less than 1000"),
    ({"price_usd_per_hour": "3,20 EUR"}, "price_usd_per_hour: '3,20 EUR' is not a number: write a plain number of US do"),
    ({"price_usd_per_hour": "$3.2"}, "price_usd_per_hour: '$3.2' is not a number: write a plain number of US dollars"),
    ({"price_usd_per_hour": "1_000"}, "price_usd_per_hour: '1_000' is not a number"),
    ({"price_usd_per_hour": "٣"}, "price_usd_per_hour: '٣' is not a number"),
    ({"price_usd_per_hour": "-inf"}, "price_usd_per_hour: '-inf' is not a positive number"),
    ({"price_usd_per_hour": "1e999"}, "price_usd_per_hour: '1e999' is not a positive number"),
    ({"unit": "chip"}, "accelerator_count: must be 1 where unit is chip"),
    ({"unit": "accelerator"}, "accelerator_count: must be 1 where unit is accelerator"),
    ({"accelerator": "", "accelerator_count": "1"}, "accelerator_count: must be 0 if and only if accelerator is empty"),
    ({"provider": "a\x1b[31mb"}, "provider: 'a\\x1b[31mb' holds control characters"),
    ({"source": "two\nlines"}, "source: 'two\\nlines' holds control characters"),
    ({"source": "x" * 501}, "source: has 501 characters, at most 500 are taken"),
    ({"pricing": "on-demand"}, "pricing: 'on-demand' is none of"),
    ({"as_of": "2026-11-27"}, "as_of: 2026-11-27 is yet to come: today is 2026-11-25"),
    ({"as_of": "20261101"}, "as_of: '20261101' is not a date"),
])  # fmt: skip
def test_a_wrong_cell_is_named(cells, message):
    with pytest.raises(PriceError) as error:
        parse_row({**CELLS, **cells}, "t.csv: row 7", TODAY)
    assert str(error.value).startswith(f"t.csv: row 7: column {message}")


def test_what_is_just_inside_the_limits_is_taken():
    assert price_row(price_usd_per_hour="7999.9").price_usd_per_hour == 7999.9
    # Tomorrow has begun in some time zone.
    assert parse_row({**CELLS, "as_of": "2026-11-26"}, "here", TODAY).as_of == "2026-11-26"
    cpu = {"accelerator": "", "accelerator_count": "0", "accelerator_memory_gib": ""}
    assert price_row(**cpu, price_usd_per_hour="999").accelerator is None
    with pytest.raises(PriceError, match="1000 cannot be: an hour of an instance without accelerators costs less"):
        price_row(**cpu, price_usd_per_hour="1000")


def test_dates_to_come_are_refused_in_a_users_table_and_noted_in_ours(write):
    file = write(line(as_of="2026-07-22"))
    with pytest.raises(PriceError, match=r"row 2: column as_of: 2026-07-22 is yet to come: today is 2026-07-20"):
        load_prices(file, today=date(2026, 7, 20))
    ours = load_prices(today=date(2020, 1, 1))
    assert ours.notes == ["prices.csv: prices are of a time yet to come: is the clock right? It says 2020-01-01"]
    assert load_prices(today=TODAY).notes == []


@pytest.mark.parametrize(("content", "message"), [
    (b"", "row 1: missing column provider"),
    (HEADER.encode() + b",unit\n", "row 1: column unit is there twice"),
    (HEADER.replace("as_of", "asof").encode(), "row 1: missing column as_of; did you mean 'asof'?"),
    (b"\x7fELF\x00", "holds NUL characters: it is no text"),
    (b"\xff\xfe", "is not UTF-8: invalid start byte at byte 0"),
    (f"{HEADER}\n{line()},more\n".encode(), "row 2: has another number of cells"),
    (f"{HEADER},Currency\n{line()},EUR\n".encode(), "row 2: column Currency: 'EUR': prices must be in USD"),
    (f'{HEADER}\n"{"x" * 140_000}"\n'.encode(), "row 2: field larger than field limit"),
])  # fmt: skip
def test_a_file_that_is_no_table(tmp_path, content, message):
    file = tmp_path / "wrong.csv"
    file.write_bytes(content)
    with pytest.raises(PriceError, match=re.escape(message)) as error:
        load_prices(file)
    assert str(error.value).startswith(str(file))


def test_a_table_of_dollars_may_say_so_and_begin_with_a_mark(write, tmp_path):
    file = tmp_path / "bom.csv"
    file.write_bytes(b"\xef\xbb\xbf" + f"{HEADER},CURRENCY,mine\r\n{line()}, usd,x\r\n".encode())
    assert [row.price_usd_per_hour for row in load_prices(file).rows] == [55.04]


def test_a_folder_and_a_table_too_large_are_refused(tmp_path, write, monkeypatch):
    with pytest.raises(PriceError, match="is no plain file"):
        load_prices(tmp_path)
    monkeypatch.setattr("results.price_table.MAX_FILE_BYTES", 2**20)
    file = write("x" * 2**20)
    with pytest.raises(PriceError, match="larger than 1 MiB"):
        load_prices(file)


def test_a_repeated_row_is_refused_and_another_date_is_not(write):
    with pytest.raises(PriceError, match=r"row 4: column instance_type: repeats row 2"):
        load_prices(write(line(), line(as_of="2026-07-21"), line(price_usd_per_hour="1")))


@pytest.mark.parametrize(("variables", "path"), [
    ({"CHIPMARK_PRICES": "/a/b.csv", "XDG_CONFIG_HOME": "/x"}, "/a/b.csv"),
    ({"XDG_CONFIG_HOME": "/x"}, "/x/chipmark/prices.csv"), ({}, "/home/me/.config/chipmark/prices.csv"),
])  # fmt: skip
def test_where_the_users_prices_are(monkeypatch, variables, path):
    for name in ("CHIPMARK_PRICES", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    assert str(user_prices_path()) == path


def test_layers_take_the_place_of_those_below(write, monkeypatch):
    p5 = {"instance_type": "p5.48xlarge", "as_of": "2026-01-01"}
    user = write(line(**p5, price_usd_per_hour="40"), line(provider="mine"), name="user.csv")
    above = write(line(**p5, price_usd_per_hour="30", accelerator="H100-mine"), name="given.csv")
    monkeypatch.setenv("CHIPMARK_PRICES", str(user))
    match = find(load_layers(), "aws", "p5.48xlarge", "us-east-1")
    assert (match.row.price_usd_per_hour, match.layer) == (40.0, "user")
    assert match.table_sha256 == load_prices(user).sha256["given"]
    assert match.note == (
        "this price of the user table is of 2026-01-01; it stands in for a newer one: $55.04 of 2026-07-20"
    )
    table = load_layers(above)
    match = find(table, "aws", "p5.48xlarge", "us-east-1")
    assert (match.row.price_usd_per_hour, match.layer, list(table.sha256)) == (
        30.0,
        "given",
        ["shipped", "user", "given"],
    )
    assert find(table, "mine", "big").layer == "user"
    assert find(table, "aws", "g6.xlarge").layer == "shipped"
    assert len(table.rows) == len(table.layers) == 1639 + 1


def test_an_equally_old_price_of_the_user_needs_no_note(write):
    below, above = load_prices(write(line())), load_prices(write(line(price_usd_per_hour="9"), name="up.csv"), "user")
    match = find(lay_over(below, above), "aws", "big", "us-east-1")
    assert (match.row.price_usd_per_hour, match.note) == (9.0, "")


def test_no_file_of_the_user_is_fine_and_a_broken_or_missing_named_one_is_not(tmp_path, monkeypatch, write):
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_layers().sha256.keys() == {"shipped"}
    monkeypatch.setenv("CHIPMARK_PRICES", str(tmp_path / "gone.csv"))
    with pytest.raises(PriceError, match=r"gone\.csv: the price table cannot be read"):
        load_layers()
    monkeypatch.setenv("CHIPMARK_PRICES", str(write("x", name="broken.csv")))
    with pytest.raises(PriceError, match=r"broken\.csv: row 2: has another number of cells"):
        load_layers()


def test_merging_keeps_the_newest_of_each_offer():
    old = [price_row(), price_row(instance_type="small", as_of="2026-08-01")]
    new = [
        price_row(as_of="2026-09-01", price_usd_per_hour="50"),
        price_row(instance_type="small", as_of="unknown", price_usd_per_hour="1"),
        price_row(instance_type="new"),
    ]
    rows, added, replaced, older = merge(old, new)
    assert (added, replaced, older) == (1, 1, 1)
    assert [(row.instance_type, row.price_usd_per_hour) for row in rows] == [
        ("big", 50.0),
        ("small", 55.04),
        ("new", 55.04),
    ]


def test_a_written_table_reads_back_exactly(tmp_path):
    rows = load_prices().rows
    file = tmp_path / "again.csv"
    file.write_text(price_csv([*rows, price_row(provider='a, "b"', price_usd_per_hour="0.12345678901234567")]))
    assert load_prices(file).rows[:-1] == rows
    assert load_prices(file).rows[-1].price_usd_per_hour == 0.12345678901234567


def test_a_large_table_is_read_and_searched_without_a_quadratic_step(write):
    # 50,000 rows take well under a second; a step over all pairs would take many minutes.
    file = write(*(line(provider=f"p{i % 7}", instance_type=f"t{i}") for i in range(50_000)))
    table = load_prices(file)
    assert len(lay_over(table, table).rows) == 50_000
    assert find(table, "p6", "t6").row.instance_type == "t6"


def test_other_kinds_are_never_taken_from_another_region_or_unit(write):
    table = load_prices(write(
        line(), line(pricing="spot", region="eu-1", price_usd_per_hour="9"),
        line(pricing="reserved_1y", unit="accelerator", accelerator_count="1", price_usd_per_hour="3"),
        line(pricing="reserved_3y", price_usd_per_hour="24"),
        line(pricing="capacity_block", accelerator_count="4", price_usd_per_hour="20"),
    ))  # fmt: skip
    prices = find(table, "aws", "big").prices_by_pricing
    assert list(prices) == list(PRICINGS)
    assert prices == {
        "on_demand": 55.04, "spot": None, "reserved_1y": None, "reserved_3y": 24.0, "capacity_block": None,
    }  # fmt: skip


def test_an_instance_is_never_priced_as_an_accelerator(write):
    attached = line(accelerator_count="1", unit="accelerator", price_usd_per_hour="3", as_of="2026-10-01")
    table = load_prices(write(line(), attached))
    assert find(table, "aws", "big").row.unit == "instance"


@pytest.mark.parametrize(("arguments", "message"), [
    (("AWS", "big"), "unknown provider 'AWS'; did you mean 'aws'?"),
    (("aws", "BIG"), "unknown aws instance 'BIG'; did you mean 'big'?"),
    (("aws", "big", "US-EAST-1"), "in region 'US-EAST-1'; it has: us-east-1"),
])  # fmt: skip
def test_another_case_is_suggested_not_guessed(write, arguments, message):
    with pytest.raises(PriceError, match=re.escape(message)):
        find(load_prices(write(line())), *arguments)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=timedelta(seconds=2))
@given(content=st.binary() | st.binary().map(lambda tail: f"{HEADER}\n{line()}\n".encode() + tail))
def test_any_bytes_are_a_table_or_a_price_error(tmp_path, content):
    file = tmp_path / "any.csv"
    file.write_bytes(content)
    found = outcome(lambda: load_prices(file))
    assert isinstance(found, PriceTable) or found.startswith(str(file))


@given(name=st.sampled_from(COLUMNS), cell=st.text())
def test_any_cell_gives_a_row_or_a_price_error(name, cell):
    found = outcome(lambda: parse_row({**CELLS, name: cell}, "here", TODAY))
    if isinstance(found, PriceRow):
        assert 0 < found.price_usd_per_hour / max(1, found.accelerator_count) < 1000
    else:
        assert found.startswith("here: column ")


def outcome(read):
    """What ``read`` gives, or the text of its PriceError."""
    try:
        return read()
    except PriceError as error:
        return str(error)


def test_every_currency_column_is_looked_at(write):
    with pytest.raises(PriceError, match="column Currency: 'EUR': prices must be in USD"):
        load_prices(write(line() + ",USD,EUR", header=f"{HEADER},currency,Currency"))


def test_a_header_of_very_many_columns_is_read_at_once(write):
    names = [f"c{i}" for i in range(150_000)]
    started = time.monotonic()
    load_prices(write(line() + "," * len(names), header=",".join([HEADER, *names])))
    with pytest.raises(PriceError, match="column c7 is there twice"):
        load_prices(write(header=",".join([HEADER, *names, "c7"])))
    assert time.monotonic() - started < 20, "it is not looked up again for every column"
