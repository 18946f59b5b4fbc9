"""What real commands store and print of the instance: the whole stored run holds no word that names the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from results.instance_record import Instance
from results.store import open_run
from tests.harness.instance.fake_clouds import (
    ADDRESS,
    API_KEY,
    CLOUD_INIT,
    DMI,
    INSTANCE_ID,
    POD,
    SECRETS,
    Cloud,
    machine,
)
from tests.plugins import Runner

WriteSuite = Callable[..., Path]
Fake = Callable[..., subprocess.CompletedProcess[str]]
CASE = 'backend = "example"'
# The command as it is, but for where its file system begins and where the metadata service listens.
ON_A_FAKE_MACHINE = """
import functools, pathlib, sys
root, port = sys.argv[1:3]
del sys.argv[1:3]
from harness.instance import identify as module
module.identify = functools.partial(module.identify, root=pathlib.Path(root), address=("127.0.0.1", int(port)))
from harness.cli.main import main
sys.exit(main())
"""
PODS = {
    "RUNPOD_POD_ID": POD, "RUNPOD_API_KEY": API_KEY, "CONTAINER_API_KEY": API_KEY, "RUNPOD_PUBLIC_IP": ADDRESS,
    "PUBLIC_IPADDR": ADDRESS, "VAST_CONTAINERLABEL": INSTANCE_ID,
}  # fmt: skip


@pytest.fixture
def fake(tmp_path: Path, cloud: Cloud, stranger: Cloud, plugin_environment: dict[str, str]) -> Fake:
    """Run ``chipmark ARGUMENTS`` on the machine that lies in the folder ``machine``, behind a logging proxy."""
    proxy = f"http://127.0.0.1:{stranger.server_port}"
    proxies = {name: proxy for lower in ("http_proxy", "https_proxy", "all_proxy") for name in (lower, lower.upper())}

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", ON_A_FAKE_MACHINE, tmp_path / "machine", cloud.server_port, *arguments]
        done = subprocess.run(
            [*map(str, command)], cwd=tmp_path, env=plugin_environment | proxies | variables, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        assert stranger.asked == []
        return done

    return run


def assert_no_secret(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """Neither in what was printed nor in any file of the run, its log included."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"run.json"} <= {path.name for path in files}
    texts = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    texts |= {path.name: path.read_bytes() for path in files}
    found = [(name, secret) for name, text in texts.items() for secret in SECRETS if secret.encode() in text]
    assert found == []


@pytest.mark.parametrize(
    ("evidence", "fields", "cloud_init"),
    [("cloud-init", {}, CLOUD_INIT), ("DMI", DMI["aws"] | {"product_name": INSTANCE_ID}, None)],
)
def test_a_run_on_a_cloud_stores_its_instance_and_no_secret(
    evidence: str, fields: dict[str, str], cloud_init: object, fake: Fake, cloud: Cloud, tmp_path: Path,
    write_suite: WriteSuite,
) -> None:  # fmt: skip
    machine(tmp_path / "machine", fields, cloud_init)
    done = fake("run", write_suite(CASE), "--out", "stored", "--json")
    assert done.returncode == 0, done.stderr
    assert open_run(tmp_path / "stored").info.instance == Instance(
        provider="aws", instance_type="p5.48xlarge", region="us-east-1", pricing="capacity_block",
        evidence=f"{evidence} and metadata service",
    )  # fmt: skip
    assert [method for method, _, _ in cloud.asked] == ["PUT", "GET", "GET"]
    assert_no_secret(done, tmp_path / "stored")


def test_a_run_in_a_pod_stores_its_provider_and_no_secret(
    fake: Fake, cloud: Cloud, tmp_path: Path, write_suite: WriteSuite
) -> None:
    machine(tmp_path / "machine", DMI["aws"], CLOUD_INIT)
    done = fake("run", write_suite(CASE), "--out", "stored", **PODS)
    assert done.returncode == 0, done.stderr
    found = open_run(tmp_path / "stored").info.instance
    assert found
    assert (found.provider, found.instance_type, found.evidence) == ("runpod", None, "environment")
    assert cloud.asked == []
    assert_no_secret(done, tmp_path / "stored")


def test_an_unknown_machine_says_why_and_asks_nobody(
    fake: Fake, cloud: Cloud, tmp_path: Path, write_suite: WriteSuite
) -> None:
    done = fake("run", write_suite(CASE), "--out", "stored")
    assert done.returncode == 0, done.stderr
    info = open_run(tmp_path / "stored").info
    assert (info.instance, info.instance_reason) == (None, "nothing here names a provider")
    assert cloud.asked == []


