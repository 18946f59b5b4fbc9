"""``chipmark prices``, as a user calls it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import main, prices
from results.price_check import MAX_ERRORS, remarks
from results.price_table import COLUMNS, load_prices, parse_row

HEADER = ",".join(COLUMNS)
CELLS = {
    "provider": "me", "region": "attic", "instance_type": "box", "accelerator": "H100", "accelerator_count": "4",
    "accelerator_memory_gib": "80", "vcpus": "16", "memory_gib": "64", "pricing": "on_demand",
    "price_usd_per_hour": "10", "unit": "instance", "as_of": "2026-07-20", "source": "my bill",
}  # fmt: skip


def line(**cells):
    return ",".join({**CELLS, **cells}.values())


def call(*arguments):
    """(exit code, standard output, standard error)."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main._run(["prices", *map(str, arguments)], debug=False)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def no_own_table(monkeypatch, tmp_path):
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


@pytest.fixture
def write(tmp_path):
    def written(*lines, name="mine.csv"):
        file = tmp_path / name
        file.write_text("\n".join([HEADER, *lines]) + "\n")
        return file

    return written


def test_list_is_sorted_by_the_price_of_an_accelerator(write):
    file = write(
        line(), line(instance_type="one", accelerator_count="1", price_usd_per_hour="2"),
        line(instance_type="cpu", accelerator="", accelerator_count="0", accelerator_memory_gib="",
             price_usd_per_hour="0.5"),
    )  # fmt: skip
    code, out, err = call("list", "--provider", "me", "--prices", file, "--format", "json")
    listed = json.loads(out)
    assert (code, err) == (0, "")
    assert [(r["instance_type"], r["usd_per_accelerator_hour"], r["layer"]) for r in listed["prices"]] == [
        ("one", 2.0, "given"), ("box", 2.5, "given"), ("cpu", None, "given"),
    ]  # fmt: skip
    assert listed["sha256"].keys() == {"shipped", "given"}
    assert call("list", "--provider", "me", "--prices", file)[1].splitlines() == [
        "prices as listed, US dollars",
        "instance region holds   pricing   $/h $/acc-h as of",
        "me:one   attic  1xH100  on_demand   2       2 2026-07-20",
        "me:box   attic  4xH100  on_demand  10     2.5 2026-07-20",
        "me:cpu   attic  16 vCPU on_demand 0.5         2026-07-20",
        "",
        "prices: 3",
    ]


def test_list_is_filtered_by_all_names():
    _, out, _ = call("list", "--provider", "aws", "--accelerator", "H100", "--region", "us-east-1", "--pricing",
                     "on_demand", "--format", "csv")  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["instance_type"]: float(row["usd_per_accelerator_hour"]) for row in rows} == {
        "p5.4xlarge": 6.88, "p5.48xlarge": 6.88,
    }  # fmt: skip


def test_csv_goes_round_and_holds_no_formula(write, tmp_path):
    shipped = load_prices().rows
    _, out, _ = call("list", "--format", "csv")
    again = tmp_path / "again.csv"
    again.write_text(out)
    assert sorted(map(repr, load_prices(again).rows)) == sorted(map(repr, shipped))
    _, out, _ = call("list", "--provider", "=cmd()", "--prices", write(line(provider="=cmd()")), "--format", "csv")
    assert out.splitlines()[1].startswith("'=cmd(),attic,box,")


def test_a_long_list_is_cut_and_says_so():
    short, whole = call("list")[1], call("list", "--all")[1]
    assert "- 1599 more; --all shows them" in short
    assert "more;" not in whole
    assert short.splitlines()[-1] == whole.splitlines()[-1] == "prices: 1639"
    assert len(whole.splitlines()) > 1639 > 100 > len(short.splitlines())


def test_show_holds_every_price_of_a_type(write):
    file = write(line(), line(pricing="spot", price_usd_per_hour="4", as_of="unknown"), line(region="cellar"))
    code, out, _ = call("show", "me:box", "--prices", file)
    assert code == 0
    assert out.splitlines()[0] == "4 x H100 (80 GiB each), 16 vCPU, 64 GiB memory"
    assert [ln.split()[:5] for ln in out.splitlines()[4:7]] == [
        ["attic", "on_demand", "instance", "10", "2.5"], ["attic", "spot", "instance", "4", "1"],
        ["cellar", "on_demand", "instance", "10", "2.5"],
    ]  # fmt: skip
    assert "source: my bill" in out
    assert "the date of this price is unknown" in out
    assert call("show", "me:box", "--region", "cellar", "--prices", file)[1].endswith("\nprices: 1\n")


