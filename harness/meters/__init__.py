"""Power meters. ``REGISTRY`` finds them by name; none is built in yet."""

from __future__ import annotations

from harness.meters.base import Meter
from results.registry import Registry

REGISTRY: Registry[Meter] = Registry("meter", "chipmark.meters", {}, members=("probe", "start", "stop"))
