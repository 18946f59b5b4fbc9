"""A chosen price, and what the market asks for one accelerator, as stored types."""

from __future__ import annotations

from typing import Literal

from results.price_row import PriceRow
from results.record import Record

# A layer of the price table. Catalogues that were imported stand beside the shipped one, the newer price of the two
# counts. What a user wrote by hand (user: in a file of their own; given: named on the command line) is what is paid.
Layer = Literal["shipped", "imported", "user", "given"]
OWN: tuple[Layer, ...] = ("user", "given")
# A layer with a higher place comes first.
PRECEDENCE: dict[Layer, int] = {"shipped": 0, "imported": 0, "user": 1, "given": 2}
# exact_type: provider, type and region. type_any_region: the region was chosen by us, and is named.
MatchRule = Literal["exact_type", "type_any_region"]


class PriceMatch(Record, frozen=True, kw_only=True):
    """A chosen price and how it was chosen."""

    row: PriceRow
    layer: Layer = "shipped"
    table_sha256: str  # of the file that holds the row
    match_rule: MatchRule
    note: str = ""  # what was chosen among, in words
    # The same provider, type and region under each kind of pricing; None: not in the table, never estimated.
    prices_by_pricing: dict[str, float | None]


class MarketRange(Record, frozen=True, kw_only=True):
    """What one accelerator-hour is offered for, over providers and types: never a single price.

    Prices per accelerator: an instance's price over its accelerators, so hosts are in some and not in others. Least
    and most are over all regions; the median takes each offer once, in its main region.
    """

    accelerator: str  # a row of the device table
    pricing: str
    provider: str | None = None  # None: over all providers
    num_offers: int
    num_providers: int
    usd_per_hour_min: float
    usd_per_hour_median: float
    usd_per_hour_max: float
    least_offer: str = ""  # provider, type, region and date of usd_per_hour_min
    most_offer: str = ""  # the same of usd_per_hour_max
    note: str = ""  # what the range mixes, and what was left out
    oldest_as_of: str
    newest_as_of: str
    table_sha256: dict[Layer, str]
    match_rule: Literal["accelerator_only"] = "accelerator_only"
