"""Which CPUs have instructions that multiply a precision, by the flags that Linux names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from backends.processor import CPUINFO, read_cpuinfo
from results.records import Precision

# Instructions that multiply in the type, or accumulate 8-bit products in 32 bits: Intel SDM (VNNI, AMX, AVX512-FP16
# and -BF16), Arm ARM (dotprod is asimddp, FP16 arithmetic asimdhp in Linux's names).
_UNITS: dict[Precision, frozenset[str]] = {
    "fp16": frozenset({"avx512_fp16", "amx_fp16", "asimdhp"}),
    "bf16": frozenset({"avx512_bf16", "amx_bf16", "bf16", "svebf16"}),
    "int8": frozenset({"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "asimddp", "i8mm", "svei8mm"}),
}


def cpu_flags(cpuinfo: Path = CPUINFO) -> frozenset[str] | None:
    """Instruction-set flags of the first CPU as Linux names them, or None where unreadable."""
    fields = read_cpuinfo(cpuinfo)
    flags = fields.get("flags") or fields.get("Features")
    return frozenset(flags.split()) if flags else None


def units(precision: Precision, flags: Collection[str] | None) -> list[str]:
    """The flags among ``flags`` that say that the CPU multiplies in this precision, sorted."""
    return sorted(_UNITS.get(precision, frozenset()) & frozenset(flags or ()))
