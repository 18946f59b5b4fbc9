"""The instance as the user names it: ``provider:type[@region][/pricing]``."""

from __future__ import annotations

import re

from results.errors import UsageError
from results.instance_record import Instance
from results.price_cells import PRICINGS

INSTANCE_VARIABLE = "CHIPMARK_INSTANCE"
# Of providers, and of types and regions that a machine tells: nothing a terminal or sheet would act on.
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# The price table has types and regions such as "NVIDIA HGX H100 (SXM)" and "us (base)": a user may name those.
_GIVEN = r"[A-Za-z0-9](?:[A-Za-z0-9._ ()+-]{0,62}[A-Za-z0-9.)+])?"
_SHAPE = re.compile(rf"({NAME.pattern}):({_GIVEN})(?:@({_GIVEN}))?(?:/({'|'.join(PRICINGS)}))?")


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
