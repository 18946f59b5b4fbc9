"""Whether the price table knows the instance that a user names."""

from __future__ import annotations

from results.instance_record import Instance


def price_note(given: Instance | None) -> str:
    """A line where no price has an instance that was given by hand, with close matches; "" if one has.

    The name may be right all the same, so that nothing is refused for it.
    """
    from results.errors import PriceError
    from results.price_layers import load_layers
    from results.pricing import rows_of_type

    if given is None or given.instance_type is None or given.evidence != "given":
        return ""
    try:
        rows_of_type(load_layers().rows, given.provider, given.instance_type)
    except PriceError as error:
        return f"no price was found for the instance, which is taken as given: {error}"
    return ""
