"""What environment and cloud-init name, and a real command that is given a bad name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.instance.local_evidence import CLOUD_INIT_FILE, local_evidence


@pytest.mark.parametrize(
    ("variables", "provider", "region"),
    [
        ({"RUNPOD_POD_ID": "secret"}, "runpod", None),
        ({"VAST_CONTAINERLABEL": "C.1"}, "vast", None),
        ({"SKYPILOT_CLUSTER_INFO": '{"cloud": "GCP", "region": "us-central1"}'}, "gcp", "us-central1"),
        ({"SKYPILOT_CLUSTER_INFO": '{"cloud": "AWS", "region": "=1+1"}'}, "aws", None),
        ({"SKYPILOT_CLUSTER_INFO": '{"cloud": 3}'}, None, None),
        ({"SKYPILOT_CLUSTER_INFO": "{"}, None, None),
    ],
)
def test_environment(variables: dict[str, str], provider: str | None, region: str | None, tmp_path: Path) -> None:
    found = local_evidence(variables, tmp_path)
    assert (found.provider, found.region) == (provider, region)
    assert "secret" not in repr(found)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b'{"v1": 3}', b" " * (2**20 + 1)])
def test_malformed_cloud_init_is_said(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / CLOUD_INIT_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    found = local_evidence({}, tmp_path)
    assert found.provider is None
    assert "cloud-init" in found.reason


def test_cloud_init(tmp_path: Path) -> None:
    file = tmp_path / CLOUD_INIT_FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"v1": {"cloud_id": "azure", "region": "eastus", "instance_id": "secret"}}))
    assert local_evidence({}, tmp_path) == ("azure", "eastus", "cloud-init", "")


def test_a_bad_name_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "harness", "run", "smoke", "--out", str(tmp_path / "run")],
        env=os.environ | {"CHIPMARK_INSTANCE": "p5"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "CHIPMARK_INSTANCE: 'p5'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "run").exists()
