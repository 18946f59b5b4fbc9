"""Which rented instance this machine is: as given, else by local evidence and its own cloud's word."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness.instance.local_evidence import Evidence, local_evidence
from harness.instance.metadata_service import ADDRESS, MetadataError, MetadataService
from harness.instance.override import INSTANCE_VARIABLE, parse_instance
from harness.instance.providers import QUESTIONS
from results.instance_record import Instance

NO_METADATA_VARIABLE = "CHIPMARK_NO_METADATA"


class Identified(NamedTuple):
    """The instance, or None and why none is named."""

    instance: Instance | None
    reason: str = ""


def given_instance(option: str | None, variables: Mapping[str, str] = os.environ) -> Instance | None:
    """The instance that the user names, by option or else by variable; None: none is named.

    Raises:
        UsageError: it is not of the shape PROVIDER:TYPE[@REGION][/PRICING].
    """
    if option is not None:
        return parse_instance(option, "--instance")
    text = variables.get(INSTANCE_VARIABLE, "")
    return parse_instance(text, INSTANCE_VARIABLE) if text.strip() else None


def identify(
    given: Instance | None = None,
    metadata: bool = True,
    variables: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
    address: tuple[str, int] = ADDRESS,
) -> Identified:
    """Which instance this is; never raises, and takes little more than the service's time limit.

    Args:
        given: what the user names; nothing else is then looked at.
        metadata: whether the metadata service may be asked, once local evidence names its cloud.
        variables: the environment.
        root: where the file system begins.
        address: of the metadata service.
    """
    if given is not None:
        return Identified(given)
    try:
        found = local_evidence(variables, root)
        if found.provider is None:
            return Identified(None, "; ".join(filter(None, ["nothing here names a provider", found.reason])))
        allowed = metadata and variables.get(NO_METADATA_VARIABLE, "") in ("", "0")
        return Identified(_asked(found, found.provider, allowed, address))
    except Exception as error:  # a name for the machine must never cost its measurements
        return Identified(None, f"could not be found out: {type(error).__name__}")


def _asked(found: Evidence, provider: str, allowed: bool, address: tuple[str, int]) -> Instance:
    local = Instance(provider=provider, region=found.region, evidence=found.source, reason=found.reason)
    if provider not in QUESTIONS:
        return _because(local, "the provider's machines do not tell their type; name it with --instance")
    if not allowed:
        return _because(local, "the metadata service was not to be asked")
    try:
        told = QUESTIONS[provider](MetadataService(address))
    except MetadataError as error:
        return _because(local, str(error))
    except Exception as error:  # what the machine itself told is still true
        return _because(local, f"the metadata service could not be asked: {type(error).__name__}")
    return Instance(
        provider=provider, instance_type=told.instance_type, region=told.region or found.region, pricing=told.pricing,
        evidence=f"{found.source} and metadata service", reason="; ".join(filter(None, [found.reason, told.reason])),
    )  # fmt: skip


def _because(local: Instance, reason: str) -> Instance:
    return Instance(
        provider=local.provider, region=local.region, evidence=local.evidence,
        reason="; ".join(filter(None, [local.reason, reason])),
    )  # fmt: skip
