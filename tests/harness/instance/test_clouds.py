"""Fake clouds on loopback, fake DMI trees: what is identified, what is asked, what is refused."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.instance.identify import given_instance, identify
from harness.instance.metadata_service import ALLOWED, MetadataService
from results.errors import UsageError

DMI = {
    "aws": {"sys_vendor": "Amazon EC2"},
    "gcp": {"product_name": "Google Compute Engine"},
    "azure": {"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"},
    "oci": {"chassis_asset_tag": "OracleCloud.com"},
}
AWS = {"instanceType": "p5.48xlarge", "region": "us-east-1", "instanceId": "i-0secret", "accountId": "123456789012"}
AZURE = {"vmSize": "Standard_ND96isr_H100_v5", "location": "eastus", "priority": "Spot", "vmId": "secret"}
OCI = {"shape": "BM.GPU.H100.8", "canonicalRegionName": "us-ashburn-1", "id": "ocid1.secret"}
ANSWERS = {
    "/latest/api/token": b"TOKEN",
    "/latest/dynamic/instance-identity/document": json.dumps(AWS).encode(),
    "/latest/meta-data/instance-life-cycle": b"capacity-block",
    "/computeMetadata/v1/instance/machine-type": b"projects/123/machineTypes/a3-highgpu-8g",
    "/computeMetadata/v1/instance/zone": b"projects/123/zones/us-central1-a",
    "/computeMetadata/v1/instance/scheduling/preemptible": b"TRUE",
    "/metadata/instance/compute?api-version=2021-02-01&format=json": json.dumps(AZURE).encode(),
    "/opc/v2/instance/": json.dumps(OCI).encode(),
}
HEADERS = {
    "aws": ("X-aws-ec2-metadata-token", "TOKEN"), "gcp": ("Metadata-Flavor", "Google"),
    "azure": ("Metadata", "true"), "oci": ("Authorization", "Bearer Oracle"),
}  # fmt: skip
FOUND = {
    "aws": ("p5.48xlarge", "us-east-1", "capacity_block"), "gcp": ("a3-highgpu-8g", "us-central1", "spot"),
    "azure": ("Standard_ND96isr_H100_v5", "eastus", "spot"), "oci": ("BM.GPU.H100.8", "us-ashburn-1", None),
}  # fmt: skip


class Cloud(ThreadingHTTPServer):
    """Answers every path from a table and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.status, self.location, self.trickle = dict(ANSWERS), 200, "", False
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.where = ("127.0.0.1", self.server_port)


class Handler(BaseHTTPRequestHandler):
    server: Cloud

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        body = self.server.answers[self.path]
        try:
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(body)))
            if self.server.location:
                self.send_header("Location", self.server.location)
            self.end_headers()
            for byte in body if self.server.trickle else b"":
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
            if not self.server.trickle:
                self.wfile.write(body)
        except OSError:
            pass

    do_PUT = do_GET  # noqa: N815  the name that http.server calls

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def machine(root: Path, fields: dict[str, str]) -> Path:
    folder = root / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    for name, text in fields.items():
        (folder / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize("provider", DMI)
def test_each_cloud_is_identified(provider: str, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    found = identify(variables={}, root=machine(tmp_path, DMI[provider]), address=cloud.where).instance
    assert found
    assert (found.instance_type, found.region, found.pricing) == FOUND[provider]
    assert (found.provider, found.evidence, found.reason) == (provider, "DMI and metadata service", "")
    assert {(method, path) for method, path, _ in cloud.asked} <= ALLOWED
    name, value = HEADERS[provider]
    assert all(headers[name] == value for method, _, headers in cloud.asked if method == "GET")
    assert not any(secret in repr(found) for secret in ("secret", "123", "TOKEN", "127.0"))


@pytest.mark.parametrize(
    "body", [b"<html>", b"[1]", b'{"shape": 3}', b"\xff\x00", b"x" * 10**7, b'{"shape": "a\\nb"}', b'{"shape": "=1+1"}']
)
def test_a_lie_keeps_the_provider_alone(body: bytes, cloud: Cloud, tmp_path: Path) -> None:
    cloud.answers["/opc/v2/instance/"] = body
    found = identify(variables={}, root=machine(tmp_path, DMI["oci"]), address=cloud.where).instance
    assert found
    assert (found.provider, found.instance_type) == ("oci", None)
    assert "metadata service" in found.reason


def test_a_redirect_is_not_followed(cloud: Cloud, tmp_path: Path) -> None:
    cloud.status, cloud.location = 302, f"http://127.0.0.1:{cloud.server_port}/latest/api/token"
    found = identify(variables={}, root=machine(tmp_path, DMI["oci"]), address=cloud.where).instance
    assert found
    assert found.reason.endswith("status 302")
    assert len(cloud.asked) == 1


def test_one_byte_a_time_is_cut(cloud: Cloud, tmp_path: Path) -> None:
    cloud.trickle, begin = True, time.monotonic()
    found = identify(variables={}, root=machine(tmp_path, DMI["oci"]), address=cloud.where).instance
    assert found
    assert found.instance_type is None
    assert "in time" in found.reason
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("fields", [{}, {"sys_vendor": "Microsoft Corporation"}, {"sys_vendor": "Hetzner"}])
def test_no_call_without_a_cloud_named(fields: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("a network call"))
    found = identify(variables={}, root=machine(tmp_path, fields))
    assert (found.instance.provider if found.instance else None) == (
        "hetzner" if "Hetzner" in fields.values() else None
    )
    assert found.reason or found.instance


@pytest.mark.parametrize(("metadata", "variables"), [(False, {}), (True, {"CHIPMARK_NO_METADATA": "1"})])
def test_no_metadata(metadata: bool, variables: dict[str, str], cloud: Cloud, tmp_path: Path) -> None:
    found = identify(None, metadata, variables, machine(tmp_path, DMI["aws"]), cloud.where).instance
    assert found
    assert found.provider == "aws"
    assert "not to be asked" in found.reason
    assert not cloud.asked


def test_other_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="not a path"):
        MetadataService().ask("/latest/meta-data/iam/security-credentials/", {})


def test_the_user_names_it() -> None:
    found = given_instance(None, {"CHIPMARK_INSTANCE": "aws:p5.48xlarge@us-east-1/spot"})
    assert found
    assert (found.provider, found.instance_type, found.region, found.pricing) == (
        "aws",
        "p5.48xlarge",
        "us-east-1",
        "spot",
    )
    with pytest.raises(UsageError, match="--instance"):
        given_instance("p5.48xlarge", {})
