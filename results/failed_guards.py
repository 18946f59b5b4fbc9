"""FAILed guards of several processes, each guard said once."""

from __future__ import annotations

from collections.abc import Sequence

# These look at the very times that are compared: to leave out processes by them would be to choose
# evidence by its outcome, and what they warn of is in the interval already. They bar from baselines.
GUARDS_OF_TIMES = ("step_slope", "step_spread", "step_tail")
# These look at power readings only. They bar no time from anything: they take away a process's energy.
ENERGY_GUARDS = "energy_"


def of_energy(name: str) -> bool:
    """Whether a guard of this name is about the energy and nothing else."""
    return name.startswith(ENERGY_GUARDS)


def by_guard(processes: Sequence[Sequence[str]], limit: int | None = None) -> list[str]:
    """``steal in 2 of 5 processes: 9 % stolen``: each guard that failed, with its first reason.

    Args:
        processes: of each process, ``name: reason`` of each guard that FAILed.
        limit: so many are said in full, the others counted; None for all.
    """
    first: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for texts in processes:
        for text in texts:
            name, _, reason = text.partition(": ")
            first.setdefault(name, reason)
            numbers[name] = numbers.get(name, 0) + 1
    said = [
        f"{name} in {numbers[name]} of {len(processes)} processes: {reason or 'no reason was given'}"
        for name, reason in first.items()
    ]
    if limit is None or len(said) <= limit:
        return said
    rest = len(said) - limit
    return [*said[:limit], f"{rest} more guard{'' if rest == 1 else 's'}"]
