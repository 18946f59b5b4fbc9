"""What each cloud's metadata service is asked, and what of its answers is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from harness.instance import metadata_service as paths
from harness.instance.metadata_service import MetadataError, MetadataService
from harness.instance.override import NAME


class Told(NamedTuple):
    """The kept answers: type, region and pricing (None: not told), and what could not be had."""

    instance_type: str | None = None
    region: str | None = None
    pricing: str | None = None
    reason: str = ""


def aws(service: MetadataService) -> Told:
    """IMDSv2 only: without a token nothing is asked."""
    token = service.ask(paths.AWS_TOKEN, {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT").strip()
    if not token.isascii() or not token.isprintable() or not 0 < len(token) <= 1024:
        raise MetadataError("the metadata service gave no valid token")
    header = {"X-aws-ec2-metadata-token": token}
    document = _json(service.ask(paths.AWS_DOCUMENT, header))
    told = Told(_name(document, "instanceType"), _name(document, "region"))
    known = {"spot": "spot", "on-demand": "on_demand", "capacity-block": "capacity_block"}
    return _priced(told, service, paths.AWS_LIFE_CYCLE, header, known)


def gcp(service: MetadataService) -> Told:
    """Type and zone are the last part of a path that holds the project's number, which is dropped."""
    header = {"Metadata-Flavor": "Google"}
    instance_type = _valid(service.ask(paths.GCP_MACHINE_TYPE, header).strip().rpartition("/")[2], "machine type")
    zone = _valid(service.ask(paths.GCP_ZONE, header).strip().rpartition("/")[2], "zone")
    told = Told(instance_type, zone.rpartition("-")[0] or None)
    return _priced(told, service, paths.GCP_PREEMPTIBLE, header, {"TRUE": "spot", "FALSE": "on_demand"})


def azure(service: MetadataService) -> Told:
    """An empty priority is a machine that was rented without one: pricing is then not told."""
    answer = _json(service.ask(paths.AZURE_COMPUTE, {"Metadata": "true"}))
    priority = answer.get("priority")
    known = {"Spot": "spot", "Low": "spot", "Regular": "on_demand"}
    pricing = known.get(priority) if isinstance(priority, str) else None
    return Told(_name(answer, "vmSize"), _name(answer, "location"), pricing)


def oci(service: MetadataService) -> Told:
    """The bearer is a fixed word, no secret."""
    answer = _json(service.ask(paths.OCI_INSTANCE, {"Authorization": "Bearer Oracle"}))
    return Told(_name(answer, "shape"), _name(answer, "canonicalRegionName"))


QUESTIONS: dict[str, Callable[[MetadataService], Told]] = {"aws": aws, "gcp": gcp, "azure": azure, "oci": oci}


def _priced(told: Told, service: MetadataService, path: str, header: dict[str, str], known: dict[str, str]) -> Told:
    """With the pricing; where that alone cannot be had, the type is kept."""
    try:
        return told._replace(pricing=known.get(service.ask(path, header).strip()))
    except MetadataError as error:
        return told._replace(reason=f"pricing: {error}")


def _json(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise MetadataError("the metadata service did not answer with a JSON object") from None


def _name(answer: dict[str, Any], key: str) -> str:
    return _valid(answer.get(key), key)


def _valid(value: object, what: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise MetadataError(f"the metadata service gave no valid {what}")
    return value
