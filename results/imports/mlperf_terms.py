"""What MLPerf's tables mean by their units and scenarios, and how MLCommons asks for its results to be cited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from results.imported_record import Quantity

PUBLISHER = "MLCommons"
TRADEMARK = (
    "The MLPerf name and logo are registered and unregistered trademarks of MLCommons Association in the United "
    "States and other countries. All rights reserved. Unauthorized use strictly prohibited. See www.mlcommons.org "
    "for more information."
)
WALL = "whole system at the wall (AC), measured in the same run as MLPerf asks"
SCENARIOS = {
    name.lower(): name for name in ("SingleStream", "MultiStream", "Server", "Offline", "Interactive")
}  # tables write them in either case
DIVISIONS = ("closed", "open", "network")


class Unit(NamedTuple):
    """What a published unit is: quantity, unit and factor of the stored value."""

    quantity: Quantity
    unit: str
    factor: float
    better: Literal["higher", "lower"]


UNITS: Mapping[str, Unit] = {
    "tokens/s": Unit("throughput", "token/s", 1.0, "higher"),
    "samples/s": Unit("throughput", "sample/s", 1.0, "higher"),
    "queries/s": Unit("throughput", "query/s", 1.0, "higher"),
    "latency (ms)": Unit("latency", "s", 1e-3, "lower"),
    "latency (s)": Unit("latency", "s", 1.0, "lower"),
    "watts": Unit("power", "W", 1.0, "lower"),
    "w": Unit("power", "W", 1.0, "lower"),
    "millijoules": Unit("energy_per_query", "J", 1e-3, "lower"),
    "mj": Unit("energy_per_query", "J", 1e-3, "lower"),
}


class Retrieval(NamedTuple):
    """When and where the user got the file."""

    retrieved: str = "unknown"  # ISO date
    url: str = ""
    round: str = ""  # of results, where the file has no column for it: v5.1
