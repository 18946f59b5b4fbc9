"""The instance as the user names it: ``provider:type[@region][/pricing]``."""

from __future__ import annotations

import re

from results.errors import UsageError
from results.instance_record import Instance

INSTANCE_VARIABLE = "CHIPMARK_INSTANCE"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")  # instance types and regions; nothing a terminal or sheet would act on
PRICINGS = ("on_demand", "spot", "capacity_block")
_SHAPE = re.compile(rf"({NAME.pattern}):({NAME.pattern})(?:@({NAME.pattern}))?(?:/({'|'.join(PRICINGS)}))?")


def parse_instance(text: str, source: str) -> Instance:
    """The instance that ``text`` names.

    Args:
        text: for example ``aws:p5.48xlarge@us-east-1/spot``.
        source: the option or variable it came from, for the message.

    Raises:
        UsageError: it has another shape.
    """
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{source}: {text[:100]!r} names no instance; give PROVIDER:TYPE[@REGION][/PRICING], for example "
            f"aws:p5.48xlarge@us-east-1/spot; PRICING is one of {', '.join(PRICINGS)}"
        )
    provider, instance_type, region, pricing = match.groups()
    return Instance(
        provider=provider.lower(), instance_type=instance_type, region=region, pricing=pricing, evidence="given"
    )
