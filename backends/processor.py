"""What the system tells of its CPU."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# CPUID's vendor strings (Intel SDM, AMD APM).
CPU_VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}


def read_cpuinfo(path: Path = CPUINFO) -> dict[str, str]:
    """The first processor's block of /proc/cpuinfo; empty where there is none."""
    try:
        block = path.read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def cpu_name(path: Path = CPUINFO) -> str:
    """The CPU's model name, or the machine type where the system does not tell."""
    return read_cpuinfo(path).get("model name") or platform.processor() or platform.machine() or "CPU"


def cpu_vendor(path: Path = CPUINFO) -> str | None:
    """The CPU's maker, or None where the system does not tell (x86 only)."""
    return CPU_VENDORS.get(read_cpuinfo(path).get("vendor_id", ""))
