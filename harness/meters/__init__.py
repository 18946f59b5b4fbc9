"""Power meters. ``REGISTRY`` finds them by name; the order is that of preference for the headline."""

from __future__ import annotations

from harness.meters.base import Meter
from results.registry import Registry

# A meter of the whole plug first, because whoever attaches one wants it; the host's own counters
# after those of the accelerator, because they are beside it.
BUILT_IN = {
    "wall": "harness.meters.wall:WallMeter",
    "nvidia": "harness.meters.nvidia:NvidiaMeter",
    "amd": "harness.meters.amd:AmdMeter",
    "intel-gpu": "harness.meters.intel_gpu:IntelGpuMeter",
    "apple": "harness.meters.apple:AppleMeter",
    "jetson": "harness.meters.jetson:JetsonMeter",
    "rapl": "harness.meters.rapl:RaplMeter",
}
REGISTRY: Registry[Meter] = Registry("meter", "chipmark.meters", BUILT_IN, members=("probe", "start", "stop"))
