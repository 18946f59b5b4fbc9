"""``chipmark prices refresh``, with a gpuhunt that is made here, and with the real one over loopback where it is there."""

from __future__ import annotations

import gc
import importlib.util
import io
import logging
import socket
import sys
import threading
import types
import warnings
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple

import pytest

from harness import price_refresh
from harness.cli import main
from harness.price_refresh import fetch_prices
from results.errors import BackendUnavailable, PriceError, UnknownNameError
from results.price_table import load_prices

TODAY = date(2026, 11, 25)


@dataclass
class Item:
    """What gpuhunt calls a CatalogItem."""

    instance_name: str = "p5.48xlarge"
    location: str = "us-east-1"
    price: float = 55.04
    cpu: int = 192
    memory: float = 2048.0
    gpu_count: int = 8
    gpu_name: str | None = "H100"
    gpu_memory: float | None = 80.0
    spot: bool = False
    disk_size: float | None = None


class Published(NamedTuple):
    version: str


class Fake(types.ModuleType):
    """A gpuhunt: items of each provider, or what is raised where they are asked for."""

    def __init__(self, items, version="20261124-17"):
        super().__init__("gpuhunt")
        self.items, self.version, self.seen, fake = items, version, [], self

        class Catalog:
            def __init__(self, balance_resources=True, auto_reload=True):
                fake.seen.append((balance_resources, auto_reload))
                self.catalog, self.providers = {}, []

            def load(self, version=None):
                fake.seen.append(("timeout", socket.getdefaulttimeout()))
                for name, found in fake.items.items():
                    if isinstance(found, Exception):
                        try:
                            raise found
                        except Exception:
                            logging.getLogger("gpuhunt._internal.catalog").exception("Failed to load %s catalog.", name)
                    else:
                        self.catalog[name] = Published(fake.version)
                if not self.catalog:
                    raise RuntimeError("Failed to load catalogs of all providers")

            def add_provider(self, provider):
                self.providers.append(provider)

            def query(self, *, provider):
                (name,) = provider
                if name in ("vastai", "vultr"):
                    return self.providers[-1].get()
                return fake.items[name] if name in self.catalog else []

        self.Catalog = Catalog


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    for name in ("CHIPMARK_PRICES", "GPUHUNT_CATALOG_DIR", "GPUHUNT_CATALOG_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


@pytest.fixture
def gpuhunt(monkeypatch):
    def put(items, **terms):
        fake = Fake(items, **terms)
        monkeypatch.setitem(sys.modules, "gpuhunt", fake)
        return fake

    return put


def call(*arguments):
    """(exit code, standard output, standard error)."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main._run(["prices", "refresh", *map(str, arguments)], debug=False)
    return code, out.getvalue(), err.getvalue()


def test_rows_have_the_date_of_the_catalogue_and_the_tools_name(gpuhunt):
    fake = gpuhunt(
        {"aws": [Item(), Item(spot=True, price=20.25), Item(spot=True, price=60.0, location="b"), Item(location="b")]}
    )
    before = socket.getdefaulttimeout()
    fetched = fetch_prices(["aws"], TODAY)
    assert [(row.provider, row.region, row.pricing, row.price_usd_per_hour, row.as_of) for row in fetched.rows] == [
        ("aws", "us-east-1", "on_demand", 55.04, "2026-11-24"), ("aws", "us-east-1", "spot", 20.25, "2026-11-24"),
        ("aws", "b", "on_demand", 55.04, "2026-11-24"),
    ]  # fmt: skip
    assert fetched.rows[0].source.startswith("gpuhunt ")
    assert fetched.rows[0].source.endswith(" aws catalogue 20261124-17, fetched 2026-11-25")
    assert [(refusal.reason.split(":")[0], refusal.num) for refusal in fetched.refused] == [("aws", 1)]
    assert fetched.failed == []
    assert fake.seen == [(False, False), ("timeout", price_refresh.TIMEOUT_S)]
    assert socket.getdefaulttimeout() == before


@pytest.mark.parametrize(
    ("version", "as_of"),
    [("20261201-1", "2026-11-25"), ("2026-05-06", "2026-05-06"), ("20269999-1", "2026-11-25"), ("7", "2026-11-25")],
)
def test_a_version_that_is_no_past_date_is_taken_for_today(gpuhunt, version, as_of):
    gpuhunt({"aws": [Item()]}, version=version)
    assert fetch_prices(["aws"], TODAY).rows[0].as_of == as_of


def test_a_provider_that_fails_costs_itself_alone_and_is_named(gpuhunt, tmp_path, capfd, caplog):
    gpuhunt({
        "aws": [Item()],
        "gcp": FileNotFoundError(2, "No such file or directory", "tpu_pricing.json"),
        "oci": [Item(price="free")],
        "nebius": [object()],
    })  # fmt: skip
    code, out, err = call("--provider", "aws, gcp,oci,nebius,lambda", "--out", tmp_path / "new.csv")
    assert code == 0
    assert f"{tmp_path / 'new.csv'}: added 1, replaced 0" in out
    assert "refused 1: oci: column price" in out
    lines = {line.split(":")[0]: line for line in err.splitlines()}
    assert lines.keys() == {f"nothing of {name}" for name in ("gcp", "oci", "nebius", "lambda")}
    assert "tpu_pricing.json" in lines["nothing of gcp"]
    assert "no price of it can be taken" in lines["nothing of oci"]
    assert "AttributeError" in lines["nothing of nebius"]
    assert [row.provider for row in load_prices(tmp_path / "new.csv").rows] == ["aws"]
    assert capfd.readouterr() == ("", "")  # nothing that gpuhunt logs, no traceback
    assert caplog.records == []


def test_without_a_network_nothing_is_changed(gpuhunt, tmp_path):
    table = tmp_path / "settings" / "chipmark" / "imported-prices.csv"
    gpuhunt({"aws": [Item()]})
    assert call("--provider", "aws")[0] == 0
    before = table.read_bytes()
    gpuhunt({"aws": OSError(101, "Network is unreachable"), "gcp": OSError(101, "Network is unreachable")})
    code, out, err = call("--provider", "aws,gcp")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no prices could be fetched: aws: OSError: [Errno 101] Network is unreachable; gcp: OSError" in err
    assert table.read_bytes() == before


def test_providers_that_are_asked_directly(gpuhunt, monkeypatch):
    gpuhunt({})

    class Vast:
        @classmethod
        def from_env(cls):
            return cls()

        def get(self):
            return [Item(instance_name="1234", gpu_name="RTX4090", gpu_count=1, gpu_memory=24.0, price=0.4)]

    module = types.ModuleType("gpuhunt.providers.vastai")
    module.VastAIProvider = Vast
    monkeypatch.setitem(sys.modules, "gpuhunt.providers", types.ModuleType("gpuhunt.providers"))
    monkeypatch.setitem(sys.modules, "gpuhunt.providers.vastai", module)
    (row,) = fetch_prices(["vast"], TODAY).rows
    assert (row.provider, row.instance_type, row.accelerator, row.as_of) == ("vast", "1234", "RTX4090", "2026-11-25")


def test_a_missing_gpuhunt_is_named_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gpuhunt", None)
    code, out, err = call()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "gpuhunt" in err
    assert "pip install 'chipmark[prices]'" in err
    assert not (tmp_path / "settings").exists()


def test_another_gpuhunt_than_we_know_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpuhunt", types.ModuleType("gpuhunt"))
    with pytest.raises(BackendUnavailable, match="not as we know it"):
        fetch_prices([], TODAY)


def test_unknown_providers_and_old_folders_are_refused(gpuhunt, monkeypatch):
    gpuhunt({"aws": [Item()]})
    with pytest.raises(UnknownNameError, match=r"did you mean .*'lambda'"):
        fetch_prices(["lamda"], TODAY)
    monkeypatch.setenv("GPUHUNT_CATALOG_DIR", "old")
    with pytest.raises(PriceError, match="GPUHUNT_CATALOG_DIR"):
        fetch_prices(["aws"], TODAY)


REAL = importlib.util.find_spec("gpuhunt") is not None
CATALOGUE = """\
instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,cpu_arch,provider_data
p5.48xlarge,us-east-1,55.04,192,2048.0,8,H100,80.0,False,,nvidia,,x86,{}
"""


@pytest.mark.skipif(not REAL, reason="gpuhunt is not installed")
def test_the_real_gpuhunt_over_loopback(monkeypatch):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            _, provider, *rest = self.path.split("/")
            if provider != "aws":
                return self.send_error(404)
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr("aws.csv", CATALOGUE)
            body = b"20261124-1" if rest == ["version"] else packed.getvalue()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return self.wfile.write(body)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # gpuhunt does not close an answer of 404
            fetched = fetch_prices(["aws", "gcp"], TODAY)
            gc.collect()
    finally:
        server.shutdown()
        server.server_close()
    assert [(row.provider, row.price_usd_per_hour, row.as_of) for row in fetched.rows] == [("aws", 55.04, "2026-11-24")]
    assert [failure.provider for failure in fetched.failed] == ["gcp"]
    assert "404" in fetched.failed[0].reason
