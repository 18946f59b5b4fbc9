"""Which limit a case runs into by its arithmetic intensity: computing, or moving bytes.

Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for Multicore
Architectures", CACM 52(4), 2009. A step of F FLOPs that moves B bytes takes at least F / (peak
FLOP/s) and at least B / (bandwidth), whichever is longer; the two are equal where F / B, the
arithmetic intensity, is the ridge point (peak FLOP/s) / (bandwidth).

The bytes of most workloads are a lower bound (``Work.min_values``), so the intensity is an upper
bound: below the ridge the case is bound by memory for certain, above it "compute" means "unless
what passes between the layers goes to memory too".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from results.records import CaseSpec, Precision, Work

# An array (or what a step moves) must be this much larger than the last-level cache, or part of it
# stays there: STREAM's rule for the size of its arrays.
MIN_CACHE_MULTIPLE = 4
BYTES_OF: dict[Precision, int] = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}
Basis = Literal["defined", "lower bound"]
Bound = Literal["compute", "memory"]


class Traffic(NamedTuple):
    """Bytes that one cycle of steps moves, and whether that is exact by definition or a lower bound."""

    num_bytes: int | None
    basis: Basis | None = None
    reason: str = ""

    def per_step(self, work: Work) -> float:
        """Bytes of an average step of the cycle; 0 where they are not known."""
        return (self.num_bytes or 0) / work.steps


class Verdict(NamedTuple):
    """The limit, or None, and why."""

    bound: Bound | None
    reason: str


def traffic(case: CaseSpec, work: Work) -> Traffic:
    """What a cycle of ``case`` moves.

    The lower bound takes the size of a number of the case's precision, though FP8 and INT8 recipes
    leave activations wider. Training keeps weights and optimizer state in FP32 in every precision.
    """
    if work.bytes is not None:
        return Traffic(work.bytes, "defined")
    if work.min_values is None:
        return Traffic(None, reason="the workload does not tell what it moves")
    size = 4 if case.phase == "train" else BYTES_OF[case.precision]
    return Traffic(work.min_values * size, "lower bound")


def cache_problem(step_bytes: float, cache_bytes: int | None) -> str:
    """Why a step that moves ``step_bytes`` does not have to move them to and from memory; ``""`` if it has."""
    if cache_bytes is None:
        return "the size of the last-level cache is not known, so that nobody can tell whether the bytes leave it"
    if step_bytes < MIN_CACHE_MULTIPLE * cache_bytes:
        from results import units

        return (
            f"a step has to move less than {MIN_CACHE_MULTIPLE} times the last-level cache of "
            f"{units.memory(cache_bytes)}, so that part of it may stay there"
        )
    return ""


def verdict(intensity: float | None, basis: Basis | None, ridge: float | None, cached: str) -> Verdict:
    """Bound by computing or by memory.

    Args:
        intensity: FLOPs per byte; with basis "lower bound" (of the bytes) an upper bound.
        basis: of the bytes.
        ridge: FLOPs per byte at which the two limits meet.
        cached: why the bytes may stay in a cache, see :func:`cache_problem`.
    """
    if intensity is None:
        return Verdict(None, "its bytes are not known")
    if intensity == 0:
        return Verdict("memory", "it has no matrix products")
    if ridge is None:
        return Verdict(None, "no ridge point is known")
    if intensity >= ridge:
        unless = "" if basis == "defined" else ", if what passes between its layers stays on the chip"
        return Verdict("compute", f"its intensity is above the ridge point{unless}")
    if cached:
        return Verdict(None, f"its intensity is below the ridge point, but {cached}")
    return Verdict("memory", "its intensity is below the ridge point")
