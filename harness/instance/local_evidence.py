"""What the machine itself tells of its provider, without any network call."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.instance.override import NAME

DMI_FOLDER = "sys/class/dmi/id"
CLOUD_INIT_FILE = "run/cloud-init/instance-data.json"
MAX_FILE_BYTES = 2**20
MAX_DMI_BYTES = 256
# cloud-init's tools/ds-identify; any Hyper-V guest has the vendor Microsoft, so that one says nothing.
AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
ORACLE_ASSET_TAG = "OracleCloud.com"
VENDORS = {
    "digitalocean": "digitalocean", "vultr": "vultr", "hetzner": "hetzner", "upcloud": "upcloud",
    "scaleway": "scaleway",
}  # fmt: skip
# A variable's presence is enough: what it holds names this very machine, and is not read.
MARKERS = {"RUNPOD_POD_ID": "runpod", "VAST_CONTAINERLABEL": "vast"}
# Names that SkyPilot and cloud-init give clouds, as the price table has them.
CLOUDS = {
    "aws": "aws", "gcp": "gcp", "gce": "gcp", "azure": "azure", "oci": "oci", "oracle": "oci", "runpod": "runpod",
    "vast": "vast", "digitalocean": "digitalocean", "do": "digitalocean", "vultr": "vultr", "hetzner": "hetzner",
    "upcloud": "upcloud", "scaleway": "scaleway",
}  # fmt: skip


class Evidence(NamedTuple):
    """A provider that something local names; None with the reason why that source could not be used."""

    provider: str | None
    region: str | None = None
    source: str = ""
    reason: str = ""


def local_evidence(variables: Mapping[str, str], root: Path) -> Evidence:
    """The first source that names a provider: environment, then cloud-init, then DMI."""
    reasons = []
    for found in (_environment(variables), _cloud_init(root), _dmi(root)):
        if found.reason:
            reasons.append(found.reason)
        if found.provider:
            return found._replace(reason="; ".join(reasons))
    return Evidence(None, reason="; ".join(reasons))


def _environment(variables: Mapping[str, str]) -> Evidence:
    for variable, provider in MARKERS.items():
        if variables.get(variable):
            return Evidence(provider, source="environment")
    text = variables.get("SKYPILOT_CLUSTER_INFO")
    if not text:
        return Evidence(None)
    found = _decoded(text.encode("utf-8", "replace")[: MAX_FILE_BYTES + 1], "SKYPILOT_CLUSTER_INFO")
    if isinstance(found, Evidence):
        return found
    return _cloud(found.get("cloud"), found.get("region"), "environment", "SKYPILOT_CLUSTER_INFO")


def _cloud_init(root: Path) -> Evidence:
    content = _read(root / CLOUD_INIT_FILE, MAX_FILE_BYTES + 1)
    if content is None:
        return Evidence(None)
    found = _decoded(content, "cloud-init's instance data")
    if isinstance(found, Evidence):
        return found
    v1 = found.get("v1")
    if not isinstance(v1, dict):
        return Evidence(None, reason="cloud-init's instance data has no v1")
    return _cloud(v1.get("cloud_id"), v1.get("region"), "cloud-init", "cloud-init's instance data")


def _dmi(root: Path) -> Evidence:
    def field(name: str) -> str:
        return (_read(root / DMI_FOLDER / name, MAX_DMI_BYTES) or b"").decode("ascii", "replace").strip()

    vendor, tag = field("sys_vendor"), field("chassis_asset_tag")
    if "Amazon EC2" in (vendor, field("bios_vendor")) or "amazon" in field("product_version").lower():
        return Evidence("aws", source="DMI")
    if field("product_name") == "Google Compute Engine":
        return Evidence("gcp", source="DMI")
    by_tag = {AZURE_ASSET_TAG: "azure", ORACLE_ASSET_TAG: "oci"}.get(tag)
    return Evidence(by_tag or VENDORS.get(vendor.lower()), source="DMI")


def _decoded(content: bytes, name: str) -> dict[str, Any] | Evidence:
    if len(content) > MAX_FILE_BYTES:
        return Evidence(None, reason=f"{name} is too long")
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Evidence(None, reason=f"{name} is not readable as JSON")


def _cloud(cloud: object, region: object, source: str, name: str) -> Evidence:
    provider = CLOUDS.get(cloud.lower()) if isinstance(cloud, str) else None
    if provider is None:
        return Evidence(None, reason=f"{name} names no provider that is known by it")
    valid = isinstance(region, str) and NAME.fullmatch(region)
    return Evidence(provider, str(region) if valid else None, source)


def _read(path: Path, num_bytes: int) -> bytes | None:
    """The first bytes; None where there is no plain file, or it is not ours to read.

    A pipe in its place must not hang the run, not even in being opened.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return None
    try:
        return _bytes(opened, num_bytes) if stat.S_ISREG(os.fstat(opened).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(opened)


def _bytes(opened: int, num_bytes: int) -> bytes:
    content = b""
    while len(content) < num_bytes and (more := os.read(opened, num_bytes - len(content))):
        content += more
    return content