@pytest.mark.parametrize(("options", "variables"), [(["--no-metadata"], {}), ([], {"CHIPMARK_NO_METADATA": "1"})])
def test_no_metadata_is_asked_where_it_is_not_wanted(
    options: list[str], variables: dict[str, str], fake: Fake, cloud: Cloud, tmp_path: Path, write_suite: WriteSuite
) -> None:
    machine(tmp_path / "machine", DMI["gcp"])
    done = fake("run", write_suite(CASE), "--out", "stored", *options, **variables)
    assert done.returncode == 0, done.stderr
    assert open_run(tmp_path / "stored").info.instance == Instance(
        provider="gcp", evidence="DMI", reason="the metadata service was not to be asked"
    )
    assert cloud.asked == []


def test_a_run_stores_what_the_variable_names_and_a_resumed_one_keeps_it(
    chipmark: Runner, plugin_environment: dict[str, str], tmp_path: Path, write_suite: WriteSuite
) -> None:
    named = plugin_environment | {"CHIPMARK_INSTANCE": "aws:p5.48xlarge@us-east-1/reserved_1y"}
    done = chipmark("run", write_suite(CASE), "--out", "stored", env=named)
    assert done.returncode == 0, done.stderr
    assert "no price was found" not in done.stderr
    stored = json.loads((tmp_path / "stored" / "run.json").read_bytes())["instance"]
    expected = Instance(
        provider="aws", instance_type="p5.48xlarge", region="us-east-1", pricing="reserved_1y", evidence="given"
    )
    assert (stored["provider"], stored["instance_type"], stored["pricing"]) == ("aws", "p5.48xlarge", "reserved_1y")
    assert open_run(tmp_path / "stored").info.instance == expected
    other = plugin_environment | {"CHIPMARK_INSTANCE": "gcp:a3-highgpu-8g"}
    assert chipmark("run", "--resume", "stored", env=other).returncode == 0
    assert open_run(tmp_path / "stored").info.instance == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [("aws:p5.48xlrge", "unknown aws instance 'p5.48xlrge'; did you mean"), ("nowhere:x1", "unknown provider 'nowhere'")],
)  # fmt: skip
def test_a_name_without_a_price_is_said_and_stored(
    name: str, reason: str, chipmark: Runner, tmp_path: Path, write_suite: WriteSuite
) -> None:
    done = chipmark("run", write_suite(CASE), "--out", "stored", "--instance", name)
    assert done.returncode == 0, done.stderr
    assert f"note: no price was found for the instance, which is taken as given: {reason}" in done.stderr
    found = open_run(tmp_path / "stored").info.instance
    assert found
    assert f"{found.provider}:{found.instance_type}" == name


@pytest.mark.parametrize(
    ("fields", "variables", "line"),
    [
        (DMI["azure"], {}, "instance: azure Standard_ND96isr_H100_v5 in eastus, spot, by DMI and metadata service"),
        (DMI["aws"], {"CHIPMARK_NO_METADATA": "1"},
         "instance: aws (type not known), by DMI; the metadata service was not to be asked"),
        ({}, {}, "instance: not known: nothing here names a provider"),
        ({}, {"CHIPMARK_INSTANCE": "lambda:NVIDIA H100 SXM"}, "instance: lambda NVIDIA H100 SXM, as given"),
    ],
)  # fmt: skip
def test_devices_begins_with_the_instance(
    fields: dict[str, str], variables: dict[str, str], line: str, fake: Fake, tmp_path: Path
) -> None:
    machine(tmp_path / "machine", fields)
    done = fake("devices", **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == line
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)


def test_devices_as_json_has_the_instance(fake: Fake, tmp_path: Path) -> None:
    machine(tmp_path / "machine", DMI["oci"])
    done = fake("devices", "--json")
    content = json.loads(done.stdout)
    assert content["instance"] == {
        "provider": "oci", "instance_type": "BM.GPU.H100.8", "region": "us-ashburn-1", "pricing": None,
        "evidence": "DMI and metadata service", "reason": "",
    }  # fmt: skip
    assert content["instance_reason"] == ""
    assert not any(secret in done.stdout for secret in SECRETS)


def test_devices_tells_of_a_name_that_has_no_price(fake: Fake, tmp_path: Path) -> None:
    machine(tmp_path / "machine", {})
    done = fake("devices", CHIPMARK_INSTANCE="aws:c7i.4xlrge")
    first, second = done.stdout.splitlines()[:2]
    assert first == "instance: aws c7i.4xlrge, as given"
    assert second.startswith("    no price was found for the instance, which is taken as given: unknown aws instance")
    assert "did you mean 'c7i.4xlarge'" in second
