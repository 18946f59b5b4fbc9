"""Fake clouds on loopback, fake DMI trees: what is identified, and what is asked for it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from harness.instance.identify import identify
from harness.instance.metadata_service import ALLOWED, MetadataService
from tests.harness.instance.fake_clouds import ANSWERS, AZURE, DMI, SECRETS, TOKEN, Cloud, machine

HEADERS = {
    "aws": ("X-aws-ec2-metadata-token", TOKEN), "gcp": ("Metadata-Flavor", "Google"),
    "azure": ("Metadata", "true"), "oci": ("Authorization", "Bearer Oracle"),
}  # fmt: skip
FOUND = {
    "aws": ("p5.48xlarge", "us-east-1", "capacity_block"), "gcp": ("a3-highgpu-8g", "us-central1", "spot"),
    "azure": ("Standard_ND96isr_H100_v5", "eastus", "spot"), "oci": ("BM.GPU.H100.8", "us-ashburn-1", None),
}  # fmt: skip
NUM_QUESTIONS = {"aws": 3, "gcp": 3, "azure": 1, "oci": 1}
LIFE_CYCLE = "/latest/meta-data/instance-life-cycle"
PREEMPTIBLE = "/computeMetadata/v1/instance/scheduling/preemptible"
AZURE_PATH = "/metadata/instance/compute?api-version=2021-02-01&format=json"


@pytest.mark.parametrize("provider", DMI)
def test_each_cloud_is_identified(
    provider: str, cloud: Cloud, stranger: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{stranger.server_port}")
        monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{stranger.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    found = identify(variables={}, root=machine(tmp_path, DMI[provider]), address=cloud.where).instance
    assert found
    assert (found.instance_type, found.region, found.pricing) == FOUND[provider]
    assert (found.provider, found.evidence, found.reason) == (provider, "DMI and metadata service", "")
    asked = [(method, path) for method, path, _ in cloud.asked]
    assert set(asked) <= ALLOWED
    assert len(asked) == len(set(asked)) == NUM_QUESTIONS[provider]
    name, value = HEADERS[provider]
    assert all(headers[name] == value for method, _, headers in cloud.asked if method == "GET")
    assert not any(secret in repr(found) for secret in SECRETS)
    assert stranger.asked == [], "a proxy would be told the token"


def test_the_paths_that_are_asked_are_these_alone() -> None:
    assert {path for _, path in ALLOWED} == set(ANSWERS)
    assert {path for method, path in ALLOWED if method == "PUT"} == {"/latest/api/token"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/latest/meta-data/iam/security-credentials/"),
        ("GET", "/latest/user-data"),
        ("GET", "/latest/api/token"),
        ("PUT", "/opc/v2/instance/"),
        ("GET", "/opc/v2/instance/../identity"),
        ("GET", "/opc/v2/instance/ HTTP/1.1\r\nX: y"),
    ],
)
def test_other_paths_are_refused(method: str, path: str, cloud: Cloud) -> None:
    with pytest.raises(ValueError, match="not a path"):
        MetadataService(cloud.where).ask(path, {}, method)
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("provider", "path", "answer", "pricing"),
    [
        ("aws", LIFE_CYCLE, b"spot", "spot"),
        ("aws", LIFE_CYCLE, b"on-demand", "on_demand"),
        ("aws", LIFE_CYCLE, b"=1+1", None),
        ("gcp", PREEMPTIBLE, b"FALSE", "on_demand"),
        ("gcp", PREEMPTIBLE, b"true?", None),
        ("azure", AZURE_PATH, json.dumps(AZURE | {"priority": "Regular"}).encode(), "on_demand"),
        ("azure", AZURE_PATH, json.dumps(AZURE | {"priority": "Low"}).encode(), "spot"),
        ("azure", AZURE_PATH, json.dumps(AZURE | {"priority": ""}).encode(), None),
        ("azure", AZURE_PATH, json.dumps(AZURE | {"priority": ["Spot"]}).encode(), None),
    ],
)
def test_pricing(provider: str, path: str, answer: bytes, pricing: str | None, cloud: Cloud, tmp_path: Path) -> None:
    cloud.answers[path] = answer
    found = identify(variables={}, root=machine(tmp_path, DMI[provider]), address=cloud.where).instance
    assert found
    assert (found.instance_type, found.pricing) == (FOUND[provider][0], pricing)


def test_a_type_is_kept_where_its_pricing_alone_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    cloud.statuses[LIFE_CYCLE] = 404
    found = identify(variables={}, root=machine(tmp_path, DMI["aws"]), address=cloud.where).instance
    assert found
    assert (found.instance_type, found.pricing) == ("p5.48xlarge", None)
    assert found.reason == "pricing: the metadata service answered with status 404"


@pytest.mark.parametrize(
    ("fields", "provider"),
    [
        ({}, None), ({"sys_vendor": "Microsoft Corporation"}, None), ({"sys_vendor": "QEMU"}, None),
        ({"sys_vendor": "Hetzner"}, "hetzner"), ({"sys_vendor": "DigitalOcean"}, "digitalocean"),
        ({"sys_vendor": "Vultr"}, "vultr"), ({"sys_vendor": "UpCloud"}, "upcloud"),
        ({"sys_vendor": "Scaleway"}, "scaleway"), ({"sys_vendor": "Lambda"}, None),
    ],
)  # fmt: skip
def test_no_call_unless_one_of_four_clouds_is_named(
    fields: dict[str, str], provider: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, lambda *told, **_: calls.append(told))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *told, **_: calls.append(told))
    found = identify(variables={}, root=machine(tmp_path, fields))
    assert (found.instance.provider if found.instance else None) == provider
    assert found.instance.reason if found.instance else found.reason
    assert calls == []


def test_the_guard_on_sockets_sees_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda *told: calls.append(told))
    identify(variables={}, root=machine(tmp_path, DMI["aws"]), address=("127.0.0.1", 1))
    assert calls


@pytest.mark.parametrize(("metadata", "variables"), [(False, {}), (True, {"CHIPMARK_NO_METADATA": "1"})])
@pytest.mark.parametrize("provider", DMI)
def test_no_metadata(provider: str, metadata: bool, variables: dict[str, str], cloud: Cloud, tmp_path: Path) -> None:
    found = identify(None, metadata, variables, machine(tmp_path, DMI[provider]), cloud.where).instance
    assert found
    assert (found.provider, found.instance_type, found.evidence) == (provider, None, "DMI")
    assert "not to be asked" in found.reason
    assert cloud.asked == []
