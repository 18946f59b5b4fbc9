"""``chipmark prices import``, as a user calls it: any file in, a whole table or the old one out."""

from __future__ import annotations

import io
import os
import stat
import tracemalloc
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import main
from results import price_import_reader, price_import_write, store_writer
from results.errors import PriceError
from results.price_import import MAX_REASONS, import_prices
from results.price_import_write import merge_into
from results.price_table import COLUMNS, load_prices
from results.render import csv_text
from results.write_once import exclusive

HEADER = "InstanceType,AcceleratorName,AcceleratorCount,Price,SpotPrice,Region"
TODAY = date(2026, 11, 25)


def call(*arguments):
    """(exit code, standard output, standard error)."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main._run(["prices", "import", *map(str, arguments)], debug=False)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def own(monkeypatch, tmp_path):
    """Where the user's own table is."""
    monkeypatch.delenv("CHIPMARK_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "settings" / "chipmark" / "imported-prices.csv"


@pytest.fixture
def vms(tmp_path):
    def written(*lines, name="vms.csv"):
        file = tmp_path / name
        file.write_bytes("\n".join([HEADER, *lines, ""]).encode())
        return file

    return written


def terms(provider="aws", as_of="2026-07-20", *more):
    return "--provider", provider, "--as-of", as_of, *more


def fails(*arguments):
    """The one line of an error."""
    code, out, err = call(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Traceback" not in err
    return err


def test_what_was_added_replaced_kept_and_refused_is_told(vms, own):
    code, out, err = call(vms("p5,H100,8,55.04,20,us", "c7,,,0.7,,us", "g6f,L4,0.5,1,,us"), *terms())
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{own}: added 3, replaced 0, older than what is there (kept) 0, refused 1; rows now: 3",
        "refused 1: a share of an accelerator: the price of a whole one cannot be told from it (row 4)",
    ]
    _, out, _ = call(vms("p5,H100,8,50,,us", "new,H100,8,60,,us"), *terms("aws", "2026-08-01"))
    assert "added 1, replaced 1, older than what is there (kept) 0, refused 0; rows now: 4" in out
    _, out, _ = call(vms("p5,H100,8,40,,us"), *terms("aws", "2026-06-01"))
    assert "added 0, replaced 0, older than what is there (kept) 1, refused 0; rows now: 4" in out
    prices = {(row.instance_type, row.pricing): row.price_usd_per_hour for row in load_prices(own).rows}
    assert prices == {("p5", "on_demand"): 50, ("p5", "spot"): 20, ("c7", "on_demand"): 0.7, ("new", "on_demand"): 60}


def test_the_date_and_the_provider_are_asked_for(vms):
    assert "--as-of" in fails(vms("p5,H100,8,55,,us"), "--provider", "aws")
    assert "give --provider NAME" in fails(vms("p5,H100,8,55,,us"), "--as-of", "2026-07-20")
    assert "--provider 'AWS': a provider is written in small letters" in fails(vms("p5,H100,8,55,,us"), *terms("AWS"))
    assert "yet to come" in fails(vms("p5,H100,8,55,,us"), *terms("aws", "2999-01-01"))


def test_the_source_can_be_said(vms, own):
    assert call(vms("p5,H100,8,55,,us"), *terms(), "--source", "our copy")[0] == 0
    assert load_prices(own).rows[0].source == "our copy"
    for num_chars in range(440, 502):  # whatever is written can be read back
        code, _, err = call(vms("p5,H100,8,55,,us", "p5,H100,8,56,,us"), *terms(), "--source", "x" * num_chars)
        assert code == 0 or "source is too long" in err
        assert load_prices(own).rows
    assert code == 2
    assert "source" in fails(vms("p5,H100,8,55,,us"), *terms(), "--source", "two\nlines")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "no header"),
        (b"\n\n", "no header"),
        (b"a,b\n1,2\n", "neither column InstanceType"),
        (",".join(COLUMNS).encode(), "is a price table already"),
        (HEADER.encode() + b",Price\n", "column Price is there twice"),
        (HEADER.encode() + b"\nx\0", "row 2: holds NUL"),
        (HEADER.encode() + b"\n\xff\xfe,H100\n", "row 2: is not UTF-8"),
        ((HEADER + "\np5,H100,8,55,,us\n").encode("utf-16"), "row 1: "),
        (os.urandom(32) + b"\x00\xff" * 5000, "row 1: "),
        (HEADER.encode() + b"\n" + b"a" * 200_000 + b"\n", "field larger than"),
        (HEADER.encode() + b'\n"' + b"a\n" * 200_000, "field larger than"),
        (b"a" * (2 * 2**20), "is longer than 1024 KiB"),
        (HEADER.encode() + b"\n", "holds no rows"),
        (HEADER.encode() + b"\np5,H100,8,55,,us,more\n", "another number of cells"),
    ],
)  # fmt: skip
def test_files_that_are_no_catalogue(tmp_path, own, content, word):
    file = tmp_path / "vms.csv"
    file.write_bytes(content)
    assert word in fails(file, *terms())
    assert not own.exists()


def test_places_that_are_no_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, "/dev/zero"):
        assert "no plain file" in fails(path, *terms())
    assert "No such file" in fails(tmp_path / "none.csv", *terms())


