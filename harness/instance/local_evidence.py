"""What the machine itself tells of its provider, without any network call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.instance.override import NAME

DMI_FOLDER = "sys/class/dmi/id"
CLOUD_INIT_FILE = "run/cloud-init/instance-data.json"
MAX_FILE_BYTES = 2**20
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
        if variable in variables:
            return Evidence(provider, source="environment")
    text = variables.get("SKYPILOT_CLUSTER_INFO")
    if text is None:
        return Evidence(None)
    found = _decoded(text.encode("utf-8", "replace")[: MAX_FILE_BYTES + 1], "SKYPILOT_CLUSTER_INFO")
    return found if isinstance(found, Evidence) else _cloud(found.get("cloud"), found.get("region"), "environment")


def _cloud_init(root: Path) -> Evidence:
    content = _read(root / CLOUD_INIT_FILE)
    if content is None:
        return Evidence(None)
    found = _decoded(content, "cloud-init's instance data")
    if isinstance(found, Evidence):
        return found
    v1 = found.get("v1")
    if not isinstance(v1, dict):
        return Evidence(None, reason="cloud-init's instance data has no v1")
    return _cloud(v1.get("cloud_id"), v1.get("region"), "cloud-init")


def _dmi(root: Path) -> Evidence:
    def field(name: str) -> str:
        return (_read(root / DMI_FOLDER / name) or b"")[:256].decode("ascii", "replace").strip()

    vendor, tag = field("sys_vendor"), field("chassis_asset_tag")
    amazon = (vendor, field("bios_vendor"), field("product_version"))
    if vendor == "Amazon EC2" or amazon[1] == "Amazon EC2" or "amazon" in amazon[2].lower():
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


def _cloud(cloud: object, region: object, source: str) -> Evidence:
    provider = CLOUDS.get(cloud.lower()) if isinstance(cloud, str) else None
    valid = isinstance(region, str) and NAME.fullmatch(region)
    return Evidence(provider, str(region) if valid else None, source)


def _read(path: Path) -> bytes | None:
    """At most one byte over the cap; None where the file is not there or not ours to read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError:
        return None
