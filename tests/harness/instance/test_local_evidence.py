"""What environment, cloud-init and DMI name, whatever lies in their places."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.instance.identify import identify
from harness.instance.local_evidence import CLOUD_INIT_FILE, CLOUDS, DMI_FOLDER, MARKERS, VENDORS, local_evidence
from harness.instance.providers import Told
from results.instance_record import Instance
from tests.harness.instance.fake_clouds import API_KEY, CLOUD_INIT, DMI, POD, SECRETS, Cloud, machine

HANG_S = 3.0
DMI_FILES = ("sys_vendor", "product_name", "product_version", "bios_vendor", "chassis_asset_tag")
STRICT = re.compile(r"[A-Za-z0-9._-]{1,64}")
PROVIDERS = {*CLOUDS.values(), *VENDORS.values(), *MARKERS.values(), None}


@pytest.mark.parametrize(
    ("variables", "provider", "region"),
    [
        ({"RUNPOD_POD_ID": POD, "RUNPOD_API_KEY": API_KEY}, "runpod", None),
        ({"VAST_CONTAINERLABEL": "C.1", "CONTAINER_API_KEY": API_KEY}, "vast", None),
        ({"SKYPILOT_CLUSTER_INFO": '{"cloud": "GCP", "region": "us-central1", "zone": "us-east-1f"}'}, "gcp", "us-central1"),
        ({"SKYPILOT_CLUSTER_INFO": '{"cloud": "RunPod", "region": "US"}'}, "runpod", "US"),
        ({"SKYPILOT_CLUSTER_INFO": '{"cloud": "AWS", "region": "=1+1"}'}, "aws", None),
        ({"SKYPILOT_CLUSTER_INFO": '{"cloud": "AWS", "region": ["us-east-1"]}'}, "aws", None),
    ],
)  # fmt: skip
def test_environment_through_identify(
    variables: dict[str, str], provider: str, region: str | None, tmp_path: Path, cloud: Cloud
) -> None:
    found = identify(None, False, variables, tmp_path, cloud.where).instance
    assert found
    assert (found.provider, found.region, found.instance_type, found.pricing, found.evidence) == (
        provider, region, None, None, "environment",
    )  # fmt: skip
    assert not any(secret in repr(found) for secret in SECRETS)
    assert found.reason
    assert cloud.asked == []


def test_runpod_and_vast_have_no_service_to_ask(tmp_path: Path, cloud: Cloud) -> None:
    for variable in ("RUNPOD_POD_ID", "VAST_CONTAINERLABEL"):
        found = identify(None, True, {variable: POD}, machine(tmp_path, DMI["aws"]), cloud.where).instance
        assert found
        assert found.reason == "the provider's machines do not tell their type; name it with --instance"
    assert cloud.asked == []


def test_a_cloud_that_skypilot_names_is_asked(tmp_path: Path, cloud: Cloud) -> None:
    variables = {"SKYPILOT_CLUSTER_INFO": '{"cloud": "AWS", "region": "us-east-1"}'}
    assert identify(None, True, variables, tmp_path, cloud.where).instance == Instance(
        provider="aws", instance_type="p5.48xlarge", region="us-east-1", pricing="capacity_block",
        evidence="environment and metadata service",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not readable as JSON"), ("[]", "is not readable as JSON"), ("\udcff", "is not readable as JSON"),
        ("[" * 10**5, "is not readable as JSON"), (" " * (2**20 + 1), "is too long"),
        ('{"cloud": 3}', "names no provider that is known by it"), ("{}", "names no provider that is known by it"),
        ('{"cloud": "pod-7f3e9a"}', "names no provider that is known by it"),
    ],
    ids=lambda text: text[:20].encode("unicode_escape").decode(),
)  # fmt: skip
def test_odd_skypilot_is_said_and_passed_over(text: str, reason: str, tmp_path: Path) -> None:
    found = local_evidence({"SKYPILOT_CLUSTER_INFO": text}, machine(tmp_path, {"sys_vendor": "Vultr"}))
    assert found == ("vultr", None, "DMI", f"SKYPILOT_CLUSTER_INFO {reason}")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"null", b'{"v1": 3}', b"{}", b'{"v1": {}}', b" " * (2**20 + 1), b"[" * 10**6]
)  # fmt: skip
def test_malformed_cloud_init_is_said_and_passed_over(content: bytes, tmp_path: Path) -> None:
    found = local_evidence({}, machine(tmp_path, {"sys_vendor": "Vultr"}, content))
    assert (found.provider, found.source) == ("vultr", "DMI")
    assert found.reason.startswith("cloud-init's instance data ")


def test_cloud_init(tmp_path: Path) -> None:
    found = local_evidence({}, machine(tmp_path, {}, CLOUD_INIT))
    assert found == ("aws", "us-east-1", "cloud-init", "")
    assert not any(secret in repr(found) for secret in SECRETS)


def test_only_v1_of_cloud_init_is_believed(tmp_path: Path) -> None:
    assert local_evidence({}, machine(tmp_path, {}, {"cloud_id": "aws", "v1": {}})).provider is None


def test_the_order_is_environment_cloud_init_dmi(tmp_path: Path) -> None:
    root = machine(tmp_path, DMI["gcp"], {"v1": {"cloud_id": "azure"}})
    assert local_evidence({"VAST_CONTAINERLABEL": "C.1"}, root).source == "environment"
    # A variable that is set to nothing is no evidence.
    assert local_evidence({"VAST_CONTAINERLABEL": "", "RUNPOD_POD_ID": ""}, root).source == "cloud-init"
    assert local_evidence({}, root)[0::2] == ("azure", "cloud-init")
    (root / CLOUD_INIT_FILE).unlink()
    assert local_evidence({}, root)[0::2] == ("gcp", "DMI")


@pytest.mark.parametrize(
    ("fields", "provider"),
    [
        ({"bios_vendor": "Amazon EC2"}, "aws"), ({"product_version": "4.11.amazon"}, "aws"),
        ({"sys_vendor": "Amazon"}, None), ({"sys_vendor": "hetzner "}, "hetzner"),
        ({"sys_vendor": "Vultr", "chassis_asset_tag": "OracleCloud.com"}, "oci"),
        ({"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": "7783"}, None),
        ({"sys_vendor": b"\xff" * 10**6}, None), ({"sys_vendor": b"\x00"}, None),
    ],
    ids=lambda value: repr(value)[:60],
)  # fmt: skip
def test_dmi(fields: dict[str, str | bytes], provider: str | None, tmp_path: Path) -> None:
    assert local_evidence({}, machine(tmp_path, fields)).provider == provider


def replaced(path: Path, kind: str) -> None:
    """Put something that is no plain file at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "unreadable":
        path.symlink_to("/proc/self/mem")
    else:
        path.symlink_to(kind)