@settings(max_examples=100)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused_on_one_line(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    file = folder / "vms.csv"
    file.write_bytes(HEADER.encode() + b"\n" + content)
    code, _, err = call(file, *terms(), "--out", folder / "out.csv")
    assert code in (0, 2)
    assert err.count("\n") == (code == 2)
    assert (folder / "out.csv").exists() == (code == 0)


def test_too_large_a_file_is_refused(vms, monkeypatch):
    file = vms(*(["p5,H100,8,55,,us"] * 100))
    monkeypatch.setattr(price_import_reader, "MAX_ROWS", 99)
    assert "more than 99 rows" in fails(file, *terms())
    monkeypatch.setattr(price_import_reader, "MAX_FILE_BYTES", 1000)
    assert "is larger than" in fails(file, *terms())


def test_memory_goes_with_offers_not_with_rows(vms):
    file = vms(*(f"p5,H100,8,{50 + i % 7},,us" for i in range(50_000)))
    import_prices(vms("p5,H100,8,55,,us", name="warm.csv"), "2026-07-20", TODAY, provider="aws")
    tracemalloc.start()
    try:
        imported = import_prices(file, "2026-07-20", TODAY, provider="aws")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [row.price_usd_per_hour for row in imported.rows] == [56]
    assert peak_bytes < 2 * 2**20  # the rows alone would be more than 10 MiB


def test_reasons_are_bounded(vms):
    odd = (f"p{i},H100,8,5,,us,{','.join('x' * (i % 3))}" for i in range(200))
    imported = import_prices(vms("p5,H100,8,55,,us", *odd), "2026-07-20", TODAY, provider="aws")
    assert sum(refusal.num for refusal in imported.refused) == 200
    assert len(imported.refused) <= MAX_REASONS + 1
    assert all(len(refusal.lines) <= 5 for refusal in imported.refused)


def test_a_formula_stays_text_and_is_escaped_where_a_table_is_shown(vms, own):
    assert call(vms("=cmd(),H100,8,55,,us"), *terms())[0] == 0
    row = load_prices(own).rows[0]
    assert row.instance_type == "=cmd()"
    assert "'=cmd()" in csv_text(["type"], [{"type": row.instance_type}])


def test_a_broken_table_is_named_and_untouched(vms, own):
    own.parent.mkdir(parents=True)
    own.write_text("mine\n")
    assert "missing column" in fails(vms("p5,H100,8,55,,us"), *terms())
    assert own.read_text() == "mine\n"


def test_a_column_of_its_owner_is_not_lost(vms, tmp_path):
    out = tmp_path / "table.csv"
    assert call(vms("p5,H100,8,55,,us"), *terms(), "--out", out)[0] == 0
    lines = out.read_text().splitlines()
    noted = f"{lines[0]},note\n{lines[1]},keep\n"
    out.write_text(noted)
    assert "column 'note'" in fails(vms("p6,B200,8,90,,us"), *terms(), "--out", out)
    assert out.read_text() == noted


def test_older_rows_of_one_offer_in_a_table_stay(vms, tmp_path):
    out = tmp_path / "table.csv"
    assert call(vms("p5,H100,8,55,,us"), *terms(), "--out", out)[0] == 0
    lines = out.read_text().splitlines()
    out.write_text("\n".join([*lines, lines[1].replace("2026-07-20,", "2026-01-20,").replace(",55,", ",60,"), ""]))
    assert "replaced 1" in call(vms("p5,H100,8,50,,us"), *terms("aws", "2026-08-01"), "--out", out)[1]
    assert {(row.as_of, row.price_usd_per_hour) for row in load_prices(out).rows} == {
        ("2026-01-20", 60),
        ("2026-08-01", 50),
    }


def test_links_and_modes_stay(vms, tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    assert call(vms("p5,H100,8,55,,us"), *terms(), "--out", real)[0] == 0
    real.chmod(0o640)
    link.symlink_to(real)
    assert call(vms("p6,B200,8,90,,us"), *terms(), "--out", link)[0] == 0
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert len(load_prices(real).rows) == 2
    ring = tmp_path / "ring.csv"
    ring.symlink_to(ring)
    assert "cannot be written" in fails(vms("p5,H100,8,55,,us"), *terms(), "--out", ring)


def test_places_where_no_table_can_be(vms, tmp_path):
    file = vms("p5,H100,8,55,,us")
    assert "no plain file" in fails(file, *terms(), "--out", tmp_path)
    assert "no plain file" in fails(file, *terms(), "--out", "/dev/full")
    assert "cannot be written" in fails(file, *terms(), "--out", file / "under-a-file.csv")


def test_a_full_disk_loses_nothing(vms, tmp_path, monkeypatch):
    out = tmp_path / "table.csv"
    assert call(vms("p5,H100,8,55,,us"), *terms(), "--out", out)[0] == 0
    before = out.read_bytes()

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_writer.os, "fsync", full)
    err = fails(vms("p6,B200,8,90,,us"), *terms(), "--out", out)
    assert "No space left on device; nothing was changed" in err
    assert out.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".tmp"] == []


def test_two_writers_do_not_lose_rows(vms, tmp_path):
    out = tmp_path / "table.csv"
    with exclusive(out.with_name(".table.csv.lock")):
        assert "another chipmark is writing it" in fails(vms("p5,H100,8,55,,us"), *terms(), "--out", out)
    assert not out.exists()


def test_a_table_that_could_not_be_read_back_is_not_written(vms, tmp_path, monkeypatch):
    rows = import_prices(vms("p5,H100,8,55,,us"), "2026-07-20", TODAY, provider="aws").rows
    monkeypatch.setattr(price_import_write, "MAX_FILE_BYTES", 10)
    with pytest.raises(PriceError, match="would be larger"):
        merge_into(Path(tmp_path / "table.csv"), rows, TODAY)
    assert not (tmp_path / "table.csv").exists()