def test_show_says_what_a_users_price_stands_for(write, monkeypatch):
    own = write(line(provider="aws", instance_type="p5.48xlarge", region="us-east-1", accelerator_count="8"))
    monkeypatch.setenv("CHIPMARK_PRICES", str(own))
    out = call("show", "aws:p5.48xlarge")[1]
    assert "in the place of $55.04 of 2026-07-20" in out
    assert " user " in out


def test_check_names_all_errors_up_to_a_limit(write):
    file = write(line(), line(price_usd_per_hour="-1"), line(), line(unit="hour"), *["x"] * 30)
    code, out, err = call("check", file)
    assert code == 2
    assert out.splitlines()[0] == f"{file}: right rows: 1, errors: 33"
    assert err.splitlines()[:4] == [
        f"{file}: row 3: column price_usd_per_hour: '-1' is not a positive number",
        f"{file}: row 4: column instance_type: repeats row 2",
        f"{file}: row 5: column unit: 'hour' is none of instance, accelerator, chip",
        f"{file}: row 6: has another number of cells than row 1",
    ]
    assert len(err.splitlines()) == MAX_ERRORS + 1
    assert err.splitlines()[-1] == "and 13 more errors"


def test_check_of_all_layers(write, monkeypatch):
    code, out, err = call("check")
    assert (code, err) == (0, "")
    assert "prices.csv: right rows: 1639, errors: 0" in out
    monkeypatch.setenv("CHIPMARK_PRICES", str(write("broken")))
    code, out, err = call("check")
    assert code == 2
    assert "right rows: 1639, errors: 0" in out
    assert "mine.csv: row 2: has another number of cells" in err


def test_remarks_by_hand():
    def row(**cells):
        return parse_row({**CELLS, **cells}, "here", None)

    spot = row(pricing="spot", price_usd_per_hour="12")
    rows = [row(), spot, row(source="another; https://a.example/b", price_usd_per_hour="11", as_of="2026-04-01")]
    assert remarks(rows, date(2026, 7, 30)) == [
        "10 days old (2026-07-20): my bill (rows: 2)",
        "120 days old (2026-04-01): another (rows: 1)",
        "rows older than 90 days or of a day to come: 1; of unknown age: 0",
        "spot above on-demand: me:box in attic: $12 and $10",
        "stated by several sources: me:box in attic, on_demand: $10 (2026-07-20), $11 (2026-04-01)",
    ]


@pytest.mark.parametrize(("arguments", "message"), [
    (["shw"], "prices: unknown command 'shw'; did you mean 'show'?"),
    (["list", "--provider", "AWS"], "no price of provider 'AWS'; did you mean 'aws'?"),
    (["list", "--accelerator", "H10"], "no price of accelerator 'H10'; did you mean 'H100'"),
    (["list", "--provider", "oci", "--accelerator", "T4"], "no row has all of: oci, T4"),
    (["list", "--pricing", "cheap"], "'cheap' is not one of"),
    (["list", "--prices", "/dev/null/x"], "the price table cannot be read: Not a directory"),
    (["list", "--prices", "/"], "/: is no plain file"),
    (["show", "p5.48xlarge"], "write PROVIDER:TYPE"),
    (["show", "aws:P5.48XLARGE"], "did you mean 'p5.48xlarge'?"),
    (["show", "aws:p5.48xlarge", "--region", "mars"], "has no price in region 'mars'; it has: us-east"),
])  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(arguments, message):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


@settings(max_examples=40, deadline=timedelta(seconds=5))
@given(
    # No argument of a process can hold a NUL.
    text=st.binary(max_size=30).map(lambda raw: raw.replace(b"\0", b"0").decode("utf-8", "surrogateescape")),
    before=st.sampled_from([("list", "--provider"), ("list", "--accelerator"), ("show",), ("show", "aws:p5.48xlarge", "--region"),
                            ("list", "--prices"), ("check",)]),
)  # fmt: skip
def test_any_bytes_as_an_argument_are_one_line(text, before):
    code, _, err = call(*before, f"\x02{text}")  # no name and no file begins so
    assert code == 2
    assert len(err.splitlines()) == 1


def test_help_lists_the_late_commands_without_importing_them():
    code = (
        "import sys; from harness.cli import main; main._run(['prices', '--help'], False);"
        "print('\\nIMPORTED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    out, _, modules = done.stdout.rpartition("\nIMPORTED ")
    assert all(f"  {name} " in out for name in ("check", "import", "list", "refresh", "show"))
    heavy = {"pandas", "numpy", "scipy", "rich", "importlib.metadata", "torch", "harness.cli.prices_import"}
    assert not set(modules.split()) & heavy
    assert "harness.cli.prices" in modules.split()


def test_every_option_has_help():
    for command in prices.command.commands.values():
        assert command.help
        assert all(option.help for option in command.params if option.param_type_name == "option")