@pytest.mark.parametrize(
    "kind", ["fifo", "folder", "loop", "unreadable", "/dev/zero", "/dev/urandom", "/dev/full", "/nowhere", "/dev/tty"]
)
def test_what_is_no_plain_file_is_passed_over(kind: str, tmp_path: Path) -> None:
    machine(tmp_path, {})
    for name in DMI_FILES[1:]:
        replaced(tmp_path / DMI_FOLDER / name, kind)
    replaced(tmp_path / CLOUD_INIT_FILE, kind)
    (tmp_path / DMI_FOLDER / "sys_vendor").write_text("Vultr\n")
    begin = time.monotonic()
    found = local_evidence({}, tmp_path)
    assert time.monotonic() - begin < HANG_S
    assert found[:3] == ("vultr", None, "DMI")


def test_what_a_pipe_holds_is_not_believed(tmp_path: Path) -> None:
    replaced(machine(tmp_path, {}) / DMI_FOLDER / "sys_vendor", "fifo")
    pipe = os.open(tmp_path / DMI_FOLDER / "sys_vendor", os.O_RDONLY | os.O_NONBLOCK)
    try:
        (tmp_path / DMI_FOLDER / "sys_vendor").write_bytes(b"Amazon EC2\n")
        assert local_evidence({}, tmp_path).provider is None
    finally:
        os.close(pipe)


def test_an_error_of_any_kind_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Told:
        raise RuntimeError(SECRETS[0])

    monkeypatch.setattr("harness.instance.identify.QUESTIONS", {"aws": broken})
    found = identify(variables={}, root=machine(tmp_path, DMI["aws"])).instance
    assert found
    assert (found.provider, found.reason) == ("aws", "the metadata service could not be asked: RuntimeError")
    monkeypatch.setattr("harness.instance.identify.local_evidence", broken)
    assert identify(variables={}, root=tmp_path) == (None, "could not be found out: RuntimeError")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=70) | st.sampled_from(sorted(CLOUDS)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["v1", "region"]), inner, max_size=2),
    max_leaves=6,
)
CONTENT = st.one_of(
    st.binary(max_size=400),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.tuples(JSON, JSON).map(lambda v: json.dumps({"v1": {"cloud_id": v[0], "region": v[1]}}).encode()),
)


@given(fields=st.dictionaries(st.sampled_from(DMI_FILES), st.binary(max_size=300)), cloud_init=CONTENT)
@settings(max_examples=200, deadline=None)
def test_any_bytes_in_any_file(fields: dict[str, bytes], cloud_init: bytes) -> None:
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = identify(None, False, {}, machine(Path(folder), fields, cloud_init))
    assert time.monotonic() - begin < HANG_S
    instance = found.instance
    assert found.reason.isprintable()
    if instance is None:
        assert found.reason
        return
    assert instance.provider in PROVIDERS
    assert instance.region is None or STRICT.fullmatch(instance.region)
    assert (instance.instance_type, instance.pricing) == (None, None)
    assert instance.reason.isprintable()
